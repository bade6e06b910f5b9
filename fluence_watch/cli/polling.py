"""One poll of every account, for the commands that look and go."""

import asyncio
from collections.abc import Mapping

from fluence_watch.app.clock import utc_now
from fluence_watch.app.poll import fetch
from fluence_watch.app.wiring import Plan, connect
from fluence_watch.model.snapshot import Outcome


def poll_all(plan: Plan) -> Mapping[str, Outcome]:
    """What each account's API says now, all asked at once."""
    return asyncio.run(_poll_all(plan))


async def _poll_all(plan: Plan) -> Mapping[str, Outcome]:
    outcomes = await asyncio.gather(*(_poll(plan, name) for name in plan.policies))
    return dict(zip(plan.policies, outcomes, strict=True))


async def _poll(plan: Plan, name: str) -> Outcome:
    async with connect(name, plan.clients[name], utc_now) as client:
        return await fetch(client, plan.policies[name], utc_now)

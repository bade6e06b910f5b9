"""One poll of every account, for the commands that look and go."""

import asyncio
from collections.abc import Mapping

from fluence_watch.app.clock import utc_now
from fluence_watch.app.poll import fetch
from fluence_watch.app.wiring import Setup, connect
from fluence_watch.model.snapshot import Outcome


def poll_all(setup: Setup) -> Mapping[str, Outcome]:
    """What each account's API says now, all asked at once."""
    return asyncio.run(_poll_all(setup))


async def _poll_all(setup: Setup) -> Mapping[str, Outcome]:
    outcomes = await asyncio.gather(*(_poll(setup, name) for name in setup.policies))
    return dict(zip(setup.policies, outcomes, strict=True))


async def _poll(setup: Setup, name: str) -> Outcome:
    async with connect(name, setup.clients[name], utc_now) as client:
        return await fetch(client, setup.policies[name], utc_now)

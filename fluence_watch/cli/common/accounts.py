"""The accounts that a command is about, and one poll of each."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from fluence_watch import eventloop
from fluence_watch.app.clock import utc_now
from fluence_watch.app.poll import fetch
from fluence_watch.app.wiring import Setup, connect, prepare
from fluence_watch.cli.common.options import check_account, settings_from
from fluence_watch.model.snapshot import Outcome


def prepared(config: Path | None, account: str | None = None) -> Setup:
    """The setup of the settings, of one account where one is named; raises `ConfigError`."""
    whole = prepare(settings_from(config))
    if account is None:
        return whole
    check_account(account, list(whole.policies))
    return replace(
        whole,
        policies={account: whole.policies[account]},
        clients={account: whole.clients[account]},
    )


def poll_all(setup: Setup) -> Mapping[str, Outcome]:
    """One poll of each account, all at once."""
    return eventloop.run(_poll_all(setup))


async def _poll_all(setup: Setup) -> Mapping[str, Outcome]:
    outcomes = await asyncio.gather(*(_poll(setup, name) for name in setup.policies))
    return dict(zip(setup.policies, outcomes, strict=True))


async def _poll(setup: Setup, name: str) -> Outcome:
    async with connect(name, setup.clients[name], utc_now) as client:
        return await fetch(client, setup.policies[name], utc_now)

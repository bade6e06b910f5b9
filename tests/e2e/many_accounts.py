"""The API of 200 accounts with 50 VMs each, on one port, each account under a path of its own.

Account 10 is slow, account 20 fails, account 30 has another key; run by `test_many_accounts.py`.
"""

import asyncio
from datetime import timedelta

from starlette.applications import Starlette
from starlette.routing import Mount

from fluence_watch.simulator import (
    FaultKind,
    FaultPlan,
    Profile,
    build_world,
    create_app,
    running,
    utc_now,
)

ACCOUNTS, VMS, KEY = 200, 50, "key"
PROFILES = {
    10: Profile("slow", {FaultKind.LATENCY: 1.0}, latency=(2.0, 2.0)),
    20: Profile("failing", {FaultKind.STATUS: 1.0}),
}
UNAUTHORIZED = 30


def _account(number: int) -> Mount:
    key = "another" if number == UNAUTHORIZED else KEY
    world = build_world(seed=number, vms=VMS, epoch=timedelta(hours=24), now=utc_now(), api_key=key)
    plan = FaultPlan(PROFILES.get(number, Profile("none")), seed=number)
    return Mount(f"/{number}", app=create_app(world, utc_now, faults=plan))


async def main() -> None:
    """Serve until killed; the first line of the output is the address."""
    app = Starlette(routes=[_account(number) for number in range(ACCOUNTS)])
    async with running(app) as url:
        print(url, flush=True)  # noqa: T201 - for the test
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())

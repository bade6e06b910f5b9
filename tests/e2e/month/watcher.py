"""A watcher that obeys its input: for each line, a time, it polls every account once, and answers.

Its parts are the daemon's own: settings, clients, `Watch`, the store on disk.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import structlog

from fluence_watch.app.poll import Watch
from fluence_watch.app.polled import Polled
from fluence_watch.app.wiring import connect, prepare
from fluence_watch.model.snapshot import Snapshot
from fluence_watch.settings import load_settings
from fluence_watch.simulator import SettableClock
from fluence_watch.store import Store


class Answers:
    """What the polls of one line listed, by account. An account that could not be polled is not there."""

    def __init__(self) -> None:
        self._listed: dict[str, object] = {}

    def publish(self, polled: Polled) -> None:
        """Note what a committed poll has read, money included, and the kinds that it could not list."""
        outcome = polled.outcome
        if isinstance(outcome, Snapshot) and not polled.store_error:
            rented = outcome.resources.items()
            told = [key for key, each in rented if not each.is_gpu or each.spent is not None]
            listed = {"seen": [*outcome.vms, *told], "blind": [*outcome.unlisted]}
            self._listed[outcome.account] = listed

    def say(self) -> None:
        """Answer the line."""
        print(json.dumps(self._listed), flush=True)  # noqa: T201 - it is the answer
        self._listed = {}


async def main(config: Path) -> None:
    """Poll until the input ends."""
    setup = prepare(load_settings(config))
    clock, answers = SettableClock(datetime.now(UTC)), Answers()
    with Store.open(setup.settings.store.url) as store:
        watches = [
            Watch(
                policy,
                connect(name, setup.clients[name], clock),
                store,
                store.load(name),
                clock=clock,
                publish=answers.publish,
                crashed=_crashed,
                committed=lambda *_: None,
            )
            for name, policy in setup.policies.items()
        ]
        answers.say()
        await _obey(watches, clock, answers)


async def _obey(watches: Sequence[Watch], clock: SettableClock, answers: Answers) -> None:
    read = partial(asyncio.get_running_loop().run_in_executor, None, sys.stdin.readline)
    while line := await read():
        clock.set(datetime.fromisoformat(line.strip()))
        await asyncio.gather(*(watch.poll() for watch in watches))
        answers.say()
    for watch in watches:
        await watch.client.aclose()


def _crashed(account: str, where: str, what: str) -> None:
    sys.exit(f"internal error in {account}, {where}: {what}")


if __name__ == "__main__":
    logging.disable()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    asyncio.run(main(Path(sys.argv[1])))

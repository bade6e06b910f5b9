"""The daemon, whole, in simulated time: it lives when its input says so, and answers what came next.

Everything is the real thing but three: the clock, the timer of the schedule, and how much of a message
is listed. So that every line of it can be judged, a message lists all alerts, and its data follows its
text.

    in    2026-04-01T12:05:00+00:00    live through that moment: what is due is done
    out   {"next": …, "polled": …}     the moment at which something is due next, and what is committed
"""

import asyncio
import json
import logging
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from itertools import count
from pathlib import Path
from typing import Any

import structlog

from fluence_watch import eventloop
from fluence_watch.alerting import grouping
from fluence_watch.alerting.grouping import Item, Message
from fluence_watch.alerting.lifecycle import Alert
from fluence_watch.alerting.state import AccountState
from fluence_watch.app import daemon as daemons
from fluence_watch.app.daemon import Daemon
from fluence_watch.app.schedule import Schedule
from fluence_watch.app.wiring import Setup, prepare
from fluence_watch.model.finding import Fingerprint
from fluence_watch.notify import delivery
from fluence_watch.notify.markup import BodyFormat
from fluence_watch.notify.render import Rendered, render_plainly
from fluence_watch.notify.shipped import ShippedWords
from fluence_watch.rules import spend_anomaly
from fluence_watch.settings import load_settings
from fluence_watch.simulator import SettableClock
from fluence_watch.store import Store

MARK = "\n\x1e"
"""Between the text of a message and its data."""

_DUPLICATES = "fluence_watch_notification_possible_duplicates_total"


@dataclass(eq=False)
class Call:
    """A scheduled call."""

    callback: Callable[[], object]

    def cancel(self) -> None:
        """Forget it."""
        self.callback = lambda: None


@dataclass
class Timer:
    """The timer of the schedule: its time is that of the clock."""

    clock: SettableClock
    begin: datetime
    _calls: list[tuple[float, int, Call]] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=count)

    def time(self) -> float:
        """Seconds since the beginning."""
        return (self.clock() - self.begin).total_seconds()

    def call_at(self, when: float, callback: Callable[[], object], /) -> Call:
        """Make the call when the clock is there."""
        call = Call(callback)
        heappush(self._calls, (when, next(self._numbers), call))
        return call

    def next_at(self) -> datetime:
        """When the next call is due, not earlier than now."""
        return max(self.clock(), self.begin + timedelta(seconds=self._calls[0][0]))

    def run(self) -> None:
        """Make the calls that are due."""
        while self._calls and self._calls[0][0] <= self.time():
            heappop(self._calls)[2].callback()


class Telltale(ShippedWords):
    """The shipped words, and after them what they are about, for a program."""

    def render(
        self, message: Message, fmt: BodyFormat, now: datetime, longest: int | None = None, /
    ) -> Rendered:
        """Render a message about alerts."""
        return _with_data(super().render(message, fmt, now, longest), message)


def _with_data(said: Rendered, message: Message) -> Rendered:
    lines = [_line(item) for item in message.items]
    return replace(said, body=said.body + MARK + json.dumps(lines))


def _plainly(message: Message, fmt: BodyFormat, longest: int | None = None) -> Rendered:
    """A message in its plainest form, and what it is about."""
    return _with_data(render_plainly(message, fmt, longest), message)


def _line(item: Item) -> Mapping[str, object]:
    told = {"status": item.status.value, "reason": item.reason.value}
    return told | data_of(item.fingerprint, item)


def data_of(about: Fingerprint, alert: Item | Alert) -> Mapping[str, Any]:
    """An alert as JSON."""
    return {
        "account": about.account,
        "rule": about.rule,
        "subject": about.subject,
        "key": about.key,
        "severity": alert.severity.value,
        "step": alert.step,
        "active_at": alert.active_at.isoformat(),
        "facts": _plain(alert.facts),
    }


def _plain(value: object) -> object:
    """Facts as JSON."""
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, int | float | bool) else str(value)


class Life:
    """A daemon, from its start to its end."""

    def __init__(self, config: Path, now: datetime) -> None:
        self._clock = SettableClock(now)
        self._timer = Timer(self._clock, now)
        self._schedule = Schedule(self._timer, spread=lambda: 0.0)
        self._config = config

    async def live(self) -> None:
        """Start, and obey the input until it ends."""
        daemons.Schedule = lambda: self._schedule  # type: ignore[assignment,misc] # in simulated time
        daemons.settle = lambda: None  # type: ignore[attr-defined] # what loads later is collected too
        setup = self._setup()
        with (
            Store.open(setup.settings.store.url) as store,
            socket.create_server(("127.0.0.1", 0)) as own,
        ):
            self._daemon = Daemon(setup, store, self._clock, self._setup)
            running = asyncio.create_task(self._daemon.run(own))
            while "prune" not in self._schedule:  # noqa: ASYNC110 - the last of its start, without an event
                await asyncio.sleep(0)
            await self._settle()
            self._answer()
            read = partial(asyncio.get_running_loop().run_in_executor, None, sys.stdin.readline)
            while line := await read():
                self._clock.set(datetime.fromisoformat(line.strip()))
                self._timer.run()
                await self._settle()
                self._answer()
            self._daemon.stop()
            await running

    def _setup(self) -> Setup:
        return replace(prepare(load_settings(self._config)), words=Telltale())

    async def _settle(self) -> None:
        """Wait until nothing is left to do at this time."""
        dispatch = self._daemon._dispatch
        couriers = dispatch._couriers.values()
        woken = False
        while (busy := {*self._schedule._running, *dispatch._tasks}) or not woken:
            if busy:
                await asyncio.wait(busy)
                continue
            for courier in couriers:
                courier.wake()
            await dispatch.rest()
            woken = True

    def _answer(self) -> None:
        states = {name: each._kept.state for name, each in self._daemon._watches._watches.items()}
        watched = self._daemon._selfwatch._watched
        said = {
            "next": self._timer.next_at().isoformat(),
            "polled": {name: _iso(each.last_poll_at) for name, each in states.items()},
            "good": {name: _iso(each.last_good_at) for name, each in states.items()},
            "looked": _iso(watched.kept.state.last_poll_at if watched else None),
            "duplicates": self._duplicates(),
            "odd": [name for name, each in states.items() if _is_odd(each)],
        }
        print(json.dumps(said), flush=True)  # noqa: T201 - it is the answer

    def _duplicates(self) -> float:
        own = self._daemon.board.own.registry.restricted_registry([_DUPLICATES])
        return sum(each.value for family in own.collect() for each in family.samples)


def _is_odd(state: AccountState) -> bool:
    return any(each.rule == spend_anomaly.NAME for each in state.alerts)


def _iso(at: datetime | None) -> str | None:
    return at and at.isoformat()


def _quiet() -> None:
    logging.disable()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    daemons.configure_logs = lambda _: None  # type: ignore[assignment]


def main(arguments: Sequence[str]) -> None:
    """Live."""
    config, now = Path(arguments[0]), datetime.fromisoformat(arguments[1])
    _quiet()
    delivery.render_plainly = _plainly
    grouping.SHOWN = grouping.SHOWN_AFTER_OUTAGE = grouping.MISSED_SHOWN = 10**6
    eventloop.run(Life(config, now).live())


if __name__ == "__main__":
    main(sys.argv[1:])

"""What a record of many days takes: its size, and how long it takes to write and to read.

Each VM is charged once a day, so that a day changes each of them; the boundaries are in batches, or
spread over the day. A few VMs have other ports for a while, and a poll fails now and then.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from uuid import UUID

from fluence_watch.model.billing import EPOCHS
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import port
from fluence_watch.model.snapshot import Outcome, PollFailure, Snapshot
from fluence_watch.model.vm import Datacenter, Status, Vm
from fluence_watch.record.files import Bounds, files_in
from fluence_watch.record.reading import Reading
from fluence_watch.record.wire import Seen
from fluence_watch.record.writing import Writer

START = datetime(2026, 1, 15, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
ACCOUNT = "main"
_MINUTES = DAY // MINUTE
_PRICE = MicroUsdc(298_160)
_FAILS_EACH, _DRIFTS_EACH = 997, 7001  # polls
_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Measured:
    """MB on disk, polls, and seconds to write and to read them."""

    megabytes: float
    polls: int
    written: float
    read: float


def vm(number: int, batch: int, batches: int) -> Vm:
    """A VM that is charged with its batch, and topped up."""
    boundary = START + (_MINUTES * batch // batches) * MINUTE + timedelta(seconds=30)
    return Vm(
        str(UUID(int=0x1234567890ABCDEF1234567890ABCDEF ^ (number << 64) ^ number * 0x9E3779B9)),
        f"web-{number}",
        Status.ACTIVE,
        "ACTIVE",
        _PRICE,
        MicroUsdc(2 * _PRICE),
        MicroUsdc(number * 1000),
        START - 30 * DAY,
        boundary,
        Datacenter("FR", "PAR", 1, 3),
        f"203.0.{number // 250}.{number % 250}",
        (port(22), port(443)),
        "ubuntu-24.04",
        2,
        4 * _GIB,
        25 * _GIB,
        "cpu-2",
    )


def outcomes(vms: int, days: int, batches: int) -> Iterator[Outcome]:
    """What the polls see, one a minute."""
    listed = [vm(number, number % batches, batches) for number in range(vms)]
    fleet = {each.key: each for each in listed}
    for minute in range(days * _MINUTES):
        now = START + minute * MINUTE
        if minute % _FAILS_EACH == _FAILS_EACH - 1:
            yield PollFailure(ACCOUNT, now, "unreachable", "timeout")
            continue
        fleet = _charged(fleet, now)
        yield Snapshot(ACCOUNT, now, _drifted(fleet, minute), billing=EPOCHS)


def _charged(fleet: dict[str, Vm], now: datetime) -> dict[str, Vm]:
    due = {
        key: replace(
            each,
            spent=MicroUsdc((each.spent or 0) + _PRICE),
            next_billing_at=each.next_billing_at + DAY,
        )
        for key, each in fleet.items()
        if each.next_billing_at and each.next_billing_at <= now
    }
    return {**fleet, **due} if due else fleet


def _drifted(fleet: dict[str, Vm], minute: int) -> dict[str, Vm]:
    """A VM has another port for an hour, now and then."""
    turn, since = divmod(minute, _DRIFTS_EACH)
    if since >= 60 or not turn:
        return fleet
    key = list(fleet)[turn % len(fleet)]
    return {**fleet, key: replace(fleet[key], ports=(port(22), port(443), port(8080)))}


def write(folder: Path, vms: int, days: int, batches: int) -> None:
    """Record that many days."""
    writer = Writer(folder, Bounds(10 * 365 * DAY, 2**40))
    for outcome in outcomes(vms, days, batches):
        writer.write(Seen(outcome))


def measure(folder: Path, vms: int, days: int, batches: int) -> Measured:
    """Write and read them, in wall time."""
    begun = perf_counter()
    write(folder, vms, days, batches)
    written = perf_counter() - begun
    size = sum(each.path.stat().st_size for each in files_in(folder))
    begun = perf_counter()
    polls = sum(1 for _ in Reading(folder).polls())
    return Measured(size / 10**6, polls, written, perf_counter() - begun)

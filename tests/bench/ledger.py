"""What a year of a ledger costs: its file, and how long `costs` takes over all of it.

Run it by `python -m tests.bench.ledger`.
"""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import TemporaryDirectory

from rich.console import Console

from fluence_watch.alerting.state import AccountState, Change
from fluence_watch.model.accounting import Booking
from fluence_watch.model.known import KnownVm
from fluence_watch.model.ledger import By, Certainty, Entry, EntryKind
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Status, Vm
from fluence_watch.store import Store

THINGS, DAYS, KEPT = 1_000, 365, 90
_CONFIG = '[store]\nurl = "sqlite:///{store}"\n[[accounts]]\nname = "main"\napi_key = "k"\n'
_PRICE = 298_160
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Year:
    """The file in MB, and the CPU seconds of `costs`, by what it sums up."""

    megabytes: float
    seconds: dict[str, float]


def measure(things: int = THINGS, days: int = DAYS, repeats: int = 3) -> Year:
    """A store in which each VM was charged and topped up on each day; entries are kept for 90 days."""
    with TemporaryDirectory() as folder:
        path, config = Path(folder, "bench.db"), Path(folder, "config.toml")
        config.write_text(_CONFIG.format(store=path), "utf-8")
        with Store.open(f"sqlite:///{path}") as store:
            _fill(store, things, days)
        size = path.stat().st_size / 1e6
        return Year(size, {by.value: _least(config, by, days, repeats) for by in By})


def _fill(store: Store, things: int, days: int) -> None:
    """The days until today, a poll a day."""
    state, begin = AccountState(), datetime.now(UTC) - (days - 1) * _DAY
    for number in range(days):
        at = begin + number * _DAY
        after = _state(things, begin, at)
        change = Change.between(state, after, booking=Booking(list(_moved(things, at))))
        store.commit("main", change, version=number)
        store.prune_ledger(at - KEPT * _DAY)
        state = after


def _state(things: int, begin: datetime, at: datetime) -> AccountState:
    """The VMs after a day's charge, each with what is left of its reserve, and the balance."""
    spent = (at - begin) // _DAY
    known = {}
    for number in range(things):
        price = MicroUsdc(_PRICE + number)
        reserved, total = MicroUsdc(2 * price + spent), MicroUsdc(price * spent)
        vm = Vm(
            _id(number), f"vm-{number}", Status.ACTIVE, "ACTIVE", price, reserved, total, at + _DAY
        )
        known[vm.key] = KnownVm(vm, begin)
    return AccountState(known, last_poll_at=at, last_good_at=at, balance=MicroUsdc(10**12 - spent))


def _moved(things: int, at: datetime) -> Iterator[Entry]:
    for number in range(things):
        price = MicroUsdc(_PRICE + number)
        yield Entry(_id(number), EntryKind.CHARGE, price, at, at)
        yield Entry(_id(number), EntryKind.TOP_UP, price, at, at, Certainty.SPREAD)


def _id(number: int) -> str:
    return f"0x{number:040x}"


def _least(config: Path, by: By, days: int, repeats: int) -> float:
    first = (datetime.now(UTC) - days * _DAY).date()
    command = [sys.executable, "-m", "fluence_watch", "costs", "--config", str(config)]
    command += ["--since", f"{first}", "--by", by.value]
    return min(_seconds(command) for _ in range(repeats))


def _seconds(command: list[str]) -> float:
    begun = _cpu()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return _cpu() - begun


def _cpu() -> float:
    """CPU seconds of all processes that ended."""
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure a year and print it."""
    year = measure()
    console = Console(highlight=False)
    console.print(f"{THINGS:,} VMs, {DAYS} days: {year.megabytes:.1f} MB")
    for by, seconds in year.seconds.items():
        console.print(f"costs --by {by}: {seconds:.2f} s")


if __name__ == "__main__":
    main()

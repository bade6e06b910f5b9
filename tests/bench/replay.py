"""A replay of 90 days of 1,000 VMs, a poll a minute, against parsing as many lines of JSON."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import orjson

from fluence_watch.app.rehearsal.replay import replay
from fluence_watch.record.files import files_in
from fluence_watch.record.zstd import decompress
from fluence_watch.settings import WatchSettings
from tests.bench.record import ACCOUNT, write

BATCHES = 10
"""How many boundaries a day has: each VM is charged at one of them."""

_MOST_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Replays:
    """Seconds of a replay (wall, and CPU time), and of parsing the lines of its record with orjson."""

    days: int
    vms: int
    polls: int
    evaluated: int
    messages: int
    megabytes: float
    seconds: float
    cpu: float
    parsed: float

    @property
    def ratio(self) -> float:
        """How many times as long as the parsing."""
        return self.seconds / self.parsed


def measure(vms: int, days: int) -> Replays:
    """Record that many days, and replay them."""
    settings = WatchSettings.model_validate(
        {"accounts": [{"name": ACCOUNT}], "receivers": [{"name": "ops"}]}
    )
    with TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, vms, days, BATCHES)
        size = sum(each.path.stat().st_size for each in files_in(folder)) / 10**6
        begun, busy = perf_counter(), process_time()
        found = replay(settings, folder)
        seconds, cpu = perf_counter() - begun, process_time() - busy
        parsed = _parsed(folder)
    told = len(found.messages)
    return Replays(days, vms, found.polls, found.evaluated, told, size, seconds, cpu, parsed)


def _parsed(folder: Path) -> float:
    lines = [decompress(each.path.read_bytes()).splitlines() for each in files_in(folder)]
    begun = perf_counter()
    for day in lines:
        for line in day:
            orjson.loads(line)
    return perf_counter() - begun


def words(found: Replays) -> str:
    """What was measured, in a line."""
    within = "within" if found.seconds <= _MOST_SECONDS else "NOT within"
    return (
        f"replay: {found.polls:,} polls ({found.days} days of {found.vms:,} VMs, {found.megabytes:.1f} MB),"
        f" of which {found.evaluated:,} were evaluated, in {found.seconds:.1f} s"
        f" ({found.cpu:.1f} s of CPU time), {within} {_MOST_SECONDS} s; {found.messages} messages."
        f" orjson parses as many lines in {found.parsed:.2f} s: {found.ratio:.0f} x"
    )

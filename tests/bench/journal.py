"""What the journal costs: its share of a poll's decision and commit, and what its rows weigh."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from fluence_watch.alerting.conditions import conditions_after, entries_of
from fluence_watch.alerting.episodes import entries_of_alerts
from fluence_watch.alerting.state import AccountState, Change
from fluence_watch.app.decide import Decision, Policy, decide
from fluence_watch.app.wiring import prepare
from fluence_watch.fluence.dialects.elements import Memo
from fluence_watch.model.presence import Presence
from fluence_watch.model.snapshot import Snapshot, build_snapshot
from fluence_watch.store import Store
from tests.bench.fleet import moment
from tests.bench.stages import ACCOUNT, _read, settings
from tests.bench.timing import best, took


@dataclass(frozen=True, slots=True)
class Costs:
    """Milliseconds of the decision and the commit of an ordinary poll, and of the journal in them.

    `rows` are written by the first poll, which opens the alerts of a fleet, with `bytes_a_row`.
    """

    decide: float
    written: float
    commit: float
    commit_without: float
    rows: int
    bytes_a_row: float

    @property
    def share(self) -> float:
        """The share of the journal in the decision and the commit of an ordinary poll."""
        whole = self.decide + self.commit
        return (self.written + max(0.0, self.commit - self.commit_without)) / whole


def measure(files: Sequence[Path], repeats: int) -> Costs:
    """Of polls whose lists of VMs are in these files."""
    policy = prepare(settings()).policies[ACCOUNT]
    polls = [*_polls([file.read_bytes() for file in files], policy)]
    decides = [best(repeats, decide, before, seen, policy) for before, seen, _ in polls]
    written = [best(repeats, _written, *each, policy) for each in polls]
    runs = [_committed(polls, journal=True) for _ in range(repeats)]
    without = [_committed(polls, journal=False)[0] for _ in range(repeats)]
    return Costs(
        median(decides[1:]),
        median(written[1:]),
        min(run[0] for run in runs),
        min(without),
        runs[0][1],
        runs[0][2],
    )


def _polls(
    bodies: Sequence[bytes], policy: Policy
) -> Iterator[tuple[AccountState, Snapshot, Decision]]:
    state = AccountState()
    memo: Memo = {}
    for number, body in enumerate(bodies):
        listing, memo = _read(body, memo)
        snapshot = build_snapshot(ACCOUNT, moment(number), listing.vms, listing.rejected)
        decision = decide(state, snapshot, policy)
        yield state, snapshot, decision
        state = decision.after


def _written(before: AccountState, snapshot: Snapshot, decision: Decision, policy: Policy) -> int:
    """What the decision does for the journal alone."""
    after, verdict, presence = decision.after, decision.verdict, Presence()
    conditions = conditions_after(before.conditions, snapshot, presence, verdict)
    found = [
        *entries_of(ACCOUNT, before.conditions, conditions, snapshot, presence),
        *entries_of_alerts(
            before.alerts,
            after.alerts,
            decision.ended,
            verdict,
            snapshot.taken_at,
            settings=policy.written,
        ),
    ]
    return len(found)


def _committed(
    polls: Sequence[tuple[AccountState, Snapshot, Decision]], *, journal: bool
) -> tuple[float, int, float]:
    """Milliseconds of an ordinary commit, the rows of the first one, and what each weighs."""
    with TemporaryDirectory() as folder, Store.open(f"sqlite:///{folder}/bench.db") as store:
        times, rows, weight = list[float](), 0, 0.0
        for number, (before, _, decision) in enumerate(polls):
            entries = decision.entries if journal else ()
            change = Change.between(before, decision.after, decision.ended, entries=entries)
            times.append(took(lambda c, n: store.commit(ACCOUNT, c, version=n), change, number))
            if not number:
                rows, weight = _weight(Path(folder, "bench.db"))
    return median(times[1:]), rows, weight


def _weight(path: Path) -> tuple[int, float]:
    """The rows of the journal, and the bytes of each, its indexes included."""
    with closing(sqlite3.connect(path)) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM journal").fetchone()
        (size,) = connection.execute(
            "SELECT sum(pgsize) FROM dbstat WHERE name LIKE '%journal%'"
        ).fetchone()
    return rows, size / max(rows, 1)

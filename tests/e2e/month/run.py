"""The month: the clock goes on, things happen, polls succeed, fail and are killed."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from fluence_watch.model.note import NoteAction
from fluence_watch.simulator import PROFILES, SettableClock, create_app, running
from fluence_watch.store import Store
from tests.e2e.month.books import Books
from tests.e2e.month.fleet import DOWN, FLAKY, Account, accounts
from tests.e2e.month.referee import Verdict, judge, judge_metered
from tests.e2e.program import Program

BEGIN = datetime(2026, 4, 1, 20, 10, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SPACING = timedelta(hours=1)
KILLS = 10
EVENTS = 6
"""About how many things happen a day in each account."""
OUTAGES = {"api": 5 * HOUR, "watcher": 7 * HOUR}
REPEATED = 0.03
_SETTINGS = """\
[poll]
timeout = "400ms"
[store]
url = "sqlite:///{folder}/month.db"
[rules.ssh_key_drift]
enabled = false
"""
_ACCOUNT = """
[[accounts]]
name = "{0}"
api_key = "k"
dialect = "{0}"
base_url = "{1}"
gpu = {2}
"""


@dataclass
class Month:
    """A month, and what came of it."""

    random: Random
    clock: SettableClock
    portal: BlockingPortal
    books: list[Books]
    watcher: Program
    config: Path
    store_url: str
    days: int
    polls: int = 0
    kills: int = 0
    outages: int = 0
    happened: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    _kills_due: int = 0
    _estimated: set[date] = field(default_factory=set)

    def live(self) -> None:
        """All of it."""
        self.watcher.begin(self.config)
        self._poll_all()
        end, kill_at = BEGIN + self.days * DAY, self._moments(KILLS)
        api, pause = BEGIN + self.days * DAY / 3, BEGIN + self.days * DAY * 2 / 3
        while self.clock() < end:
            self._pass(self.clock() + SPACING * self.random.uniform(0.8, 1.2))
            if api and self.clock() >= api:
                api = self._api_fails()
            if pause and self.clock() >= pause:
                pause = self._watcher_pauses()
            while kill_at and self.clock() >= kill_at[0]:
                kill_at.pop(0)
                self._kills_due += 1
            self._poll()
            self._judge_estimates()
        self._pass(self.clock() + 2 * HOUR)
        self._poll_all()
        self.watcher.stop()

    def judge(self) -> None:
        """Let the referee compare."""
        with Store.open(self.store_url, exclusive=False) as store:
            judge(self.verdict, self.books, store)

    @property
    def requests(self) -> tuple[int, int]:
        """How many there were, and how many failed."""
        plans = [each.account.faults for each in self.books]
        return sum(each.requests for each in plans), sum(each.failed for each in plans)

    def _moments(self, number: int) -> list[datetime]:
        spans = sorted(self.random.uniform(0.02, 0.95) for _ in range(number))
        return [BEGIN + self.days * DAY * each for each in spans]

    def _pass(self, until: datetime) -> None:
        """Time goes on, and things happen."""
        share = (until - self.clock()) / DAY
        for books in self.books:
            if self.random.random() < share * EVENTS:
                at = self.clock() + (until - self.clock()) * self.random.random()
                self.portal.call(self._happen, books, at)
        self.clock.set(until)
        self.portal.call(self._advance)

    def _happen(self, books: Books, at: datetime) -> None:
        books.account.world.advance(at)
        books.account.happen()
        books.note(at)
        self.happened += 1

    def _advance(self) -> None:
        for books in self.books:
            books.account.world.advance(self.clock())

    def _poll(self) -> None:
        """Poll once, sometimes twice at the same time, or kill it meanwhile."""
        for _ in range(1 + (self.random.random() < REPEATED)):
            patience = self.watcher.taken * self.random.random() if self._kills_due else None
            listed = self.watcher.ask(self.clock(), patience)
            self.polls += 1
            if listed is None:
                self._kill()
            else:
                self._look(listed)

    def _poll_all(self) -> None:
        """Poll until everything was listed at the same time, with an API that does not fail."""
        self._flaky(on=False)
        self._poll()
        while {books.looks[-1:] == [(self.clock(), frozenset())] for books in self.books} != {True}:
            self._pass(self.clock() + MINUTE)
            self._poll()
        self._flaky(on=True)

    def _look(self, listed: Mapping[str, Any]) -> None:
        for books in self.books:
            if answer := listed.get(books.account.name):
                books.look(self.clock(), **answer)

    def _kill(self) -> None:
        self.watcher.kill()
        for books in self.books:
            books.kill(self.clock())
        self.kills, self._kills_due = self.kills + 1, self._kills_due - 1
        self.watcher.begin(self.config)

    def _api_fails(self) -> None:
        """All requests fail for hours."""
        self.outages += 1
        for books in self.books:
            books.account.faults.profile = DOWN
        until = self.clock() + OUTAGES["api"]
        while self.clock() < until:
            assert self.watcher.ask(self.clock()) == {}
            self._pass(self.clock() + SPACING)
        self._flaky(on=True)

    def _watcher_pauses(self) -> None:
        """The watcher does not run for hours."""
        self.outages += 1
        self.watcher.stop()
        self._pass(self.clock() + OUTAGES["watcher"] / 2)
        self._pass(self.clock() + OUTAGES["watcher"] / 2)
        self.watcher.begin(self.config)

    def _flaky(self, *, on: bool) -> None:
        for books in self.books:
            books.account.faults.profile = FLAKY if on else PROFILES["none"]

    def _judge_estimates(self) -> None:
        """Compare what is estimated of the day before, as long as the API has not told its charges."""
        now = self.clock()
        day = now.date() - DAY
        metered = [each for each in self.books if each.account.metered]
        last = min(each.looks[-1].at for each in metered)
        if day in self._estimated or last != now or not 1 <= now.hour < 6:
            return
        self._estimated.add(day)
        with Store.open(self.store_url, exclusive=False) as store:
            for books in metered:
                costs = store.costs(day, day, books.account.name)
                judge_metered(self.verdict, books, costs, day)


@contextmanager
def month(seed: int, days: int, folder: Path) -> Iterator[Month]:
    """A month that is ready to begin."""
    clock, fleet = SettableClock(BEGIN), accounts(seed, BEGIN)
    settings, url = folder / "month.toml", f"sqlite:///{folder}/month.db"
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())
        text = _SETTINGS.format(folder=folder)
        for each in fleet:
            app = create_app(each.world, clock, faults=each.faults, dialect=each.name)
            serving = portal.wrap_async_context_manager(running(app))
            text += _ACCOUNT.format(
                each.name, stack.enter_context(serving), str(each.metered).lower()
            )
            each.removed = _noting(each, url, clock)
        settings.write_text(text, encoding="utf-8")
        watcher = Program("tests.e2e.month.watcher")
        books = [Books(each) for each in fleet]
        yield Month(Random(seed), clock, portal, books, watcher, settings, url, days)


def _noting(account: Account, url: str, clock: SettableClock) -> Callable[[str], None]:
    """Leave the note that `vm rm` leaves."""

    def note(key: str) -> None:
        with Store.open(url, exclusive=False, notes=True) as store:
            store.leave_note(account.name, NoteAction.REMOVED, key, at=account.world.now)

    return note

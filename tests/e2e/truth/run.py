"""The run: the clock goes on, things happen, the daemon lives through them, and is killed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random

from anyio.from_thread import BlockingPortal, start_blocking_portal

from fluence_watch.model.note import NoteAction
from fluence_watch.simulator import SettableClock, create_app, running
from fluence_watch.store import Store
from tests.e2e.truth.bending import bending
from tests.e2e.truth.fleet import Account, Sight, accounts, noting
from tests.e2e.truth.happenings import Scene
from tests.e2e.truth.metered import daily, first
from tests.e2e.truth.people import People
from tests.e2e.truth.plan import DAY, HOUR, MINUTE, Plan, budgets
from tests.e2e.truth.post import Mail, PostOffice
from tests.e2e.truth.process import Answer, Watcher
from tests.e2e.truth.referee.answers import Answers
from tests.e2e.truth.referee.episodes import Episode
from tests.e2e.truth.referee.hearing import Hearing
from tests.e2e.truth.referee.judge import AccountJudge, Judge
from tests.e2e.truth.referee.verdict import Verdict

BEGIN = datetime(2026, 6, 1, 9, 58, tzinfo=UTC)  # a Monday
RETRY = 7 * MINUTE
"""A receiver that works again is tried within that time, and then at the next poll."""
DIALECTS = {"main": "v2", "shop": "v3", "lab": "cloud"}
CALM = 4 * HOUR
"""At the end nothing new happens."""


@dataclass
class Run:
    """A run, and what came of it."""

    random: Random
    clock: SettableClock
    portal: BlockingPortal
    plan: Plan
    accounts: list[Account]
    scene: Scene
    office: PostOffice
    watcher: Watcher
    verdict: Verdict
    people: People
    answers: Answers
    store_url: str
    end: datetime
    kills_at: list[datetime]
    outages: list[tuple[datetime, datetime, frozenset[str]]]
    polls: int = 0
    failed_polls: int = 0
    kills: int = 0
    hiccups: int = 0
    counted: int = 0
    messages: int = 0
    log: Callable[[Mail], None] = lambda _: None
    _answer: Answer = field(init=False)
    _back_at: dict[str, datetime] = field(default_factory=dict)
    _refused: set[str] = field(default_factory=set)

    def live(self, every_day: Callable[[datetime, list[str]], None] = lambda *_: None) -> None:
        """All of it. `every_day` is called with the time, and the faults until then."""
        self._start()
        day = self.clock().date()
        while self.clock() < self.end:
            self._go_on(max(self._answer.next_at, self.clock()))
            if self.clock().date() > day:
                day = self.clock().date()
                every_day(self.clock(), self.verdict.faults)
        self.watcher.stop()
        self.counted += self._answer.duplicates
        self.verdict.close()
        with Store.open(self.store_url, exclusive=False) as store:
            self.answers.compare(store, self.verdict.hearing)
        self.verdict.faults += self.answers.faults

    def _start(self) -> None:
        self._counted_before = 0
        self._answer = self.watcher.start(self.clock())
        self._tick(self.office.collected())

    def _go_on(self, at: datetime) -> None:
        """To the next moment at which the daemon does something."""
        self._events(at)
        self.portal.call(self._advance, at)
        self._interrupt(at)
        self.verdict.look_ahead(at)
        for account in self.accounts:
            account.wire.last.clear()
        self._failing = set(self.office.refused)
        if self.kills_at and at >= self.kills_at[0]:
            answer = self.watcher.live(at, self.watcher.seconds * 1.3 * self.random.random())
            if answer is None:
                self._kill(at)
                return
        else:
            answer = self.watcher.live(at)
        assert answer
        self._answer = answer
        self._observe(at, answer)
        self._tick(self.office.collected())

    def _observe(self, at: datetime, answer: Answer, *, killed: bool = False) -> None:
        """What was committed at that time."""
        turned: list[Episode] = []
        # the watcher looks at itself as polls begin, and keeps that if there is anything to keep
        if answer.looked == at or (answer.polled[self.accounts[0].name] == at and not killed):
            turned += self.verdict.judge.look(at, self._failing)
        for account in self.accounts:
            if answer.polled[account.name] == at:
                turned += self._poll(account, at, answer)
        for episode in turned:
            if episode.ends_at is None:
                touched = self._touched(episode)
                episode.due_since = min(episode.starts_at or at, touched + episode.found.hold)
                self.verdict.fires(episode)

    def _touched(self, episode: Episode) -> datetime:
        what = episode.what
        key = what.detail.split()[1] if what.rule == "ssh_key_drift" else what.subject
        for account in self.accounts:
            if account.name == what.account and what.rule != "billing_due":
                return account.touched.get(key, episode.active_at)
        return episode.active_at

    def _poll(self, account: Account, at: datetime, answer: Answer) -> list[Episode]:
        sight = account.sight(at)
        self.polls += 1
        self.failed_polls += sight.vms is None
        if (answer.good[account.name] == at) is (sight.vms is None):
            self.hiccups += 1
            assert sight.vms is not None, (account.name, at, sight.failure)
            sight = Sight(account.name, at, None, failure="unreachable")
        return self.verdict.judge.poll(sight, is_odd=account.name in answer.odd)

    def _tick(self, mail: list[Mail], *, sure: bool = True) -> None:
        """Let the referee compare what arrived; `sure`: the daemon lived through it."""
        now = self.clock()
        self.messages += len(mail)
        by_receiver: dict[str, list[object]] = {}
        for each in mail:
            self.log(each)
            by_receiver.setdefault(each.receiver, []).extend(each.lines)
        silent = {*self.office.down, *self._recovering(now, mail)}
        self.verdict.tick(now, by_receiver, silent, sure=sure)  # type: ignore[arg-type]
        self.people.hear(mail, self.verdict)

    def _recovering(self, now: datetime, mail: list[Mail]) -> Iterator[str]:
        """Receivers that work again, and have not been tried since."""
        for name in [
            name for name, at in self._back_at.items() if now - at > RETRY + self.plan.interval
        ]:
            del self._back_at[name]
        for each in mail:
            self._back_at.pop(each.receiver, None)
        yield from self._back_at

    # What interrupts it

    def _kill(self, at: datetime) -> None:
        """SIGKILL, somewhere in the middle; seven seconds later it begins anew."""
        self.watcher.kill()
        self.kills += 1
        self.kills_at.pop(0)
        self.counted += self._answer.duplicates
        self.verdict.doubtful.clear()
        self.office.catch_up()
        mail = self.office.collected()
        self.clock.set(at + timedelta(seconds=7))
        self._answer = self.watcher.start(self.clock())
        later = self.office.collected()
        self._observe(at, self._answer, killed=True)
        self.verdict.judge.restarted()
        self.clock.set(at)
        self._tick(mail, sure=False)
        self.clock.set(at + timedelta(seconds=7))
        self._tick(later)

    def _interrupt(self, at: datetime) -> None:
        """Outages of receivers begin and end; people do something."""
        for begin, end, names in self.outages:
            if begin <= at < end and not names <= self.office.down:
                self.office.down |= names
            if end <= at and names & self.office.down and at - end < 2 * self.plan.interval:
                self.office.down -= names
                self._back_at |= dict.fromkeys(names, at)
        self.people.act(at)

    def _events(self, until: datetime) -> None:
        """What begins between now and then."""
        calm = until > self.end - CALM
        for account in self.accounts:
            account.wire.calm |= until > self.end - HOUR
            share = (until - self.clock()) / DAY
            for what, often in () if calm else daily(account).items():
                if self.random.random() < share * often:
                    at = self.clock() + (until - self.clock()) * self.random.random()
                    self.scene.begin(at, account, what)

    async def _advance(self, at: datetime) -> None:
        self.scene.play(at)
        self.clock.set(at)

    @property
    def requests(self) -> tuple[int, int]:
        """How many there were, and how many failed."""
        wires = [each.wire for each in self.accounts]
        return sum(each.requests for each in wires), sum(each.failed for each in wires)


@contextmanager
def prepared(
    seed: int, days: float, folder: Path, *, interval: timedelta = 5 * MINUTE, vms: int = 100,
    kills: int = 10, outages: int = 3,
) -> Iterator[Run]:  # fmt: skip
    """A run that is ready to begin."""
    random, clock = Random(seed), SettableClock(BEGIN)
    fleet = accounts(seed, BEGIN, DIALECTS, vms)
    burn = {each.name: each.burn / 10**6 for each in fleet}
    plan = Plan(
        interval, DIALECTS, budgets=budgets(burn, days), bill_days=2 if days > 4 else 1,
        anomaly_days=max(1, min(7, int(days / 2.5))),
    )  # fmt: skip
    office, url = PostOffice(clock), f"sqlite:///{folder}/truth.db"
    end = BEGIN + days * DAY
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())

        def served(app: object) -> str:
            made = portal.wrap_async_context_manager(running(app))  # type: ignore[arg-type]
            return stack.enter_context(made)

        urls = {
            each.name: served(
                bending(
                    noting(create_app(each.world, clock, faults=each.wire, dialect=each.dialect)),
                    f"/vms/{each.dialect}",
                    each.bent,
                )
            )
            for each in fleet
        }
        office.url = served(office.app())
        post = office.url.removeprefix("http://")
        settings = folder / "truth.toml"
        settings.write_text(plan.toml(folder, urls, post), encoding="utf-8")
        hearing = Hearing(plan)
        judges = {each.name: AccountJudge(plan, each.dialect == "v3") for each in fleet}
        for each in fleet:
            each.removed = judges[each.name].memory.removed
        judge = Judge(plan, hearing, judges)
        hearing.missing, answers = judge.is_missing, Answers(plan)
        hearing.settled = partial(answers.settled, hearing)
        scene = Scene(fleet, _noting(url))
        for its, what in [(each, what) for each in fleet for what in daily(each)]:
            scene.begin(BEGIN + random.uniform(*first(what)) * days * DAY, its, what)
        watcher = Watcher(settings)
        stack.callback(watcher.kill)
        yield Run(
            random, clock, portal, plan, fleet, scene, office,
            watcher, Verdict(plan, judge, hearing), People(Random(seed), url, hearing), answers, url,
            end, _moments(random, kills, end), _outages(random, outages, end),
        )  # fmt: skip


def _moments(random: Random, number: int, end: datetime) -> list[datetime]:
    span = end - BEGIN
    return sorted(BEGIN + span * random.uniform(0.05, 0.9) for _ in range(number))


def _outages(
    random: Random, number: int, end: datetime
) -> list[tuple[datetime, datetime, frozenset[str]]]:
    names = (frozenset({"ops"}), frozenset({"pager", "duty"}), frozenset({"office", "ops", "boss"}))
    begins = _moments(random, number, end)
    lasts = [random.uniform(0.3, 7) * HOUR for _ in begins]
    return [
        (begin, begin + last, names[number % len(names)])
        for number, (begin, last) in enumerate(zip(begins, lasts, strict=True))
    ]


def _noting(url: str) -> Callable[[Account, str], None]:
    """Leave the note that `vm rm` leaves."""

    def note(account: Account, key: str) -> None:
        with Store.open(url, exclusive=False, notes=True) as store:
            store.leave_note(account.name, NoteAction.REMOVED, key, at=account.world.now)
        account.removed.add(key)

    return note

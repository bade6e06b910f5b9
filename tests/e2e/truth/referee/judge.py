"""What is true at each poll: it takes what the simulator did, and says what begins and ends."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from fluence_watch.simulator.machine import State
from tests.e2e.truth.fleet import Sight
from tests.e2e.truth.plan import DAY, MINUTE, Plan
from tests.e2e.truth.referee import conditions
from tests.e2e.truth.referee.bill import Bills
from tests.e2e.truth.referee.books import Books
from tests.e2e.truth.referee.budgets import absent_budget, budgets_at
from tests.e2e.truth.referee.conditions import Look
from tests.e2e.truth.referee.episodes import End, Episode, Found, Problems, What
from tests.e2e.truth.referee.hearing import WATCHER, Hearing
from tests.e2e.truth.referee.known import Memory, Seen
from tests.e2e.truth.referee.lines import Silence, Why
from tests.e2e.truth.referee.metered import Wallet
from tests.e2e.truth.referee.spending import Spending


@dataclass
class AccountJudge:
    """One account."""

    plan: Plan
    has_words: bool
    memory: Memory = field(default_factory=Memory)
    problems: Problems = field(default_factory=Problems)
    wallet: Wallet = field(init=False)
    books: Books = field(init=False)

    def __post_init__(self) -> None:
        self.wallet = Wallet(Bills(self.plan.bill_days))
        self.books = Books(self.plan.budgets, Spending(self.plan.anomaly_days))

    def poll(self, sight: Sight, *, is_odd: bool = False) -> list[Episode]:
        """What this poll begins and ends. `is_odd` is what the watcher says where the manual leaves it open."""
        failing = list(conditions.poll_failing(sight))
        if failing:
            return self.problems.observe(sight.at, failing, self._unknown)
        sight = self.memory.as_known(sight)
        self.memory.see(sight)
        spending = self.books.spending
        spending.judge(sight.at)
        self.books.see(sight)
        look = Look(self.plan, sight, self.memory, self.problems, self.has_words)
        self._look = look
        found = [*conditions.at_poll(look).values()]
        if spending.is_odd or (spending.is_odd is None and is_odd):
            found.append(Found(look.what("spend_anomaly", ""), "warning"))
        if sight.metered:
            self.wallet.see(sight)
            found += self.wallet.found(self.problems)
        return self.problems.observe(sight.at, found, self._absent)

    def is_missing(self, episode: Episode) -> bool:
        """Whether it is about something that is in no list: that is not repeated."""
        seen = self.memory.vms.get(episode.what.subject)
        return episode.what.subject == "fleet" or bool(seen and seen.missing_since)

    @staticmethod
    def _unknown(_: What) -> End | None:
        """A poll that fails ends nothing."""
        return None

    def _absent(self, what: What) -> End | None:
        """How a problem ends that this poll does not find."""
        if what.rule == "poll_failing":
            return End.TOLD
        if what.rule == "spend_anomaly":
            return self.books.spending.absent()
        if what.subject == "fleet":
            return self._fleet(what)
        if self._look.sight.metered and (":" in what.subject or not what.subject):
            return self.wallet.absent(what)
        return self._of_vm(what)

    def _of_vm(self, what: What) -> End | None:
        """How a problem of a VM ends."""
        if what.subject in self._look.sight.unread:  # it is in the list: that is all that is known
            return End.TOLD if what.rule == "vm_vanished" else None
        if what.subject in self._look.sight.bent and what.rule in conditions.OF_MONEY:
            return None
        seen = self.memory.vms.get(what.subject)
        return self._gone(what) if seen is None or seen.missing_since else self._listed(what, seen)

    def _listed(self, what: What, seen: Seen) -> End | None:
        """How a problem of a VM ends that is in the list."""
        if conditions.replaced(self._look, what, self._replacing(what)):
            return None
        if what.rule == "vm_status" and self._look.word(seen.now) == "out of funds":
            return None
        return End.TOLD if self._still_concerns(what) else End.QUIET

    def _gone(self, what: What) -> End | None:
        """How a problem ends of a VM that is missing, or forgotten."""
        seen = self.memory.vms.get(what.subject)
        unsure = {key for keys in self.memory.doubted().values() for key in keys}
        if seen is not None and (not seen.is_lost or what.subject in unsure):
            return None
        return End.QUIET

    def _fleet(self, what: What) -> End | None:
        """Quietly if all of it is gone after all; not if some of it is back."""
        since = datetime.fromisoformat(what.detail)
        gone = [s for s in self.memory.vms.values() if s.missing_since == since]
        return End.QUIET if len(gone) >= self.memory.fleets[since] else End.TOLD

    def _replacing(self, what: What) -> Mapping[What, Found]:
        other = self._look.what("topup_failed", what.subject)
        found = {each.what: each for each in conditions.topup_failed(self._look)}
        return {other: found[other]} if other in found else {}

    def _still_concerns(self, what: What) -> bool:
        """Whether the rule can still be true of the VM: not of one that has ended."""
        machine = self.memory.vms[what.subject].now
        return machine.state is not State.TERMINATED or what.rule in {"vm_vanished", "locked_funds"}


@dataclass
class Judge:
    """All accounts, and the watcher itself."""

    plan: Plan
    hearing: Hearing
    accounts: dict[str, AccountJudge]
    own: Problems = field(default_factory=Problems)

    def poll(self, sight: Sight, *, is_odd: bool = False) -> list[Episode]:
        """A poll that was committed."""
        return self._turned(self.accounts[sight.account].poll(sight, is_odd=is_odd))

    def look(self, at: datetime, failing: Collection[str]) -> list[Episode]:
        """The watcher's own look: which receivers fail, which silences end soon."""
        found = [
            Found(What(WATCHER, "delivery_failing", name), "critical", hold=15 * MINUTE)
            for name in failing
        ]
        found += [each for s in self.hearing.silences.values() if (each := self._ending(s, at))]
        books = {name: each.books for name, each in self.accounts.items()}
        found += budgets_at(self.plan.budgets, books, at, self.own)
        return self._turned(self.own.observe(at, found, partial(self._absent, at)))

    def restarted(self) -> None:
        """The watcher begins anew: what it remembers of lists alone is gone."""
        for each in self.accounts.values():
            each.books.rented = None

    @staticmethod
    def _absent(at: datetime, what: What) -> End | None:
        if what.rule == "budget":
            return absent_budget(at, what)
        return End.QUIET if what.rule == "silence_ending" else End.TOLD

    def _ending(self, silence: Silence, at: datetime) -> Found | None:
        """A silence of more than a day that ends within one, and hides what is critical."""
        what = What(WATCHER, "silence_ending", "silence", silence.id)
        is_long = silence.ends_at - silence.starts_at > DAY
        if not (is_long and silence.starts_at < at < silence.ends_at <= at + DAY):
            return None
        told = what in self.own.open
        if not told and not any(self._hides(silence, each) for each in self._critical()):
            return None
        return Found(what, "warning", until=silence.ends_at, quiet=True)

    def _critical(self) -> list[Episode]:
        every = (e for of in self.hearing.episodes.values() for e in of)
        return [e for e in every if e.rank == 2 and e.ends_at is None]

    def _hides(self, silence: Silence, episode: Episode) -> bool:
        if not self.hearing._silences(silence, episode):
            return False
        others = {name: s for name, s in self.hearing.silences.items() if name != silence.id}
        kept, self.hearing.silences = self.hearing.silences, others
        why = self.hearing.muted(episode, silence.ends_at)
        self.hearing.silences = kept
        return why in {None, Why.ACKNOWLEDGED}

    def _turned(self, turned: list[Episode]) -> list[Episode]:
        for each in turned:
            if each.ends_at is None:
                self.hearing.add(each)
        return turned

    def is_missing(self, episode: Episode) -> bool:
        """Whether it is about something that is missing."""
        judge = self.accounts.get(episode.what.account)
        return judge is not None and judge.is_missing(episode)

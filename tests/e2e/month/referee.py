"""The ledger against the books, to the micro-USDC: what it may not know must be marked, and nothing else."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import accumulate, groupby, pairwise, product
from typing import NamedTuple

from fluence_watch.model.ledger import Certainty, Cost, Entry, EntryKind
from fluence_watch.simulator.journal import Paid
from fluence_watch.store import Store
from tests.e2e.month.books import Books, Sighting

SPENT = {EntryKind.CHARGE, EntryKind.OPENING, EntryKind.ADJUSTMENT}
ROUNDING = 13
"""An hour's price is known to the micro-USDC: half of one in each of 24 hours, and one for the day."""
EVER = date(2020, 1, 1), date(2040, 1, 1)


class Row(NamedTuple):
    """What was compared of a kind in an account: how many things, and days by their outcome."""

    account: str
    kind: str
    things: int
    days: Mapping[str, int]


@dataclass
class Verdict:
    """What a referee found. `faults` are sentences; there should be none."""

    faults: list[str] = field(default_factory=list)
    things: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    days: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    @property
    def rows(self) -> Iterator[Row]:
        """The table."""
        for (account, kind), things in sorted(self.things.items()):
            yield Row(account, kind, len(things), self.days[account, kind])

    def count(self, account: str, key: str, outcome: str) -> None:
        """One more day of a thing."""
        kind = key.partition(":")[0] if ":" in key else "vm"
        self.things[account, kind].add(key)
        self.days[account, kind][outcome] += 1

    def blame(self, books: Books, key: str, what: str) -> None:
        """Something is wrong."""
        self.faults.append(f"{books.account.name} {key}: {what}")


def judge(verdict: Verdict, every: Iterable[Books], store: Store) -> None:
    """Compare the whole ledger with the books of all accounts."""
    for books in every:
        name = books.account.name
        costs = store.costs(*EVER, name)
        days: dict[str, dict[date, Cost]] = defaultdict(dict)
        for cost in costs:
            days[cost.key][cost.day] = cost
        paid = books.paid()
        for key in sorted(paid if books.account.metered else paid.keys() | books.opening.keys()):
            entries = store.entries(name, key)
            _Prepaid(verdict, books, key, paid.get(key, []), entries, days[key]).judge()
        if books.account.metered:
            judge_metered(verdict, books, costs)


@dataclass
class _Prepaid:
    """A VM or a GPU instance that is charged at boundaries."""

    verdict: Verdict
    books: Books
    key: str
    paid: Sequence[Paid]
    entries: Sequence[Entry]
    days: Mapping[date, Cost]

    def judge(self) -> None:
        """Compare everything."""
        self._sums()
        self._exact()
        self._reserve()
        self._days()

    @property
    def _spent(self) -> list[Entry]:
        return sorted((e for e in self.entries if e.kind in SPENT), key=lambda e: e.seen_at)

    @property
    def _last(self) -> Sequence[Sighting]:
        """The last poll that listed it, and those after it that perhaps did."""
        sightings = self.books.sightings[self.key]
        sure = [index for index, each in enumerate(sightings) if each.sure]
        return sightings[sure[-1] if sure else 0 :]

    @property
    def _first(self) -> Sequence[Sighting]:
        sightings = self.books.sightings[self.key]
        sure = [index for index, each in enumerate(sightings) if each.sure]
        return sightings[: sure[0] + 1 if sure else None]

    def _total(self, at: datetime) -> int:
        """What it had spent then."""
        charges = sum(each.amount for each in self.paid if each.at <= at)
        return self.books.opening.get(self.key, 0) + charges

    def _sums(self) -> None:
        """After each poll that saw a charge, the entries sum up to what was spent; so they do at the end."""
        seen = {each.at for each in self.books.sightings[self.key]}
        polls = [(at, list(some)) for at, some in groupby(self._spent, key=lambda e: e.seen_at)]
        sums = list(accumulate(sum(e.amount for e in some) for _, some in polls))
        for (at, _), total in zip(polls, sums, strict=True):
            if at not in seen or total != self._total(at):
                self._blame(f"{total} at {at}, {self._total(at)} was spent")
        most = {self._total(each.at) for each in self._last}
        if not any(each.sure for each in self._last):
            most.add(0)
        if (sums[-1] if sums else 0) not in most:
            self._blame(f"{sums[-1:]} in all, {most} was spent")
        for entry in self._spent:
            if entry.kind is EntryKind.OPENING and not self._total(self.books.looks[0].at):
                self._blame(f"{entry} though it began after the ledger")

    def _exact(self) -> None:
        """What is called exact is a charge of the journal, at its second."""
        known = {_second(each.at): each.amount for each in self.paid}
        told = [e for e in self._spent if e.certainty is Certainty.EXACT]
        wrong = [e for e in told if known.pop(_second(e.at), None) != e.amount]
        if wrong:
            self._blame(f"not exact: {wrong}")

    def _reserve(self) -> None:
        """Top-ups and releases, with the charges, are what moved in the reserve."""
        moves = {
            (end, first.at, self._moved(first.at))
            for first, last in product(self._first, self._last)
            for end in (last.reserved - first.reserved, -first.reserved)
        }
        if self.entries and not any(end == moved for end, _, moved in moves):
            self._blame(f"the reserve moved by one of {moves}")

    def _moved(self, since: datetime) -> int:
        """By how much the reserve rose after that poll, as the ledger has it."""
        later = [e for e in self.entries if e.seen_at > since]
        return sum(e.amount if e.kind is EntryKind.TOP_UP else -e.amount for e in later)

    def _days(self) -> None:
        """Each day has what was charged on it, or is marked; marked is only what no poll could see."""
        since = self.books.looks[0].at
        until = max((e.seen_at for e in self._spent), default=since)
        charged = Counter[date]()
        for each in self.paid:
            if since < each.at <= until:
                charged[each.at.date()] += each.amount
        unclear = {each.at.date() for each in self._unclear()}
        for day in charged.keys() | self.days.keys():
            cost = self.days.get(day)
            certainty = cost.certainty if cost else Certainty.EXACT
            found = cost.amount if cost else 0
            is_off = found != charged[day] and certainty is not Certainty.SPREAD
            if is_off:
                self._blame(f"{found} {certainty} on {day}, {charged[day]} was charged")
            elif certainty is not Certainty.EXACT and charged[day] and day not in unclear:
                self._blame(f"{certainty} on {day}, though polls could see what was charged")
            outcome = "off" if is_off else certainty.value
            self.verdict.count(self.books.account.name, self.key, outcome)

    def _unclear(self) -> Iterator[Paid]:
        """The charges whose times or amounts no poll could tell, for it saw others at the same time."""
        sightings = [each for each in self.books.sightings[self.key] if each.sure]
        for before, after in pairwise([None, *sightings, None]):
            some = [
                each
                for each in self.paid
                if (before is None or each.at > before.at)
                and (after is None or each.at <= after.at)
            ]
            prices = {each.price for each in (before, after) if each}
            amounts = {each.amount for each in some}
            if after is None or after.price is None or len(amounts) > 1 or not amounts <= prices:
                yield from some

    def _blame(self, what: str) -> None:
        self.verdict.blame(self.books, self.key, what)


def judge_metered(
    verdict: Verdict, books: Books, costs: Iterable[Cost], only: date | None = None
) -> None:
    """What is charged per second, each day: as the API charges it once that is told, else as estimated."""
    found = {(c.key, c.day): c for c in costs if not c.kind.startswith("gpu")}
    settled = {day for (_, day), cost in found.items() if cost.certainty is Certainty.EXACT}
    charged = books.metered()
    for key, day in charged.keys() | found.keys():
        if only not in {None, day}:
            continue
        units, ticks = charged.get((key, day), (0, 1))
        cost = found.get((key, day))
        amount, outcome = cost.amount if cost else 0, "estimated"
        if day in settled:
            right, outcome = amount == _billed(units, ticks), "exact"
        else:
            kind = key.partition(":")[0] if ":" in key else "vm"
            right = abs(amount - units / ticks) <= ROUNDING + books.unsure(key, kind, day)
        if not right:
            verdict.blame(books, key, f"{amount} {outcome} on {day}, {units / ticks} was charged")
        verdict.count(books.account.name, key, outcome if right else "off")


def _billed(units: int, ticks: int) -> int:
    """What the API names of it: ten decimals, cut; and that to the nearest micro-USDC."""
    return round(Decimal(units * 10**4 // ticks) / 10**4)


def _second(at: datetime) -> datetime:
    return at.replace(microsecond=0)

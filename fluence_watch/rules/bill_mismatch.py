"""What the API charged differs from what everything should have cost, several days in a row.

The rule concerns APIs that charge per second and report charges by day. Only days that were watched
to the second are compared, six hours after their end (see `model/bill.py`), and only the charges for
VMs, disks and public IPs: others, such as those for networks, are named and not judged.

    each of the last `days` days     verdict
    all differ                       the bill is wrong, or something is not watched
    one does not                     over
    one was not watched, or its charges are unknown, and none agrees    unknown
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from pydantic import Field

from fluence_watch.model.bill import NOTHING, WATCHED, Bill, bill_of
from fluence_watch.model.charge import OTHER, SETTLES_IN, Charge, last_settled, words_of
from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity
from fluence_watch.model.horizon import Horizon
from fluence_watch.model.money import MicroUsdc, is_more_than
from fluence_watch.rules.base import Judgement, Level, Need, Rule, RuleSettings, Usdc
from fluence_watch.rules.situation import Situation

NAME = "bill_mismatch"
_UNKNOWN = Judgement(unknown=frozenset({""}))
_NAMED = 3
_HOURS_A_DAY = 24
_LEAST = MicroUsdc(1_000)  # of a resource and a day: less is the rounding of many seconds


class BillMismatchSettings(RuleSettings):
    """How much a bill may differ."""

    severity: Level = Severity.WARNING
    min_percent: Decimal = Field(
        default=Decimal(1), ge=0, le=1000, description="percent of a day's cost that it must exceed"
    )
    min_usdc: Usdc = Field(
        default=MicroUsdc(100_000),
        validate_default=False,  # it is micro-USDC already
        description="USDC a day that it must exceed as well",
    )
    days: int = Field(default=2, ge=1, le=7, description="whole days (UTC) in a row")


@dataclass(frozen=True, slots=True)
class KindBill:
    """What the resources of a kind were charged on a day, and should have been, in micro-USDC.

    `high` is `None` if nothing of the kind is watched.
    """

    kind: str
    charged: MicroUsdc
    low: MicroUsdc
    high: MicroUsdc | None

    @property
    def words(self) -> str:
        """The kind in words: `disks`."""
        return words_of(self.kind)[1]


@dataclass(frozen=True, slots=True)
class Charged:
    """A resource whose charge is not its price times its hours, or that is in no list any more.

    `at_price` is what those hours cost at its price, `None` if its price or the resource is unknown.
    """

    kind: str
    resource_id: str
    name: str | None
    hours: Decimal
    charged: MicroUsdc
    at_price: MicroUsdc | None

    @property
    def word(self) -> str:
        """The kind in words: `disk`."""
        return words_of(self.kind)[0]


@dataclass(frozen=True, slots=True)
class BillMismatch:
    """The latest day that differs, and by how much each of the days does, in micro-USDC.

    `miss` is above zero if too much was charged.
    """

    day: date
    charged: MicroUsdc
    low: MicroUsdc
    high: MicroUsdc
    miss: MicroUsdc
    days: int
    kinds: tuple[KindBill, ...]
    odd: tuple[Charged, ...] = ()


def judge(situation: Situation, settings: BillMismatchSettings) -> Judgement:
    """Compare the last days. See the table above."""
    snapshot = situation.snapshot
    if snapshot is None or situation.billing.prepaid:
        return Judgement()
    bills = _bills(situation, snapshot.charges, settings.days)
    known = [bill for bill in bills if bill.is_known]
    if any(not _differs(bill, settings) for bill in known):
        return Judgement()
    if len(known) < len(bills):
        return _UNKNOWN
    facts = _facts(situation, bills)
    return Judgement([Finding(Fingerprint(situation.account, NAME), settings.severity, facts)])


def _bills(situation: Situation, charges: Sequence[Charge] | None, days: int) -> list[Bill]:
    """The bill of each day, the latest one last."""
    last = last_settled(situation.now)
    wanted = [last - timedelta(days=age) for age in range(days - 1, -1, -1)]
    return [bill_of(day, situation.costs, charges) for day in wanted]


def _differs(bill: Bill, settings: BillMismatchSettings) -> bool:
    miss = abs(bill.miss)
    bound = bill.total.high if bill.miss > 0 else bill.total.low
    return miss > settings.min_usdc and is_more_than(miss, settings.min_percent, bound)


def _facts(situation: Situation, bills: Sequence[Bill]) -> BillMismatch:
    last, day = bills[-1], last_settled(situation.now)
    charges = situation.snapshot.charges if situation.snapshot else None
    return BillMismatch(
        day=day,
        charged=last.sum,
        low=last.total.low,
        high=last.total.high,
        miss=last.miss,
        days=len(bills),
        kinds=tuple(_kinds(last)),
        odd=tuple(_odd(situation, [each for each in charges or () if each.day == day])[:_NAMED]),
    )


def _kinds(bill: Bill) -> Iterator[KindBill]:
    charged, expected = bill.charged or {}, bill.expected or {}
    for kind in sorted(WATCHED):
        yield KindBill(kind, charged.get(kind, MicroUsdc(0)), *expected.get(kind, NOTHING))
    other = MicroUsdc(sum(charged.values()) - bill.sum)
    if other:
        yield KindBill(OTHER, other, MicroUsdc(0), None)


def _odd(situation: Situation, charges: Sequence[Charge]) -> list[Charged]:
    """The resources whose charge is not their price times their hours, the worst first.

    What is not known any more comes last: it may have been deleted since.
    """
    prices = _prices(situation)
    odd = [each for charge in charges if (each := _charged(charge, prices)) is not None]
    return sorted(odd, key=_by_badness)


def _by_badness(each: Charged) -> tuple[bool, int]:
    off = each.charged - (each.at_price or 0)
    return each.at_price is None and each.hours <= _HOURS_A_DAY, -abs(off)


def _charged(charge: Charge, prices: Mapping[str, MicroUsdc | None]) -> Charged | None:
    price = prices.get(charge.key or "")
    at_price = None if price is None else MicroUsdc(round(price * charge.hours))
    if charge.kind not in WATCHED or abs(charge.cost - (at_price or 0)) < _LEAST:
        return None
    name, kind = charge.resource_id or "unknown", charge.kind
    return Charged(kind, name, charge.name, charge.hours, charge.cost, at_price)


def _prices(situation: Situation) -> Mapping[str, MicroUsdc | None]:
    """The price of an hour of everything that is known, by key."""
    rented = {key: each.resource.price for key, each in situation.resources.items()}
    return {key: each.last_known.price for key, each in situation.known.items()} | rented


def holds_until(situation: Situation, _settings: BillMismatchSettings) -> Horizon:
    """Until the charges of another day are settled, where days are compared at all."""
    if situation.billing.prepaid:
        return None
    tomorrow = last_settled(situation.now) + timedelta(days=2)
    return datetime.combine(tomorrow, time(), UTC) + SETTLES_IN


RULE = Rule(
    NAME,
    BillMismatchSettings,
    (BillMismatch,),
    judge,
    needs=frozenset({Need.CHARGES}),
    impact=Impact.COST,
    holds_until=holds_until,
)

"""What a digest says, as data: what was spent, what changed, what is due, what to delete. Pure.

Amounts are micro-USDC, days are UTC. A section that has nothing to say is `None`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum, auto
from typing import NamedTuple

from fluence_watch.model.budget import BudgetState
from fluence_watch.model.charge import VM, words_of
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.model.money import MicroUsdc, Sum

_DAY = timedelta(days=1)


class Period(NamedTuple):
    """Whole days, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many there are."""
        return (self.last - self.first).days + 1

    @property
    def before(self) -> "Period":
        """As many days before it."""
        return Period(self.first - self.days * _DAY, self.first - _DAY)


class ThingCost(NamedTuple):
    """What a thing cost in a period, and how much of that is estimated."""

    account: str
    key: str
    kind: str
    name: str | None
    amount: MicroUsdc
    estimated: MicroUsdc


class Thing(NamedTuple):
    """A VM, a disk, or whatever else costs money."""

    account: str
    kind: str
    id: str
    name: str | None

    @property
    def word(self) -> str:
        """What it is, if that has to be said: `disk`."""
        return "" if self.kind == VM else words_of(self.kind)[0]


class Share(NamedTuple):
    """A part of what was spent, and what the same was in the period before, if that is known."""

    of: Thing
    amount: MicroUsdc
    before: MicroUsdc | None = None

    @property
    def rise(self) -> MicroUsdc:
        """How much more it is than before."""
        return MicroUsdc(self.amount - (self.before or 0))


class Begin(NamedTuple):
    """The first day that the ledger has of an account, and only a part of it."""

    account: str
    day: date


class AccountShare(NamedTuple):
    """What an account spent, now and before; `None` where the ledger does not reach back.

    `since` is from when on, if not in the whole period.
    """

    account: str
    amount: MicroUsdc | None
    before: MicroUsdc | None
    since: date | None = None


class DaySpend(NamedTuple):
    """What a day cost, `None` if it is from before the ledger. `is_whole`: of all accounts."""

    day: date
    amount: MicroUsdc | None
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent in the period.

    `before` is `None` where the ledger does not reach back, `forecast` (to the month's end) where an
    account was not polled this month. `month_begin` is where the ledger begins, if that is within this
    month: then both are at least so much. `others` things are not among the `top`, and cost `rest`.
    """

    total: MicroUsdc
    before: MicroUsdc | None
    estimated: MicroUsdc
    top: Sequence[Share]
    others: int
    rest: MicroUsdc
    accounts: Sequence[AccountShare]
    month: MicroUsdc
    forecast: Sum | None
    days: Sequence[DaySpend]
    month_begin: Begin | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """What is new or gone against the period before, and what rose and fell most."""

    new: Sequence[Share]
    gone: Sequence[Share]
    rises: Sequence[Share]
    falls: Sequence[Share]


class Funded(NamedTuple):
    """Until when something is paid for. `is_refilled`: its account has topped it up so far."""

    of: Thing
    until: datetime
    is_refilled: bool


class Runway(NamedTuple):
    """Until when an account's balance pays for all that it rents."""

    account: str
    until: datetime


class Owed(NamedTuple):
    """What an account owes, and when unpaid things are removed at the latest, if any are left."""

    account: str
    amount: MicroUsdc
    vms_at: datetime | None
    disks_at: datetime | None


class FailedTopUp(NamedTuple):
    """A VM whose reserve was not refilled after a charge, and does not pay the next one."""

    of: Thing
    since: datetime
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Ahead:
    """What comes until the next digest at `until`, and how long the money lasts.

    `charges` cost `amount`, without those of VMs that have `failed`; `unpriced` of them have an unknown
    price. Of `undated` prepaid things the next charge is unknown. `metered` is what is paid by the second meanwhile. `funded` has the soonest
    first, of what can run out.
    """

    until: datetime
    charges: int
    unpriced: int
    amount: MicroUsdc
    first: datetime | None
    metered: Sum
    failed: Sequence[FailedTopUp]
    funded: Sequence[Funded]
    runways: Sequence[Runway]
    undated: int = 0
    owed: Sequence[Owed] = ()


@dataclass(frozen=True, slots=True)
class AlertLine:
    """An alert that fired. `ends_at` is `None` while it fires, and for an event."""

    fingerprint: Fingerprint
    severity: Severity
    facts: object
    starts_at: datetime
    ends_at: datetime | None


class RuleCount(NamedTuple):
    """How many alerts of a rule fired and ended."""

    rule: str
    number: int


@dataclass(frozen=True, slots=True)
class Fired:
    """The alerts that fire still, and those that ended: each of them, worst first, and by rule."""

    firing: Sequence[AlertLine]
    ended: Sequence[AlertLine]
    counts: Sequence[RuleCount]


class Why(Enum):
    """Why something may be deleted."""

    IDLE = auto()
    LOCKED = auto()
    STOPPED = auto()
    DEAR = auto()


class Saving(NamedTuple):
    """What saves money: in 30 days, or, of a VM that has ended, at once. `None` is unknown.

    `command` deletes it; there is none for what is only cheaper elsewhere.
    """

    of: Thing
    why: Why
    amount: MicroUsdc | None
    command: str | None


class Stale(NamedTuple):
    """An account whose polls fail: what is known of it is from `at`, `None` if nothing is."""

    account: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Digest:
    """All that a digest says, about these accounts. It was due at `slot`.

    `begins` is where the ledger of accounts begins that does not have all of the period and of the one
    before, the latest first. `budgets` are those of its accounts alone, the most spent first.
    """

    accounts: Sequence[str]
    slot: datetime
    is_late: bool
    period: Period
    stale: Sequence[Stale]
    spent: Spent | None
    changed: Changed | None
    ahead: Ahead | None
    fired: Fired | None
    savings: Sequence[Saving]
    begins: Sequence[Begin] = ()
    budgets: Sequence[BudgetState] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it has nothing to say."""
        said = self.spent or self.changed or self.ahead or self.fired or self.savings
        return not (said or self.begins or self.budgets)

    @property
    def is_partial(self) -> bool:
        """Whether the ledger does not have all of the period."""
        return any(each.day >= self.period.first for each in self.begins)

    @property
    def firing(self) -> int:
        """How many alerts fire."""
        return len(self.fired.firing) if self.fired else 0

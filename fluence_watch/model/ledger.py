"""What each poll shows of money that moved: charges, top-ups, releases. Pure.

Polls are not boundaries: one poll may see several charges, and a gap of hours may hide some. So an
entry says how sure its time is, and never more than the API's own totals show. The charges, the
opening and the adjustments of a thing always add up to what the API says that it has spent.

Where the API tells no total, as in a metered account, a charge is computed from the price and the
time: it is *estimated*.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol

from fluence_watch.model.billing import HOURS, METERED, Billing
from fluence_watch.model.boundaries import MOST_BOUNDARIES, passed
from fluence_watch.model.charge import id_in
from fluence_watch.model.duration import by_day, hour_of
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.reserve import Reserved

_TICK = timedelta(microseconds=1)
_TICKS_AN_HOUR = METERED.price_is_for // _TICK


class EntryKind(StrEnum):
    """What an entry is.

    `OPENING` is what was spent before the thing was first seen. `ADJUSTMENT` is a change of the total
    that no boundary explains.
    """

    CHARGE = "charge"
    TOP_UP = "top_up"
    RELEASE = "release"
    OPENING = "opening"
    ADJUSTMENT = "adjustment"


class Certainty(StrEnum):
    """How sure an entry's time and amount are.

    `EXACT`: so much was charged at that boundary. `SPREAD`: the sum is exact, its parts or their times
    are not. `ESTIMATED`: it is computed from the price and the time.
    """

    EXACT = "exact"
    SPREAD = "spread"
    ESTIMATED = "estimated"


class By(StrEnum):
    """What costs are summed up by."""

    VM = "vm"
    KIND = "kind"
    DATACENTER = "datacenter"
    ACCOUNT = "account"
    DAY = "day"
    MONTH = "month"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class Entry:
    """An amount in micro-USDC that moved at a time, of the thing with that key, as seen by a poll."""

    thing: str
    kind: EntryKind
    amount: MicroUsdc
    at: datetime
    seen_at: datetime
    certainty: Certainty = Certainty.EXACT

    @property
    def day(self) -> date:
        """The day (UTC) that it belongs to."""
        return self.at.astimezone(UTC).date()


class Cost(NamedTuple):
    """What a thing cost on a day (UTC), in micro-USDC.

    `known_id` is its id as the API has it, as long as the thing is known.
    """

    account: str
    key: str
    kind: str
    name: str | None
    place: str | None
    day: date
    amount: MicroUsdc
    certainty: Certainty
    known_id: str | None = None

    @property
    def id(self) -> str:
        """The id of the thing in the API, in lower case if the thing is forgotten."""
        return self.known_id or id_in(self.key)


class Balance(NamedTuple):
    """What a thing had in reserve at the end of a day (UTC), or an account (no key) as its balance."""

    key: str | None
    day: date
    amount: MicroUsdc


class Prepaid(Reserved, Protocol):
    """A VM, or a GPU instance."""

    @property
    def key(self) -> str:
        """Identifies it in its account."""

    @property
    def created_at(self) -> datetime | None:
        """When it began."""


def prepaid_entries(
    before: Prepaid | None, after: Prepaid, billing: Billing, begun: datetime | None, now: datetime
) -> Iterator[Entry]:
    """What moved between two polls that listed a prepaid thing.

    `before` has its last known values, `None` if it was never listed. `begun` is when the ledger of
    the account began.
    """
    if after.spent is None:
        return
    if before is None or before.spent is None:
        yield from _first(after, after.spent, billing, begun, now)
        return
    spent = after.spent - before.spent
    boundaries = _boundaries(before.next_billing_at, after.next_billing_at, billing, now)
    yield from _charges(before, after, spent, boundaries, now)
    if before.reserved is not None and after.reserved is not None:
        added = MicroUsdc(spent + after.reserved - before.reserved)
        at = boundaries[-1] if boundaries else now
        if added > 0:
            yield Entry(after.key, EntryKind.TOP_UP, added, at, now, Certainty.SPREAD)
        elif added < 0:
            yield Entry(after.key, EntryKind.RELEASE, MicroUsdc(-added), at, now, Certainty.SPREAD)


def _first(
    thing: Prepaid, spent: MicroUsdc, billing: Billing, begun: datetime | None, now: datetime
) -> Iterator[Entry]:
    """What it had spent when first seen: charges since the ledger began, and what was before.

    A list may show it late, and a watcher may have been down, so charges have the dates of their
    boundaries. The API may tell its beginning in whole seconds.
    """
    created = thing.created_at
    if created and begun and begun.replace(microsecond=0) <= created <= now:
        following = _first_boundary(created, billing)
        passed_since = _boundaries(following, thing.next_billing_at, billing, now)
        charged = _charged((created, *passed_since), thing, spent)
        yield from _charges(thing, thing, spent, charged, now)
        return
    due = _boundaries_since(begun, thing.next_billing_at, billing, now) if begun else ()
    price = thing.price or MicroUsdc(0)
    count = max(0, min(len(due), spent // price)) if price else 0
    if opening := MicroUsdc(spent - count * price):
        yield Entry(thing.key, EntryKind.OPENING, opening, now, now, Certainty.SPREAD)
    for at in due[len(due) - count :]:
        yield Entry(thing.key, EntryKind.CHARGE, price, at, now, Certainty.SPREAD)


def _charged(due: Sequence[datetime], thing: Prepaid, spent: MicroUsdc) -> Sequence[datetime]:
    """The boundaries that were charged: a VM may have been a draft before the first of them."""
    if not thing.price or spent % thing.price or thing.next_billing_at is None:
        return due
    return due[-(spent // thing.price) :] if 0 < spent // thing.price < len(due) else due


def _first_boundary(began: datetime, billing: Billing) -> datetime:
    """The first boundary after the beginning."""
    return (hour_of(began) if billing == HOURS else began) + billing.period


def _charges(
    before: Prepaid, after: Prepaid, spent: int, boundaries: Sequence[datetime], now: datetime
) -> Iterator[Entry]:
    if not spent:
        return
    if spent < 0 or not boundaries:
        yield Entry(after.key, EntryKind.ADJUSTMENT, MicroUsdc(spent), now, now, Certainty.SPREAD)
        return
    is_exact = any(
        price is not None and spent == len(boundaries) * price
        for price in (before.price, after.price)
    )
    certainty = Certainty.EXACT if is_exact else Certainty.SPREAD
    if not is_exact and after.next_billing_at is None and before.price:
        paid, odd = divmod(spent, before.price)
        boundaries = boundaries if odd else boundaries[:paid]  # it ended at the one after these
    each, rest = divmod(spent, len(boundaries))
    for index, at in enumerate(boundaries):
        amount = MicroUsdc(each + (index < rest))
        if amount:
            yield Entry(after.key, EntryKind.CHARGE, amount, at, now, certainty)


def _boundaries(
    first: datetime | None, following: datetime | None, billing: Billing, now: datetime
) -> Sequence[datetime]:
    """The boundaries that passed, from one that was next to the one that is now."""
    count = passed(first, following, billing, now)
    return [first + index * billing.period for index in range(count)] if first else ()


def _boundaries_since(
    begun: datetime, following: datetime | None, billing: Billing, now: datetime
) -> Sequence[datetime]:
    """The boundaries between two moments, of a thing whose next one is known."""
    if following is None:
        return ()
    latest = following - max(1, -((now - following) // billing.period)) * billing.period
    count = min(max(0, (latest - begun) // billing.period + 1), MOST_BOUNDARIES)
    return [latest - index * billing.period for index in reversed(range(count))]


def metered_entries(
    key: str, price: MicroUsdc, span: tuple[datetime, datetime], now: datetime
) -> Iterator[Entry]:
    """What a metered thing costs in a span of time, a day at a time. `price` is that of an hour.

    The sum over a day does not depend on how it is cut into spans.
    """
    for start, end in by_day(*span):
        midnight = datetime.combine(start.date(), time(), UTC)
        amount = _until(price, end - midnight) - _until(price, start - midnight)
        if amount:
            kind, certainty = EntryKind.CHARGE, Certainty.ESTIMATED
            yield Entry(key, kind, MicroUsdc(amount), start, now, certainty)


def _until(price: MicroUsdc, elapsed: timedelta) -> int:
    """What it costs from the beginning of a day."""
    return price * (elapsed // _TICK) // _TICKS_AN_HOUR

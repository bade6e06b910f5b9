"""The ledger of one thing, as data."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from fluence_watch.model.ledger import Certainty, Cost, Entry, EntryKind
from fluence_watch.model.money import in_usdc
from fluence_watch.model.month import month_begin
from fluence_watch.views.costs import total

LATEST = 5


@dataclass(frozen=True, slots=True)
class EntryView:
    """An amount in USDC that moved at a time, and how sure that is."""

    at: datetime
    kind: EntryKind
    amount: Decimal | None
    certainty: Certainty


@dataclass(frozen=True, slots=True)
class LedgerView:
    """What a thing cost today, in this month (UTC) and in all since it is watched, in USDC.

    It is as of the last successful poll, at `as_of`: what was charged later is unknown, so today is
    unknown if that poll was on a day before. `estimated` is the part of the total that is computed
    from the price and the time, unknown where that is, and `counted_until` then. `entries` are the
    latest, the last one first; metered things have none.
    """

    as_of: datetime | None
    watched_since: datetime
    today: Decimal | None
    month: Decimal | None
    total: Decimal | None
    estimated: Decimal | None
    entries: tuple[EntryView, ...]
    counted_until: datetime | None = None


def ledger_view(
    costs: Sequence[Cost],
    entries: Iterable[Entry],
    *,
    since: datetime,
    as_of: datetime | None,
    now: datetime,
    counted_until: datetime | None = None,
) -> LedgerView:
    """The ledger of a thing that is watched `since` then, from all its costs and entries."""

    def from_day(first: datetime) -> Decimal | None:
        day = first.astimezone(UTC).date()
        is_known = as_of is not None and as_of.astimezone(UTC).date() >= day
        return in_usdc(total(cost for cost in costs if cost.day >= day)) if is_known else None

    guessed = total(cost for cost in costs if cost.certainty is Certainty.ESTIMATED)
    latest = list(entries)[: -LATEST - 1 : -1]
    return LedgerView(
        as_of=as_of,
        watched_since=since,
        today=from_day(now),
        month=from_day(month_begin(now)),
        total=in_usdc(total(costs)) if as_of else None,
        estimated=in_usdc(guessed) if as_of else None,
        entries=tuple(EntryView(e.at, e.kind, in_usdc(e.amount), e.certainty) for e in latest),
        counted_until=counted_until,
    )

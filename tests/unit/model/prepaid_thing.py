"""Something prepaid as polls see it, and the entries that follow."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fluence_watch.model.billing import EPOCH, EPOCHS
from fluence_watch.model.ledger import (
    Entry,
    prepaid_entries,
)
from fluence_watch.model.money import MicroUsdc

NOON = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
PRICE, SPENT = MicroUsdc(300_000), MicroUsdc(900_000)


@dataclass(frozen=True)
class Thing:
    """Something prepaid."""

    key: str = "0xa"
    price: MicroUsdc | None = PRICE
    reserved: MicroUsdc | None = PRICE
    spent: MicroUsdc | None = SPENT
    next_billing_at: datetime | None = NOON + HOUR
    created_at: datetime | None = NOON - 3 * EPOCH


THING = Thing()


def entries(before: Thing | None, after: Thing, now: datetime = NOON + 2 * HOUR) -> list[Entry]:
    return list(prepaid_entries(before, after, EPOCHS, NOON, now))

"""The entries of GPU instances, whose money is a request of its own that may fail."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from fluence_watch.model.accounting import Seen, book_poll
from fluence_watch.model.billing import EPOCHS
from fluence_watch.model.corrections import OF_THE_TOTAL, unbooked
from fluence_watch.model.known_resource import KnownResources, track_resources
from fluence_watch.model.ledger import Certainty, Entry, EntryKind
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.snapshot import build_snapshot

NOON = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
PRICE = MicroUsdc(1_000_000)
GPU = Resource(
    Kind.GPU_VM,
    "G",
    "trainer",
    "ACTIVE",
    PRICE,
    created_at=NOON - MINUTE,
    reserved=MicroUsdc(2 * PRICE),
    spent=PRICE,
    next_billing_at=NOON + HOUR,
)
UNREAD = replace(GPU, price=None, reserved=None, spent=None, next_billing_at=None)
OVER = replace(GPU, status_word="ENDED", next_billing_at=None, price=MicroUsdc(0))


def hour(number: int) -> Resource:
    """The instance after so many boundaries."""
    return replace(
        GPU,
        spent=MicroUsdc((number + 1) * PRICE),
        next_billing_at=NOON + (number + 1) * HOUR,
    )


def over(hours: int) -> Resource:
    """The instance as it ended."""
    return replace(OVER, spent=MicroUsdc((hours + 1) * PRICE), reserved=MicroUsdc(0))


def entries(*lists: Sequence[Resource]) -> list[Entry]:
    """What polls add, one at the beginning of each hour, a minute after its boundary; the first adds nothing."""
    found: list[Entry] = []
    known: KnownResources = {}
    at = None
    for number, listed in enumerate(lists):
        now = NOON + number * HOUR + MINUTE
        snapshot = build_snapshot("main", now, [], resources=listed, kinds=[Kind.GPU_VM])
        after = track_resources(known, snapshot, at, (), HOUR)
        begun = NOON + MINUTE if number else None
        before, later = Seen({}, known, at, None, begun), Seen({}, after, now, None)
        booking, _ = book_poll(before, later, snapshot, EPOCHS)
        booked = MicroUsdc(sum(e.amount for e in found if e.kind in OF_THE_TOTAL))
        some = booking.entries
        found += unbooked(some, booked) if some and booking.first else some
        known, at = after, now
    return found


def charges(found: Sequence[Entry]) -> list[tuple[datetime, int, Certainty]]:
    assert EntryKind.ADJUSTMENT not in {e.kind for e in found}
    return [(e.at, e.amount, e.certainty) for e in found if e.kind is EntryKind.CHARGE]


def test_money_that_is_unknown_for_a_poll() -> None:
    """It is as last known, so that nothing is charged twice."""
    found = entries([GPU], [UNREAD], [hour(2)], [hour(2)])
    assert [PRICE] == [e.amount for e in found if e.kind is EntryKind.OPENING]
    exact = Certainty.EXACT
    assert [(NOON + HOUR, PRICE, exact), (NOON + 2 * HOUR, PRICE, exact)] == charges(found)


def test_the_end_of_an_instance_whose_money_is_unknown_then() -> None:
    """What it was charged until then is known a poll later, and once."""
    unread = replace(UNREAD, status_word="ENDED")
    found = entries([GPU], [unread], [unread], [over(1)], [over(1)])
    assert PRICE == sum(amount for _, amount, _ in charges(found))


def test_an_instance_that_begins_and_ends_between_two_polls() -> None:
    """It is charged, at boundaries that nobody knows; of one that had ended before, nothing is."""
    fresh = replace(over(0), created_at=NOON + 2 * MINUTE)
    found = charges(entries([], [fresh], [fresh]))
    assert PRICE == sum(amount for _, amount, _ in found)
    assert [NOON + 2 * MINUTE, NOON + HOUR] == [at for at, _, _ in found]
    assert {Certainty.SPREAD} == {certainty for _, _, certainty in found}
    assert [] == charges(entries([over(1)], [over(1)]))

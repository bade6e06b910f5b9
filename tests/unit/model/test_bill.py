from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.bill import (
    DayCost,
    Priced,
    Span,
    Things,
    all_priced,
    bill_of,
    billed,
    count_until,
    perhaps_billed,
    watch_until,
)
from fluence_watch.model.charge import VM, Charge, last_settled, words_of
from fluence_watch.model.known import KnownVm
from fluence_watch.model.known_resource import KnownResource
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.vm import Status, Vm

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
NOON = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
TODAY = NOON.date()
DEAR, CHEAP = Priced(VM, MicroUsdc(600_000)), Priced(VM, MicroUsdc(300_000))
DISK = Priced("disk", MicroUsdc(60_000))


def counted(
    before: Things, after: Things, maybe: Things | None = None, *, until: datetime = NOON + HOUR
) -> tuple[DayCost, ...]:
    return count_until((), before, after, maybe or {}, (NOON, until))


@pytest.mark.parametrize(
    ("before", "after", "maybe", "low", "high"),
    [
        ({"a": DEAR}, {"a": DEAR}, {}, 600_000, 600_000),
        ({"a": DEAR}, {"a": CHEAP}, {}, 300_000, 600_000),
        ({"a": CHEAP}, {"a": DEAR}, {}, 300_000, 600_000),
        ({}, {"a": DEAR}, {}, 0, 600_000),
        ({"a": DEAR}, {}, {}, 0, 600_000),
        ({"a": CHEAP}, {}, {"a": DEAR}, 0, 600_000),
        ({}, {}, {"a": DEAR}, 0, 600_000),
        ({}, {}, {}, 0, 0),
        ({"a": DEAR, "b": DISK}, {"a": DEAR, "b": DISK}, {}, 660_000, 660_000),
    ],
)
def test_an_hour_between_two_polls(
    before: Things, after: Things, maybe: Things, low: int, high: int
) -> None:
    """What both saw costs at least the lower price; what one saw, or may be there, at most its own."""
    (cost,) = counted(before, after, maybe)
    assert (low, high) == total(cost)


def total(cost: DayCost) -> tuple[int, int]:
    spans = [cost.of(kind) for kind in cost.high]
    return sum(span.low for span in spans), sum(span.high for span in spans)


def test_by_kind() -> None:
    """Each kind has its own bounds; one that is not there costs nothing."""
    (cost,) = counted({"a": DEAR, "b": DISK}, {"a": DEAR})
    assert (600_000, 600_000) == cost.of(VM)
    assert (0, 60_000) == cost.of("disk")
    assert (0, 0) == cost.of("public_ip")


def test_an_unknown_price_counts_for_nothing() -> None:
    """The day is not whole then; see the test below."""
    (cost,) = counted({"a": Priced(VM, None)}, {"a": DEAR})
    assert (0, 600_000) == total(cost)
    assert not all_priced({"a": Priced(VM, None)}, {"a": DEAR})
    assert all_priced({"a": DEAR}, {})


@pytest.mark.parametrize(
    ("whole_at", "minutes"),
    [
        (NOON - HOUR, 60),
        (NOON - MINUTE, 1),
        (NOON - HOUR - MINUTE, 0),
        (NOON + HOUR, 0),
        (None, 0),
    ],
)
def test_what_is_watched(whole_at: datetime | None, minutes: int) -> None:
    """The time between two whole polls, if it is at most an hour."""
    (day,) = watch_until([DayCost(TODAY, watched=7)], whole_at, NOON)
    assert 7 + minutes * 60 * 10**6 == day.watched


def test_midnight() -> None:
    """Each day has its part, to the microsecond."""
    since = datetime(2026, 4, 16, 23, 50, tzinfo=UTC)
    first, second = count_until((), {"a": DEAR}, {"a": DEAR}, {}, (since, since + 30 * MINUTE))
    assert (TODAY, TODAY + DAY) == (first.day, second.day)
    assert (100_000, 200_000) == (total(first)[0], total(second)[0])
    start = datetime(2026, 4, 17, tzinfo=UTC)
    first, second = watch_until([first, second], since, start + 20 * MINUTE)
    assert (600, 1200) == (first.watched // 10**6, second.watched // 10**6)


def test_days_that_are_old() -> None:
    """Nine are kept."""
    old = [DayCost(TODAY - age * DAY) for age in range(20)]
    kept = count_until(old, {}, {}, {}, (NOON, NOON + MINUTE))
    assert [TODAY - age * DAY for age in range(8, -1, -1)] == [each.day for each in kept]


class Machine(NamedTuple):
    """Something that is there for a time, at a price."""

    begins: int
    minutes: int
    price: int


machines = st.lists(
    st.builds(Machine, st.integers(0, 1440), st.integers(1, 1440), st.integers(0, 10**9)),
    max_size=5,
)
polls = st.lists(st.integers(1, 1439), max_size=20)


@given(machines, polls)
def test_what_was_charged_is_within_the_bounds(life: Sequence[Machine], at: Sequence[int]) -> None:
    """Whatever comes and goes between polls, and however they are spaced, within an hour."""
    start = datetime(2026, 4, 16, tzinfo=UTC)
    minutes = sorted({0, 1440, *at, *range(0, 1440, 59)})
    seen = [
        {str(i): Priced(VM, MicroUsdc(m.price)) for i, m in enumerate(life) if there(m, minute)}
        for minute in minutes
    ]
    costs: tuple[DayCost, ...] = ()
    for (first, second), (before, after) in zip(pairwise(minutes), pairwise(seen), strict=True):
        span = start + first * MINUTE, start + second * MINUTE
        costs = watch_until(count_until(costs, before, after, {}, span), span[0], span[1])

    (cost,) = costs
    long = [m for m in life if any(there(m, minute) for minute in minutes)]
    charged = sum(m.price * (min(m.begins + m.minutes, 1440) - m.begins) for m in long)
    assert cost.is_whole
    low, high = total(cost)
    assert 60 * low <= charged + 60
    assert charged <= 60 * high


def there(machine: Machine, minute: int) -> bool:
    return machine.begins <= minute < machine.begins + machine.minutes


def test_what_is_billed(web: Vm) -> None:
    """What is in its list; a last known price fills an unknown one; not the GPU cloud, paid ahead."""
    disk = Resource(Kind.DISK, "D", None, "ready", MicroUsdc(5))
    gpu = Resource(Kind.GPU_VM, "G", None, "ACTIVE", MicroUsdc(5))
    gone = KnownVm(web, NOON, missing_since=NOON)
    over = KnownVm(Vm("0xb", None, Status.TERMINATED, "terminated"), NOON)
    rented = {each.key: KnownResource(each, NOON) for each in (disk, gpu)}
    lost = {"disk:x": KnownResource(disk, NOON, missing_since=NOON)}
    known = {web.key: KnownVm(web, NOON), "0xa": gone, "0xb": over}
    assert {web.key: Priced(VM, web.price), "disk:d": Priced("disk", disk.price)} == billed(
        known, rented | lost
    )


@pytest.mark.parametrize(
    ("charged", "miss"), [(90, -10), (100, 0), (150, 0), (200, 0), (201, 1), (0, -100)]
)
def test_by_how_much_a_bill_is_wrong(charged: int, miss: int) -> None:
    """Not at all between the bounds."""
    assert miss == Span(MicroUsdc(100), MicroUsdc(200)).miss(MicroUsdc(charged))


def charge(day: date, kind: str, cost: int) -> Charge:
    return Charge(day, kind, MicroUsdc(cost), Decimal(24))


def test_the_bill_of_a_day() -> None:
    """The charges of that day by kind, if it was watched in full."""
    yesterday = TODAY - DAY
    whole = DayCost(TODAY, {VM: 0}, {VM: 3600 * 10**6 * 7}, 24 * 3600 * 10**6)
    part = DayCost(yesterday, {VM: 1}, {VM: 1}, 1)
    charges = [charge(TODAY, VM, 3), charge(TODAY, VM, 6), charge(yesterday, VM, 100)]
    charges.append(charge(TODAY, "vpc", 50))

    bill = bill_of(TODAY, [part, whole], charges)
    nothing = {"disk": 0, "public_ip": 0}
    assert {VM: 9, "vpc": 50} | nothing == bill.charged
    assert {VM: (0, 7)} | dict.fromkeys(nothing, (0, 0)) == bill.expected
    assert (2, 9) == (bill.miss, bill.sum)
    assert bill.is_known
    assert not bill_of(yesterday, [part, whole], charges).is_known
    assert not bill_of(TODAY, [whole], None).is_known


@pytest.mark.parametrize(("hour", "age"), [(0, 2), (5, 2), (6, 1), (23, 1)])
def test_when_a_day_is_settled(hour: int, age: int) -> None:
    """Six hours after its end."""
    assert TODAY - age * DAY == last_settled(NOON.replace(hour=hour))


def test_words() -> None:
    """Those of the product, or those of the API."""
    assert ("VM", "VMs") == words_of(VM)
    assert ("public IP", "public IPs") == words_of("public_ip")
    assert ("subnet", "subnets") == words_of("subnet")


@pytest.mark.parametrize(
    ("status", "certain", "perhaps"),
    [
        (Status.ACTIVE, True, False),
        (Status.DRAFT, False, False),
        (Status.LAUNCHING, False, True),
        (Status.SUSPENDED, False, True),
        (Status.UNKNOWN, False, True),
        (Status.TERMINATING, False, True),
        (Status.FAILED, False, True),
    ],
)
def test_what_may_be_charged(web: Vm, status: Status, certain: bool, perhaps: bool) -> None:  # noqa: FBT001 - columns
    """What begins, is halted or is being removed may be charged, and may not."""
    vm = replace(web, status=status)
    assert certain == (web.key in billed({web.key: KnownVm(vm, NOON)}, {}))
    assert perhaps == (web.key in perhaps_billed({web.key: vm}, {}))


def test_a_disk_that_is_being_removed() -> None:
    """It may be charged until it is gone."""
    disk = Resource(Kind.DISK, "D", None, "removing", MicroUsdc(5))
    gpu = Resource(Kind.GPU_VM, "G", None, "ENDED", MicroUsdc(5))
    found = perhaps_billed({}, {each.key: each for each in (disk, gpu)})
    assert {"disk:d": Priced("disk", disk.price)} == found

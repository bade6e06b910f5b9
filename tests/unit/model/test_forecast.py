from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.billing import EPOCHS, METERED, EpochBilling, HourlyBilling
from fluence_watch.model.forecast import account_forecast, forecast
from fluence_watch.model.funding import FOREVER
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.month import Rented, month_ahead, month_end
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.vm import Status, Vm

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def vm(web: Vm) -> Vm:
    """A VM that is charged 1 USDC at noon, and has money for two more days."""
    return replace(
        web, price=MicroUsdc(1_000_000), reserved=MicroUsdc(2_500_000), next_billing_at=NOW + DAY
    )


@pytest.mark.parametrize(
    ("now", "end"),
    [
        (datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)),
        (datetime(2026, 4, 30, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)),
        (datetime(2026, 1, 31, 12, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
        (datetime(2024, 2, 29, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)),
        (datetime(2026, 12, 31, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_the_end_of_the_month(now: datetime, end: datetime) -> None:
    """The first moment of the next one, in UTC."""
    assert end == month_end(now)


@given(st.integers(0, 70_000_000))
def test_a_month_ends_where_the_next_begins(minutes: int) -> None:
    """The end is the first moment that is in another month, leap years and December included."""
    now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    end = month_end(now)
    last = end - timedelta(microseconds=1)

    assert (now.year, now.month) == (last.year, last.month)
    assert (1, 0, 0) == (end.day, end.hour, end.microsecond)


def test_a_vm(vm: Vm) -> None:
    """Charges at noon from the 17th to the 30th are fourteen; the reserve pays two of them."""
    each = forecast(vm, NOW)

    assert NOW + 3 * DAY == each.funded_until
    assert (1_000_000, 14_000_000) == (each.burn_per_day, each.to_month_end)


@pytest.mark.parametrize(
    ("changes", "until", "burn", "to_month_end", "unknown"),
    [
        ({"price": None}, None, None, None, 1),
        ({"reserved": None}, None, 1_000_000, 14_000_000, 0),
        ({"next_billing_at": None}, None, 1_000_000, None, 1),
        ({"price": 0}, FOREVER, 0, 0, 0),
        ({"next_billing_at": datetime(2026, 5, 1, tzinfo=UTC)}, datetime(2026, 5, 3, tzinfo=UTC), 1_000_000, 0, 0),
        ({"status": Status.TERMINATED}, None, 0, 0, 0),
        ({"status": Status.TERMINATED, "price": None, "next_billing_at": None}, None, 0, 0, 0),
        ({"status": Status.FAILED, "price": 0}, FOREVER, 0, 0, 0),
    ],
)  # fmt: skip
def test_what_is_not_reported_is_unknown(
    vm: Vm,
    changes: dict[str, object],
    until: datetime | None,
    burn: int | None,
    to_month_end: int | None,
    unknown: int,
) -> None:
    """Unknown is no number, and counted; what has ended costs nothing more."""
    changed = replace(vm, **changes)
    each, whole = forecast(changed, NOW), account_forecast([changed], NOW)

    assert (until, burn, to_month_end) == (each.funded_until, each.burn_per_day, each.to_month_end)
    assert unknown == whole.unknown


def test_an_account(vm: Vm) -> None:
    """Sums of what is known, and when the first VM runs dry; one that ended does not count."""
    poor = replace(vm, id="0x1", reserved=MicroUsdc(0))
    ended = replace(poor, id="0x2", status=Status.TERMINATED)
    unpriced = replace(vm, id="0x3", price=None)
    whole = account_forecast([vm, poor, ended, unpriced], NOW)

    assert NOW + DAY == whole.first_vm_out
    assert (2_000_000, 28_000_000, 1) == (whole.burn_per_day, whole.to_month_end, whole.unknown)


def test_an_account_without_vms() -> None:
    """Nothing costs nothing, and never runs dry."""
    whole = account_forecast([], NOW)
    assert (None, 0, 0, 0) == (
        whole.first_vm_out,
        whole.burn_per_day,
        whole.to_month_end,
        whole.unknown,
    )


def test_by_the_hour(vm: Vm) -> None:
    """There are twenty-four charges a day."""
    each = forecast(vm, NOW, HourlyBilling())

    assert NOW + DAY + 2 * HOUR == each.funded_until
    assert 24_000_000 == each.burn_per_day
    assert 13.5 * 24_000_000 == each.to_month_end


@pytest.mark.parametrize(
    ("counted_at", "metered"),
    [
        (None, 348),  # 14.5 days
        (NOW - HOUR / 2, 348.5),
        (NOW - 30 * DAY, 720),  # not before the month
    ],
)
def test_what_is_left_of_a_month(vm: Vm, counted_at: datetime | None, metered: float) -> None:
    """What is metered from when it was last counted, what is prepaid from its next charge."""
    disk = Resource(Kind.DISK, "1", "data", "ready", MicroUsdc(1_000))
    assert metered * 1_000 == month_ahead(Rented([], [disk], METERED, counted_at), NOW).whole
    prepaid = forecast(vm, NOW).to_month_end
    assert prepaid == month_ahead(Rented([vm], [], EPOCHS, counted_at), NOW).whole
    assert prepaid
    both = month_ahead(Rented([vm], [disk], EPOCHS, counted_at), NOW)
    assert prepaid + metered * 1_000 == both.whole


def test_what_is_unknown_of_a_month(vm: Vm) -> None:
    """It is counted, and the rest is at least what the month adds."""
    known, unpriced = forecast(vm, NOW).to_month_end, replace(vm, price=None)
    ahead = month_ahead(Rented([vm, unpriced, replace(vm, next_billing_at=None)], [], EPOCHS), NOW)
    assert (known, 2, None) == (ahead.amount, ahead.unknown, ahead.whole)


PRICES = st.integers(0, 10**9).map(MicroUsdc)


@given(
    st.lists(st.tuples(PRICES, PRICES, st.integers(-100, 1_000)), max_size=8),
    st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - made aware by `timezones`
    st.sampled_from([5 * HOUR / 60, HOUR, DAY]),
)
def test_an_account_is_the_sum_of_its_vms(
    drawn: list[tuple[MicroUsdc, MicroUsdc, int]], now: datetime, epoch: timedelta
) -> None:
    """No micro-USDC is lost or made, and nothing is funded for longer than its poorest VM."""
    vms = [
        Vm(
            str(n),
            None,
            Status.ACTIVE,
            "ACTIVE",
            price,
            reserved,
            next_billing_at=now + hours * HOUR,
        )
        for n, (price, reserved, hours) in enumerate(drawn)
    ]
    billing = EpochBilling(epoch)
    each, whole = [forecast(vm, now, billing) for vm in vms], account_forecast(vms, now, billing)

    assert whole.burn_per_day == sum(one.burn_per_day or 0 for one in each)
    assert whole.to_month_end == sum(one.to_month_end or 0 for one in each)
    assert all(
        (one.to_month_end or 0) % vm.price == 0
        for one, vm in zip(each, vms, strict=True)
        if vm.price
    )
    assert whole.first_vm_out == min((one.funded_until or FOREVER for one in each), default=None)
    assert 0 == whole.unknown

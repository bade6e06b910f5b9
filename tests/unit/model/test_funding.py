from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.billing import (
    EPOCH,
    EPOCHS,
    METERED,
    Billing,
    EpochBilling,
    HourlyBilling,
)
from fluence_watch.model.funding import (
    FOREVER,
    account_funded_until,
    burn_per_day,
    cost_until,
    dry_at,
    fleet_price,
    funded_epochs,
    funded_until,
    unpriced,
)
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Status, Vm

BOUNDARY = datetime(2025, 4, 16, 17, 59, 55, tzinfo=UTC)

prices = st.integers(1, 5_000_000).map(MicroUsdc)
reserves = st.integers(0, 50_000_000).map(MicroUsdc)
epochs = st.timedeltas(timedelta(minutes=1), timedelta(days=3))


def with_money(vm: Vm, price: int | None, reserved: int | None) -> Vm:
    price_of, held = (None if x is None else MicroUsdc(x) for x in (price, reserved))
    return replace(vm, price=price_of, reserved=held)


def paid_until_step_by_step(vm: Vm, epoch: timedelta) -> datetime:
    """Live through the epochs one by one: each is charged whole at its start."""
    assert vm.price is not None
    assert vm.reserved is not None
    assert vm.next_billing_at is not None
    until, money = vm.next_billing_at, vm.reserved
    while money >= vm.price:
        money = MicroUsdc(money - vm.price)
        until += epoch
    return until


@given(st.integers(200_000, 5_000_000), reserves, epochs)
def test_funded_until_is_what_living_it_brings(
    web: Vm, price: int, reserved: int, epoch: timedelta
) -> None:
    """The formula agrees with charging epoch after epoch until the reserve is too small."""
    vm = with_money(web, price, reserved)
    assert paid_until_step_by_step(vm, epoch) == funded_until(vm, EpochBilling(epoch))


@given(prices, reserves, reserves)
def test_more_reserve_never_ends_earlier(web: Vm, price: int, one: int, other: int) -> None:
    """Funded-until only grows with the reserve, and never lies before what is paid already."""
    less, more = (
        funded_until(with_money(web, price, reserved)) for reserved in sorted((one, other))
    )
    assert less is not None
    assert more is not None
    assert BOUNDARY <= less <= more


@pytest.mark.parametrize(
    ("price", "reserved", "until"),
    [
        (298_160, 298_159, BOUNDARY),
        (298_160, 298_160, BOUNDARY + EPOCH),
        (298_160, 596_319, BOUNDARY + EPOCH),
        (298_160, -1, BOUNDARY),
        (0, 0, FOREVER),
        (1, 2**63 - 1, FOREVER),
        (1, 10**9, FOREVER),
        (None, 298_160, None),
        (298_160, None, None),
    ],
)
def test_funded_until(
    web: Vm, price: int | None, reserved: int | None, until: datetime | None
) -> None:
    """Whole epochs count; what is free or beyond the calendar is forever; unknown is unknown."""
    assert until == funded_until(with_money(web, price, reserved))


def test_without_a_boundary_it_is_unknown(web: Vm) -> None:
    """An ended VM has no next billing, so until when it is paid cannot be said."""
    assert funded_until(replace(web, next_billing_at=None)) is None


def test_epochs_of_a_reserve() -> None:
    """A free VM has no number of epochs; a negative reserve pays none."""
    assert funded_epochs(MicroUsdc(0), MicroUsdc(5)) is None
    assert funded_epochs(MicroUsdc(5), MicroUsdc(-5)) == 0
    assert funded_epochs(MicroUsdc(5), MicroUsdc(14)) == 2


def test_what_a_fleet_costs(web: Vm) -> None:
    """Ended VMs are not charged any more."""
    ended = replace(web, status=Status.TERMINATED)
    unknown = replace(web, price=None)
    assert fleet_price([web, web, ended, unknown]) == 2 * 298_160


@given(st.lists(st.integers(0, 2**63 - 1), max_size=5), epochs)
def test_burn_per_day_is_the_price_of_a_day(web: Vm, costs: list[int], epoch: timedelta) -> None:
    """24 prices by the hour, and as many by the epoch as fit into a day: 480 of three minutes."""
    vms = [with_money(web, cost, 0) for cost in costs]
    tick = timedelta(microseconds=1)
    a_day = sum(costs) * (timedelta(days=1) // tick) // (epoch // tick)
    assert a_day == burn_per_day(vms, EpochBilling(epoch))
    assert 480 * sum(costs) == burn_per_day(vms, EpochBilling(timedelta(minutes=3)))
    assert 24 * sum(costs) == burn_per_day(vms, METERED) == burn_per_day(vms, HourlyBilling())


def charges(vm: Vm, end: datetime, billing: Billing = EPOCHS) -> int | None:
    """How many charges of one micro-USDC come before the end."""
    return cost_until(replace(vm, price=MicroUsdc(1)), BOUNDARY, end, billing)


def test_the_charges_of_a_short_epoch(web: Vm) -> None:
    """Each of them is charged, as the simulator does."""
    end = BOUNDARY + timedelta(days=10)
    assert (10, 7_200) == (charges(web, end), charges(web, end, EpochBilling(timedelta(minutes=2))))
    assert 240 == charges(web, end, HourlyBilling())


def test_what_is_metered_costs_every_second(web: Vm) -> None:
    """There is no boundary to wait for; the last micro-USDC is rounded up."""
    vm = replace(web, price=MicroUsdc(3_600), next_billing_at=None)
    for seconds, cost in ((0, 0), (1, 1), (90, 90), (3_600, 3_600), (-5, 0)):
        end = BOUNDARY + timedelta(seconds=seconds)
        assert cost == cost_until(vm, BOUNDARY, end, METERED)
    tick = timedelta(microseconds=1)
    assert 1 == cost_until(vm, BOUNDARY, BOUNDARY + tick, METERED)
    assert cost_until(replace(vm, price=None), BOUNDARY, BOUNDARY, METERED) is None


def test_the_burn_of_a_large_company(web: Vm) -> None:
    """100,000 VMs cost more a day than a timedelta has days."""
    assert burn_per_day([web] * 100_000) == 29_816_000_000


@given(st.integers(-5_000, 5_000))
def test_charges_are_counted_as_they_come(web: Vm, minutes: int) -> None:
    """Before the end there are as many charges as boundaries that lie before it."""
    end = BOUNDARY + timedelta(minutes=minutes)
    boundaries = (BOUNDARY + n * EPOCH for n in range(10))
    assert sum(1 for at in boundaries if at < end) == charges(web, end)


def test_charges_of_vms_without_a_boundary(web: Vm) -> None:
    """An ended VM is never charged again; where the boundary is unknown, so are the charges."""
    end = BOUNDARY + timedelta(days=30)
    assert charges(replace(web, status=Status.TERMINATED), end) == 0
    assert charges(replace(web, next_billing_at=None), end) is None


@pytest.mark.parametrize(
    ("balance", "burn", "expected"),
    [
        (1_000, 1_000, BOUNDARY + EPOCH),
        (2_500, 1_000, BOUNDARY + 2.5 * EPOCH),
        (999, 2**40, BOUNDARY + timedelta(microseconds=78)),
        (0, 1_000, BOUNDARY),
        (-1, 1_000, BOUNDARY),
        (1_000, 0, FOREVER),
        (2**63, 1, FOREVER),
    ],
)
def test_when_a_balance_is_used_up(balance: int, burn: int, expected: datetime) -> None:
    """At so much a day, to the microsecond; what owes money is dry now."""
    assert expected == dry_at(MicroUsdc(balance), MicroUsdc(burn), BOUNDARY)


def test_an_unknown_price_is_not_zero(web: Vm) -> None:
    """Until when an account is funded is unknown with it, unless the VM is not billed any more."""
    cheap, unknown = replace(web, price=MicroUsdc(500)), replace(web, price=None)
    ended = replace(unknown, status=Status.TERMINATED)
    balance = MicroUsdc(1_000)
    assert (0, 1, 0) == (unpriced([cheap]), unpriced([cheap, unknown, ended]), unpriced([ended]))
    assert BOUNDARY + 2 * EPOCH == account_funded_until(balance, [cheap, ended], BOUNDARY)
    assert account_funded_until(balance, [cheap, unknown], BOUNDARY) is None
    assert FOREVER == account_funded_until(balance, [ended], BOUNDARY)
    hourly = account_funded_until(balance, [cheap], BOUNDARY, METERED)
    assert BOUNDARY + timedelta(hours=2) == hourly

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.forecast import forecast, month_end
from fluence_watch.model.funding import EPOCH, FOREVER
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Status, Vm

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
BOUNDARY = datetime(2025, 4, 16, 17, 59, 55, tzinfo=UTC)


@given(st.integers(0, 70_000_000))
def test_a_month_ends_where_the_next_begins(minutes: int) -> None:
    """The end is the first moment that is in another month, leap years and December included."""
    now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    end = month_end(now)
    last = end - timedelta(microseconds=1)
    assert (now.year, now.month) == (last.year, last.month)
    assert (1, 0, 0) == (end.day, end.hour, end.microsecond)


def test_a_vm_until_the_end_of_the_month(web: Vm) -> None:
    """From 16 April on, 15 boundaries lie before 1 May; the reserve pays one of them."""
    account = forecast([web], NOW)
    (of_vm,) = account.vms
    assert (298_160, 15 * 298_160) == (of_vm.burn_per_day, of_vm.to_month_end)
    assert BOUNDARY + EPOCH == of_vm.funded_until


def test_an_account_is_the_sum_of_its_vms(web: Vm) -> None:
    """It runs dry with the first of them; an ended VM neither costs nor runs dry."""
    poor = replace(web, id="0x2", reserved=MicroUsdc(0))
    ended = replace(poor, id="0x3", status=Status.TERMINATED, next_billing_at=NOW)
    account = forecast([web, poor, ended], NOW)
    assert BOUNDARY == account.funded_until
    assert (2 * 298_160, 30 * 298_160) == (account.burn_per_day, account.to_month_end)
    assert (0, None) == (account.unknown, account.vms[2].funded_until)


@pytest.mark.parametrize(
    ("change", "burn", "to_month_end"),
    [
        ({"price": None}, None, None),
        ({"next_billing_at": None}, 298_160, None),
        ({"price": None, "next_billing_at": None}, None, None),
    ],
)
def test_what_is_unknown_is_counted_and_not_zero(
    web: Vm, change: dict[str, object], burn: int | None, to_month_end: int | None
) -> None:
    """A VM that the API does not tell enough of is left out of the sums, and they say so."""
    account = forecast([web, replace(web, **change)], NOW)
    assert (burn, to_month_end) == (account.vms[1].burn_per_day, account.vms[1].to_month_end)
    assert 1 == account.unknown
    assert 15 * 298_160 == account.to_month_end


def test_a_free_vm(web: Vm) -> None:
    """It costs nothing and lasts forever; an account without VMs has no end to name."""
    account = forecast([replace(web, price=MicroUsdc(0))], NOW)
    assert (0, FOREVER) == (account.burn_per_day, account.funded_until)
    assert forecast([], NOW).funded_until is None

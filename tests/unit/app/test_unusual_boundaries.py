"""What is told of boundaries that charge late, of totals that stand still, and of lists that lack a VM."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from fluence_watch.app.decide import Policy
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Vm
from tests.unit.app.test_one_problem import BOUNDARY, DAY, HOUR, MINUTE, Account, P, vm

DRAINED = [
    ("funds_exhausted_soon", "first"), ("topup_failed", "first"), ("topup_failed", "worse"),
    ("topup_failed", "worse"),
]  # fmt: skip


def of_funds(account: Account) -> list[tuple[str, str]]:
    """What is told, without what is said of each boundary."""
    others = {"billing_due", "unexpected_charge"}
    return [each for each in account.told() if each[0] not in others]


@pytest.mark.parametrize("moved", [0, 16])
@pytest.mark.parametrize("charged", [16, 20, 60, 120])
def test_a_late_charge_with_a_prompt_top_up(policy: Policy, moved: int, charged: int) -> None:
    """No top-up has failed, although the boundary was long ago."""
    account = Account(policy)
    for minute in range(-60, charged + 60):
        done, dips = int(minute >= charged), charged <= minute < charged + 5
        seen = vm(done, P * (not dips), next_billing_at=BOUNDARY + (minute >= moved) * DAY)
        account.poll(BOUNDARY + minute * MINUTE, seen)
    assert [] == of_funds(account)


def draining() -> Iterator[tuple[timedelta, Vm]]:
    """A VM that nobody tops up, from a reserve of six epochs to its last minutes, and when it is so."""
    near = [*range(0, 61, 10), *range(120, 24 * 60, 120), 24 * 60 - 10]
    for after in [-HOUR, *(day * DAY + minutes * MINUTE for day in range(7) for minutes in near)]:
        charges = after // DAY + 1
        yield after, vm(charges, (6 - charges) * P)


@pytest.mark.parametrize("total", ["moves", "stands still", "is not told"])
def test_a_total_that_hides_nothing(policy: Policy, total: str) -> None:
    """A reserve that is drained is told, whatever the total says."""
    account = Account(policy)
    for after, seen in draining():
        spent = {"moves": seen.spent, "stands still": MicroUsdc(5 * P), "is not told": None}[total]
        charges = after // DAY + 1
        account.poll(BOUNDARY + after, vm(charges, seen.reserved or 0, spent=spent))
    assert DRAINED == of_funds(account)


@pytest.mark.parametrize("missing", [4 * DAY, 4 * DAY + 2 * HOUR, 5 * DAY])
@pytest.mark.parametrize("shift", [timedelta(seconds=-1), timedelta(0), timedelta(seconds=1)])
def test_a_short_list_is_no_top_up(policy: Policy, missing: timedelta, shift: timedelta) -> None:
    """At a boundary or not, and if the API moves the next one by a second meanwhile: nothing resolves."""
    account = Account(policy)
    for after, seen in draining():
        assert seen.next_billing_at
        moved = shift if after > missing else timedelta(0)
        listed = [vm(after // DAY + 1, seen.reserved or 0, next_billing_at=seen.next_billing_at + moved)]  # fmt: skip
        account.poll(BOUNDARY + after, *(listed if after != missing else []))
    assert DRAINED == of_funds(account)

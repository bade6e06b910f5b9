from datetime import date
from decimal import Decimal

import pytest

from fluence_watch.model.ledger import By, Certainty, Cost
from fluence_watch.model.money import MicroUsdc
from fluence_watch.views.costs import CostView, cost_views, total

MAY, JUNE = date(2026, 5, 31), date(2026, 6, 1)


def cost(
    key: str,
    day: date,
    amount: int,
    account: str = "main",
    *,
    sure: bool = True,
    **more: str | None,
) -> Cost:
    kind = key.partition(":")[0] if ":" in key else "vm"
    usual = {"name": f"name-{key[-1]}", "place": "FR-PAR-1"} | more
    certainty = Certainty.EXACT if sure else Certainty.ESTIMATED
    return Cost(
        account, key, kind, usual["name"], usual["place"], day, MicroUsdc(amount), certainty
    )


COSTS = [
    cost("0xa", MAY, 300_000),
    cost("0xa", JUNE, 300_000),
    cost("0xb", JUNE, 500_000, place="DE-FRA-1"),
    cost("disk:c", JUNE, 40_000, sure=False),
    cost("0xa", JUNE, 1_000, "other", name=None, place=None),
]


@pytest.mark.parametrize(
    ("by", "sums"),
    [
        (By.VM, {"name-a (0xa)": "0.6", "name-b (0xb)": "0.5", "disk name-c (c)": "0.04", "0xa": "0.001"}),
        (By.KIND, {"VMs": "1.101", "disks": "0.04"}),
        (By.DATACENTER, {"FR-PAR-1": "0.64", "DE-FRA-1": "0.5", "unknown": "0.001"}),
        (By.ACCOUNT, {"main": "1.14", "other": "0.001"}),
        (By.DAY, {"2026-05-31": "0.3", "2026-06-01": "0.841"}),
        (By.MONTH, {"2026-05": "0.3", "2026-06": "0.841"}),
    ],
)  # fmt: skip
def test_sums(by: By, sums: dict[str, str]) -> None:
    """The largest first; days and months in their order."""
    views = cost_views(COSTS, by)
    assert [(what, Decimal(amount)) for what, amount in sums.items()] == [
        (view.what, view.cost) for view in views
    ]


def test_a_single_thing() -> None:
    """With its id, its account, the days that it was charged on, and what is estimated."""
    first, *_ = cost_views(COSTS, By.VM)
    assert CostView("name-a (0xa)", "main", "0xa", "name-a", Decimal("0.6"), Decimal(0), 2) == first
    disk = next(view for view in cost_views(COSTS, By.VM) if view.id == "c")
    assert Decimal("0.04") == disk.estimated == disk.cost
    (june,) = cost_views(COSTS[1:2], By.MONTH)
    assert (None, None, "main") == (june.id, june.name, june.account)
    assert cost_views(COSTS, By.DAY)[1].account is None


def test_totals() -> None:
    """All together; nothing is zero."""
    assert 1_141_000 == total(COSTS)
    assert 0 == total([])

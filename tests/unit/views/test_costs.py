from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from fluence_watch.alerting.state import AccountState
from fluence_watch.model.known import KnownVm
from fluence_watch.model.known_resource import KnownResource
from fluence_watch.model.ledger import By, Certainty, Cost
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.vm import Status, Vm
from fluence_watch.views.costs import CostView, cost_views, status_words, total

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
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


def test_statuses() -> None:
    """What each thing is now; what is missing or not known is gone, what is never listed unknown."""

    def vm(key: str, status: Status) -> Vm:
        return Vm(key, None, status, "")

    def known(kind: Kind, name: str, word: str, *vms: str) -> KnownResource:
        return KnownResource(Resource(kind, name, None, word, attached_to=vms), NOW)

    resources = [
        known(Kind.DISK, "c", "ready", "0xa"),
        known(Kind.PUBLIC_IP, "d", "ready"),
        known(Kind.GPU_VM, "e", "Running"),
    ]
    gone = KnownVm(vm("0xb", Status.ACTIVE), NOW, missing_since=NOW)
    state = AccountState(
        {"0xa": KnownVm(vm("0xa", Status.SMALL_BALANCE), NOW), "0xb": gone},
        resources={each.resource.key: each for each in resources},
    )
    costs = [
        cost(key, JUNE, 1)
        for key in ("0xa", "0xb", "0xf", "disk:c", "public_ip:d", "gpu_vm:e", "subnet:g")
    ]
    views = cost_views(costs, By.STATUS, status_words("main", state))
    assert {
        "small_balance": 1, "gone": 2, "attached": 1, "unattached": 1, "running": 1, "unknown": 1,
    } == {view.what: int((view.cost or 0) * 10**6) for view in views}  # fmt: skip


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

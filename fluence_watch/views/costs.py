"""What things cost, summed up, as data."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from fluence_watch.model.charge import VM, words_of
from fluence_watch.model.ledger import By, Certainty, Cost
from fluence_watch.model.money import MicroUsdc, in_usdc
from fluence_watch.views.vm import vm_title

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CostView:
    """A sum of costs in USDC. `what` names what it is of, `id` and `name` a single thing.

    `estimated` is the part of it that is computed from prices and time, not yet charged.
    `days` is the number of days (UTC) on which something was charged.
    """

    what: str
    account: str | None
    id: str | None
    name: str | None
    cost: Decimal | None
    estimated: Decimal | None
    days: int


def cost_views(costs: Iterable[Cost], by: By) -> list[CostView]:
    """The sums, the largest first; days and months in their order."""
    groups: dict[tuple[str, ...], list[Cost]] = {}
    for cost in costs:
        groups.setdefault(_KEYS[by](cost), []).append(cost)
    views = [_view(group, by) for group in groups.values()]
    if by in {By.DAY, By.MONTH}:
        return sorted(views, key=lambda view: view.what)
    return sorted(views, key=lambda view: (-(view.cost or 0), view.what))


def total(costs: Iterable[Cost]) -> MicroUsdc:
    """What everything cost."""
    return MicroUsdc(sum(cost.amount for cost in costs))


def _view(group: list[Cost], by: By) -> CostView:
    last = group[-1]
    is_single = by is By.VM
    accounts = {cost.account for cost in group}
    guessed = [cost for cost in group if cost.certainty is Certainty.ESTIMATED]
    return CostView(
        what=_title(last) if is_single else _KEYS[by](last)[-1],
        account=last.account if len(accounts) == 1 else None,
        id=last.id if is_single else None,
        name=last.name if is_single else None,
        cost=in_usdc(total(group)),
        estimated=in_usdc(total(guessed)),
        days=len({cost.day for cost in group}),
    )


def _title(cost: Cost) -> str:
    title = vm_title(cost.id, cost.name)
    return title if cost.kind == VM else f"{words_of(cost.kind)[0]} {title}"


def _month(day: date) -> str:
    return f"{day:%Y-%m}"


_KEYS: Mapping[By, Callable[[Cost], tuple[str, ...]]] = {
    By.VM: lambda cost: (cost.account, cost.key),
    By.KIND: lambda cost: (words_of(cost.kind)[1],),
    By.DATACENTER: lambda cost: (cost.place or UNKNOWN,),
    By.ACCOUNT: lambda cost: (cost.account,),
    By.DAY: lambda cost: (cost.day.isoformat(),),
    By.MONTH: lambda cost: (_month(cost.day),),
}

"""What things cost, summed up, as data."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from fluence_watch.alerting.state import AccountState
from fluence_watch.model.charge import VM, words_of
from fluence_watch.model.ledger import By, Certainty, Cost
from fluence_watch.model.money import MicroUsdc, in_usdc
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.views.vm import vm_title

UNKNOWN, GONE = "unknown", "gone"
_LISTED = frozenset({VM, *Kind})

Words = Mapping[tuple[str, str], str]
"""What things are now, by their account and key."""


@dataclass(frozen=True, slots=True)
class CostView:
    """A sum of costs in USDC. `what` names what it is of, `id` and `name` a single thing.

    `estimated` is the part of it that is computed from prices and time, not yet charged.
    `days` is the number of days (UTC) on which something was charged. `balance` is what the account
    had at the end of a day.
    """

    what: str
    account: str | None
    id: str | None
    name: str | None
    cost: Decimal | None
    estimated: Decimal | None
    days: int
    balance: Decimal | None = None


def cost_views(
    costs: Iterable[Cost],
    by: By,
    statuses: Words | None = None,
    balances: Mapping[date, MicroUsdc] | None = None,
) -> list[CostView]:
    """The sums, the largest first; days and months in their order.

    `statuses` is what things are now, for sums by status, and `balances` are those of days.
    """
    key_of = _KEYS[by] if statuses is None else _by_status(statuses)
    groups: dict[tuple[str, ...], list[Cost]] = {}
    for cost in costs:
        groups.setdefault(key_of(cost), []).append(cost)
    ends = {day.isoformat(): in_usdc(amount) for day, amount in (balances or {}).items()}
    views = [_view(key[-1], group, by, ends.get(key[-1])) for key, group in groups.items()]
    if by in {By.DAY, By.MONTH}:
        return sorted(views, key=lambda view: view.what)
    return sorted(views, key=lambda view: (-(view.cost or 0), view.what))


def status_words(account: str, state: AccountState) -> Words:
    """What each thing of an account is, as of its last poll; what is missing is left out."""
    vms = {
        key: entry.vm.status.value
        for key, entry in state.known.items()
        if entry.missing_since is None
    }
    rented = {
        key: _status_word(entry.resource)
        for key, entry in state.resources.items()
        if entry.missing_since is None
    }
    return {(account, key): word for key, word in {**vms, **rented}.items()}


def _status_word(resource: Resource) -> str:
    if resource.is_gpu:
        return resource.status_word.lower()
    return "attached" if resource.attached_to else "unattached"


def total(costs: Iterable[Cost]) -> MicroUsdc:
    """What everything cost."""
    return MicroUsdc(sum(cost.amount for cost in costs))


def _view(what: str, group: list[Cost], by: By, balance: Decimal | None) -> CostView:
    last = group[-1]
    is_single = by is By.VM
    accounts = {cost.account for cost in group}
    guessed = [cost for cost in group if cost.certainty is Certainty.ESTIMATED]
    return CostView(
        what=_title(last) if is_single else what,
        account=last.account if len(accounts) == 1 else None,
        id=last.id if is_single else None,
        name=last.name if is_single else None,
        cost=in_usdc(total(group)),
        estimated=in_usdc(total(guessed)),
        days=len({cost.day for cost in group}),
        balance=balance,
    )


def _title(cost: Cost) -> str:
    title = vm_title(cost.id, cost.name)
    return title if cost.kind == VM else f"{words_of(cost.kind)[0]} {title}"


def _month(day: date) -> str:
    return f"{day:%Y-%m}"


_KeyOf = Callable[[Cost], tuple[str, ...]]


def _by_status(statuses: Words) -> _KeyOf:
    """What no list has is gone; of kinds that are in no list, nothing is known."""

    def key_of(cost: Cost) -> tuple[str, ...]:
        missing = GONE if cost.kind in _LISTED else UNKNOWN
        return (statuses.get((cost.account, cost.key), missing),)

    return key_of


_KEYS: Mapping[By, _KeyOf] = {
    By.STATUS: _by_status({}),
    By.VM: lambda cost: (cost.account, cost.key),
    By.KIND: lambda cost: (words_of(cost.kind)[1],),
    By.DATACENTER: lambda cost: (cost.place or UNKNOWN,),
    By.ACCOUNT: lambda cost: (cost.account,),
    By.DAY: lambda cost: (cost.day.isoformat(),),
    By.MONTH: lambda cost: (_month(cost.day),),
}

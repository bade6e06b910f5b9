"""What a deletion loses, costs and releases. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from fluence_watch.model.moment import distance, exact
from fluence_watch.model.money import MicroUsdc, usdc
from fluence_watch.model.vm import Status, Vm

_LONGEST_MARGIN = timedelta(seconds=60)
_MARGINS_AN_EPOCH = 100


@dataclass(frozen=True, slots=True)
class Removal:
    """The effect of a deletion on money, in micro-USDC.

    `paid_until` is the end of the running epoch, which is paid; `released` is the reserve that
    returns to the account. What the API does not report is `None`.
    """

    paid_until: datetime | None
    released: MicroUsdc | None
    ended: bool


def removal(vm: Vm, now: datetime) -> Removal:
    """The effect of deleting the VM now."""
    runs = vm.is_billed and vm.next_billing_at is not None and vm.next_billing_at > now
    return Removal(vm.next_billing_at if runs else None, vm.reserved, ended=not vm.is_billed)


def released(vms: Iterable[Vm]) -> tuple[MicroUsdc, int]:
    """What deleting all of them releases, and for how many it is unknown."""
    reserves = [vm.reserved for vm in vms]
    return MicroUsdc(sum(each or 0 for each in reserves)), reserves.count(None)


def about_money(vm: Vm, now: datetime) -> list[str]:
    """The sentences that say it."""
    what = removal(vm, now)
    reserve = "a reserve of unknown size" if what.released is None else None
    reserve = reserve or f"{usdc(what.released or MicroUsdc(0))} of reserve"
    if what.ended:
        by = "ended by its provider" if vm.status is Status.TERMINATED else "ended"
        return [f"{by}: deleting it releases {reserve}"]
    if what.paid_until is None:
        return [f"deleting it releases {reserve}", "until when it is paid is not known"]
    until, left = exact(what.paid_until, now), distance(what.paid_until, now)
    return [
        f"deleting it releases {reserve}",
        f"paid until {until}, {left}: deleting it earlier gives nothing of that back",
    ]


def default_margin(epoch: timedelta) -> timedelta:
    """How long before its boundary a VM is deleted: enough for a retry, and little of a paid epoch."""
    return min(_LONGEST_MARGIN, epoch / _MARGINS_AN_EPOCH)


def changed(shown: Vm, seen: Vm, now: datetime) -> str | None:
    """Why a VM must not be deleted at the end of its epoch as confirmed; `None` when it may."""
    if (shown.name or "") != (seen.name or ""):
        return "it was renamed meanwhile"
    if shown.next_billing_at != seen.next_billing_at:
        return "its next billing has moved meanwhile"
    if seen.next_billing_at is None or seen.next_billing_at <= now:
        return "the epoch that was to end has ended: the next one is charged already"
    return None

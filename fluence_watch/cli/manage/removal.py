"""What a deletion loses, costs and releases. Pure."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fluence_watch.cli.manage.choose import Target
from fluence_watch.model.billing import EPOCHS, Billing
from fluence_watch.model.funding import resources_burn, unpriced
from fluence_watch.model.moment import distance, exact
from fluence_watch.model.money import MicroUsdc, usdc
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.text import counted
from fluence_watch.model.vm import Status, Vm
from fluence_watch.views.vm import vm_title

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


def removal(vm: Vm, now: datetime, billing: Billing = EPOCHS) -> Removal:
    """The effect of deleting the VM now. Where billing is metered, nothing is paid in advance."""
    end = vm.next_billing_at if billing.prepaid and vm.is_billed else None
    runs = end is not None and end > now
    return Removal(end if runs else None, vm.reserved, ended=not vm.is_billed)


def released(vms: Iterable[Vm]) -> tuple[MicroUsdc, int]:
    """What deleting all of them releases, and for how many it is unknown."""
    reserves = [vm.reserved for vm in vms]
    return MicroUsdc(sum(each or 0 for each in reserves)), reserves.count(None)


def totals(also: Mapping[Target, Sequence[Resource]]) -> Iterator[str]:
    """What deleting several VMs releases, saves, and leaves behind, a line each."""
    prepaid = [target.vm for target in also if target.billing.prepaid]
    metered = [target for target in also if not target.billing.prepaid]
    if prepaid:
        total, unknown = released(prepaid)
        more = f", and that of {unknown} which is not known" if unknown else ""
        yield f"{counted(len(prepaid), 'VM')}: {usdc(total)} of reserve are released{more}"
    if metered:
        gone = {each.key for target in metered for each in also[target]}
        stays = {e.key: e for target in metered for e in target.rented if e.key not in gone}
        yield f"{counted(len(metered), 'VM')} billed by the second: that stops at once"
        if stays:
            burn, unknown = usdc(resources_burn(stays.values())), unpriced(stays.values())
            more = f", and what {unknown} of them cost, which is not known" if unknown else ""
            what = counted(len(stays), "disk or public IP", "disks and public IPs")
            yield f"{what} left, until deleted: {burn} a day{more}"


def deleted_with(
    targets: Iterable[Target], kinds: Container[Kind]
) -> dict[Target, tuple[Resource, ...]]:
    """The disks and addresses of `kinds` that are deleted after each VM.

    A resource that a VM which stays needs too is left alone. One that several of the VMs need is
    deleted after the last of them.
    """
    listed = tuple(targets)
    last = {(each.account, each.key): each for each in listed}
    chosen: dict[Target, list[Resource]] = {each: [] for each in listed}
    wanted = {
        (each.account, resource.key): resource
        for each in listed
        for resource in each.rented
        if resource.kind in kinds
    }
    for (account, _), resource in wanted.items():
        users = [(account, vm_id) for vm_id in resource.attached_to]
        if all(user in last for user in users):
            chosen[max((last[user] for user in users), key=listed.index)].append(resource)
    return {target: tuple(found) for target, found in chosen.items()}


def about_money(target: Target, now: datetime, gone: Container[Resource] = ()) -> list[str]:
    """The sentences that say what a deletion does to the money.

    `gone` holds the disks and addresses that are deleted as well.
    """
    if not target.billing.prepaid:
        return list(_metered(target, gone))
    vm, what = target.vm, removal(target.vm, now, target.billing)
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


def _metered(target: Target, gone: Container[Resource]) -> Iterator[str]:
    vm = target.vm
    if not vm.is_billed:
        what = "a draft" if vm.status is Status.DRAFT else "ended"
        yield f"{what}: it costs nothing"
    elif vm.price is None:
        yield "it is billed by the second, at a price that is not known: that stops at once"
    else:
        yield f"it costs {usdc(vm.price)} an hour, billed by the second: that stops at once"
    for each in target.rented:
        title = f"{each.kind.word} {vm_title(each.id, each.name)}"
        if each in gone:
            yield f"{title} is deleted too: it costs {a_day(each)}"
        else:
            yield f"{title} stays and costs {a_day(each)}, until it is deleted"
    for kind in sorted(target.unlisted):
        yield f"its {kind.words} are not known: what it has of them stays and costs money"


def a_day(resource: Resource) -> str:
    """What a disk or an address costs."""
    if resource.price is None:
        return "an unknown amount"
    return f"{usdc(resources_burn([resource]))} a day"


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

"""The price of a VM, a disk, a public IP or a GPU instance differs from the last known one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity, VmRef, ref
from fluence_watch.model.funding import DAYS_A_MONTH, FOREVER, funded_until, resources_burn
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Resource, ResourceRef
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.base import EventSettings, Judgement, Level, event_rule
from fluence_watch.rules.situation import Situation

NAME = "price_changed"
_TENTH = Decimal("0.1")


class PriceChangedSettings(EventSettings):
    """How a new price is reported."""

    severity: Level = Severity.WARNING


@dataclass(frozen=True, slots=True)
class PriceChanged:
    """Both prices per epoch and their difference, in micro-USDC; per hour if `metered`.

    `percent` is the difference relative to the old price, with one decimal.
    It is `None` if the old price was zero.
    `funded_until` is how long the reserve lasts at the new price, `None` if unknown or unlimited.
    """

    vm: VmRef
    old: MicroUsdc
    new: MicroUsdc
    difference: MicroUsdc
    percent: Decimal | None
    funded_until: datetime | None
    metered: bool = False


@dataclass(frozen=True, slots=True)
class ResourcePriceChanged:
    """The same of something that is billed by itself, and what it costs in 30 days now.

    Its prices are for an hour. `attached` is whether a VM uses it.
    """

    resource: ResourceRef
    old: MicroUsdc
    new: MicroUsdc
    difference: MicroUsdc
    percent: Decimal | None
    per_month: MicroUsdc
    attached: bool = False


def judge(situation: Situation, settings: PriceChangedSettings) -> Judgement:
    """Report everything billed whose price differs from the last known one."""
    return Judgement([*_vms(situation, settings), *_resources(situation, settings)])


def _vms(situation: Situation, settings: PriceChangedSettings) -> Iterator[Finding]:
    for key, vm in situation.news:
        entry = situation.before.get(key)
        old = entry.last_known.price if entry and _is_same_vm(entry.last_known, vm) else None
        if old is None or vm.price is None or old == vm.price or not vm.is_billed:
            continue
        yield _finding(situation, settings, key, _facts(situation, vm, old, vm.price))


def _resources(situation: Situation, settings: PriceChangedSettings) -> Iterator[Finding]:
    listed = situation.snapshot.resources if situation.snapshot else {}
    for key, each in listed.items():
        before = situation.resources_before.get(key)
        old = before.resource.price if before and _is_same(before.resource, each) else None
        if old is None or each.price is None or old == each.price or not each.is_billed:
            continue
        facts = ResourcePriceChanged(
            each.ref,
            old,
            each.price,
            *_change(old, each.price),
            per_month=MicroUsdc(DAYS_A_MONTH * resources_burn([each])),
            attached=bool(each.attached_to),
        )
        yield _finding(situation, settings, key, facts)


def _is_same_vm(before: Vm, after: Vm) -> bool:
    """Whether it is what it was. A draft that is launched is not."""
    return before.status is not Status.DRAFT and before.plan in {None, after.plan}


def _is_same(before: Resource, after: Resource) -> bool:
    """Whether it is what it was. A disk that has grown is not."""
    size = before.size_bytes in {None, after.size_bytes}
    return size and before.plan in {None, after.plan}


def _finding(
    situation: Situation, settings: PriceChangedSettings, key: str, facts: object
) -> Finding:
    fingerprint = Fingerprint(situation.account, NAME, key, situation.now.isoformat())
    return Finding(fingerprint, settings.severity, facts, at_once=True)


def _change(old: MicroUsdc, new: MicroUsdc) -> tuple[MicroUsdc, Decimal | None]:
    """The difference, and what it is relative to the old price, in percent."""
    more = new - old
    percent = (Decimal(100 * more) / old).quantize(_TENTH) if old else None
    return MicroUsdc(more), percent


def _facts(situation: Situation, vm: Vm, old: MicroUsdc, new: MicroUsdc) -> PriceChanged:
    until, (difference, percent) = funded_until(vm, situation.billing), _change(old, new)
    return PriceChanged(
        vm=ref(vm),
        old=old,
        new=new,
        difference=difference,
        percent=percent,
        funded_until=None if until == FOREVER else until,
        metered=not situation.billing.prepaid,
    )


RULE = event_rule(
    NAME, PriceChangedSettings, (PriceChanged, ResourcePriceChanged), judge, impact=Impact.COST
)

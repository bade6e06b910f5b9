"""A VM is in the list for the first time.

What an account has at its first poll is not news, and neither is a draft that nobody has launched. A
VM that was created more than `HIDDEN_AFTER` before the last poll was there already: an incomplete list
had left it out, or it was forgotten after it was lost.

No command of fluence-watch makes VMs, so there is nothing of our own to leave out.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity, VmRef, ref
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.base import EventSettings, Judgement, Level, Situation, event_rule

NAME = "vm_appeared"
HIDDEN_AFTER = timedelta(hours=1)


class VmAppearedSettings(EventSettings):
    """How a new VM is reported."""

    severity: Level = Severity.WARNING


@dataclass(frozen=True, slots=True)
class VmAppeared:
    """The new VM. Amounts are micro-USDC, `None` is unknown.

    `price` is for an epoch; if `metered`, for an hour, and there are no charges at a time.
    """

    vm: VmRef
    price: MicroUsdc | None
    spent: MicroUsdc | None
    created_at: datetime | None
    next_billing_at: datetime | None
    ports: tuple[str, ...] | None
    public_ip: str | None
    metered: bool = False


def judge(situation: Situation, settings: VmAppearedSettings) -> Judgement:
    """Report every VM that is billed and was not known before, and every draft that was launched."""
    if situation.last_good_at is None:
        return Judgement()
    return Judgement(
        [
            Finding(
                Fingerprint(situation.account, NAME, key, situation.now.isoformat()),
                settings.severity,
                _facts(situation, vm),
                at_once=True,
            )
            for key, vm in situation.vms.items()
            if vm.is_billed and _is_new(situation, vm, situation.last_good_at)
        ]
    )


def _is_new(situation: Situation, vm: Vm, last_good_at: datetime) -> bool:
    entry = situation.before.get(vm.key)
    if entry is not None:
        return entry.vm.status is Status.DRAFT
    return vm.created_at is None or vm.created_at >= last_good_at - HIDDEN_AFTER


def _facts(situation: Situation, vm: Vm) -> VmAppeared:
    metered = not situation.billing.prepaid
    return VmAppeared(
        ref(vm),
        vm.price,
        None if metered else vm.spent,
        vm.created_at,
        None if metered else vm.next_billing_at,
        None if vm.ports is None else tuple(map(str, vm.ports)),
        vm.public_ip,
        metered,
    )


RULE = event_rule(NAME, VmAppearedSettings, (VmAppeared,), judge, impact=Impact.COST)

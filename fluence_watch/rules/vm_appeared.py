"""A VM is in the list for the first time, or again after it was forgotten.

What an account has at its first poll is not news, and neither is a draft that nobody has launched.

    created                                    verdict
    within `HIDDEN_AFTER` of the last poll     new
    since the account is watched, and within   new: it is seen late, for the first time, because
      `forget_after`                             nothing that was seen can be forgotten by now
    before the account is watched, which is    nothing: a list may have left it out until now
      within `forget_after`
    earlier                                    it is back, unless it was there and unreadable

No command of fluence-watch makes VMs. One that `vm rm` deleted may be in a list that lags behind.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity, VmRef, ref
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.note import NoteAction
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules import vm_unreadable
from fluence_watch.rules.base import EventSettings, Judgement, Level, event_rule
from fluence_watch.rules.situation import Situation

NAME = "vm_appeared"
HIDDEN_AFTER = timedelta(hours=1)


class VmAppearedSettings(EventSettings):
    """How a new VM is reported."""

    severity: Level = Severity.WARNING


@dataclass(frozen=True, slots=True)
class VmAppeared:
    """The new VM. Amounts are micro-USDC, `None` is unknown.

    `price` is for an epoch; if `metered`, for an hour, and there are no charges at a time.
    One that has `returned` was there long before, and was not in the list lately.
    """

    vm: VmRef
    price: MicroUsdc | None
    spent: MicroUsdc | None
    created_at: datetime | None
    next_billing_at: datetime | None
    ports: tuple[str, ...] | None
    public_ip: str | None
    metered: bool = False
    returned: bool = False


def judge(situation: Situation, settings: VmAppearedSettings) -> Judgement:
    """Report every VM that is billed and was not known before, and every draft that was launched."""
    if situation.last_good_at is None:
        return Judgement()
    found = [vm for _, vm in situation.news if vm.is_billed and _is_unknown(situation, vm)]
    return Judgement(
        [
            Finding(
                Fingerprint(situation.account, NAME, vm.key, situation.now.isoformat()),
                settings.severity,
                _facts(situation, vm, returned=returned),
                at_once=True,
            )
            for vm in found
            if (returned := _has_returned(situation, vm)) is not None
        ]
    )


def _is_unknown(situation: Situation, vm: Vm) -> bool:
    """Whether it was not in the list, or as a draft, and nobody has deleted it with fluence-watch."""
    entry = situation.before.get(vm.key)
    if entry is not None:
        return entry.vm.status is Status.DRAFT
    return (NoteAction.REMOVED, vm.key) not in situation.expected_changes


def _has_returned(situation: Situation, vm: Vm) -> bool | None:
    """Whether it is back, or else new; `None` if it may have been there all the time."""
    created, last_good_at = vm.created_at, situation.last_good_at
    assert last_good_at
    if created is None or vm.key in situation.before or created >= last_good_at - HIDDEN_AFTER:
        return False
    begun_at, long_ago = situation.begun_at or last_good_at, situation.now - situation.forget_after
    if max(created, begun_at) > long_ago:
        return False if created >= begun_at else None
    unread = Fingerprint(situation.account, vm_unreadable.NAME, vm.key)
    return None if unread in situation.alerts else True


def _facts(situation: Situation, vm: Vm, *, returned: bool) -> VmAppeared:
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
        returned,
    )


RULE = event_rule(NAME, VmAppearedSettings, (VmAppeared,), judge, impact=Impact.COST)

"""A VM is in the list for the first time, or again after it was forgotten.

What an account has at its first poll is not news, and neither is a draft that nobody has launched.
A VM that was created more than `HIDDEN_AFTER` before the last poll was there already. In the first
days of an account, an incomplete list had left it out. After `WATCHED_FOR`, it was forgotten when it was
lost, and is back; but what was there and could not be read is not news.

No command of fluence-watch makes VMs. One that `vm rm` deleted may be in a list that lags behind.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity, VmRef, ref
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.note import NoteAction
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules import vm_unreadable
from fluence_watch.rules.base import EventSettings, Judgement, Level, Situation, event_rule

NAME = "vm_appeared"
HIDDEN_AFTER = timedelta(hours=1)
WATCHED_FOR = timedelta(days=7)


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
    last_good_at = situation.last_good_at
    if last_good_at is None:
        return Judgement()
    found = [vm for vm in situation.vms.values() if vm.is_billed and _is_unknown(situation, vm)]
    returned = {vm.key for vm in found if _was_there(situation, vm, last_good_at)}
    hidden = _hidden(situation, returned) if returned else returned
    return Judgement(
        [
            Finding(
                Fingerprint(situation.account, NAME, vm.key, situation.now.isoformat()),
                settings.severity,
                _facts(situation, vm, returned=vm.key in returned),
                at_once=True,
            )
            for vm in found
            if vm.key not in hidden
        ]
    )


def _is_unknown(situation: Situation, vm: Vm) -> bool:
    """Whether it was not in the list, or as a draft, and nobody has deleted it with fluence-watch."""
    entry = situation.before.get(vm.key)
    if entry is not None:
        return entry.vm.status is Status.DRAFT
    return (NoteAction.REMOVED, vm.key) not in situation.expected_changes


def _was_there(situation: Situation, vm: Vm, last_good_at: datetime) -> bool:
    """Whether it is older than the last poll, and thus not new."""
    is_old = vm.created_at is not None and vm.created_at < last_good_at - HIDDEN_AFTER
    return is_old and vm.key not in situation.before


def _hidden(situation: Situation, returned: set[str]) -> set[str]:
    """Those of them that may have been in the list all the time, as far as that could be read."""
    week_ago, spending = situation.now - WATCHED_FOR, situation.spending
    is_watched = any(each.first_seen_at <= week_ago for each in situation.before.values())
    if not is_watched and (spending is None or len(spending.days) <= WATCHED_FOR.days):
        return returned
    return returned & {each.subject for each in situation.alerts if each.rule == vm_unreadable.NAME}


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

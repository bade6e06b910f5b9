"""The reserve of a VM was not topped up after a charge. Source: Fluence guide, billing info.

At each boundary an epoch is charged from the reserve, which is then topped up from the account to one
epoch. If that fails, the VM runs until what is paid is used up. The first charge that the reserve
cannot pay ends the VM, and its disk is lost.

`for` counts from the boundary, also if that was seen late; but one poll alone may see no more than the
dip before a top-up, so an earlier one must have seen it too. Neither is waited for if the API itself
reports low funds. If polls saw the boundary before its charge, `for` counts from the charge. A reserve that paid an epoch since the boundary is not this rule's, however low it is.

If several VMs of the account are short for so long, each finding has what all of them lack. One more of
them is not worse for the others: it has a message of its own, with the new sum. One that dips at its own
boundary is not among them.

    step 0    6 hours or more are left, or the end is unknown
    step 1    less than 6 hours are left
    step 2    less than an hour is left
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import Field

from fluence_watch.model.boundaries import GRACE, Boundaries
from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity, VmRef, ref
from fluence_watch.model.funding import is_short, lacking_for_month, lacking_together
from fluence_watch.model.horizon import JUST_AFTER, Horizon, next_of
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import OUT_OF_FUNDS, Vm
from fluence_watch.rules.base import Duration, Judgement, Level, Rule, RuleSettings
from fluence_watch.rules.situation import Situation

NAME = "topup_failed"
_STEPS = timedelta(hours=6), timedelta(hours=1)


class TopupFailedSettings(RuleSettings):
    """How long a top-up may take."""

    severity: Level = Severity.CRITICAL
    hold: Duration = Field(
        default=GRACE,
        alias="for",
        description="how long after a charge the reserve may be topped up",
    )


@dataclass(frozen=True, slots=True)
class ShortVms:
    """All VMs of an account whose top-ups are late. Amounts are micro-USDC.

    `missing` is for an epoch of each, `for_month` for 30 days, `None` if that is unknown.
    `first_ends_at` is when the first of them ends, as far as that is known.
    """

    number: int
    missing: MicroUsdc
    for_month: MicroUsdc | None
    first_ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class TopupFailed:
    """What is missing, and when that ends the VM. Amounts are micro-USDC, a size is bytes.

    `boundary` is the charge that was not followed by a top-up: the boundary, or when it was seen if it came
    late. `ends_at` is the charge that cannot be paid.
    `missing` is for an epoch, `for_month` for 30 days. Unknown values are `None`.
    `status` is the API's own word, if the API itself reports low funds.
    `together` is there if other VMs of the account are short too.
    """

    vm: VmRef
    price: MicroUsdc
    reserved: MicroUsdc
    missing: MicroUsdc
    for_month: MicroUsdc | None
    boundary: datetime
    ends_at: datetime | None
    disk_bytes: int | None = None
    public_ip: str | None = None
    status: str | None = None
    together: ShortVms | None = None


def judge(situation: Situation, settings: TopupFailedSettings) -> Judgement:
    """Report every billed VM that has not been topped up since its last boundary."""
    if not situation.billing.prepaid:
        return Judgement(gone=frozenset(situation.vms))
    short: list[tuple[Vm, Boundaries]] = []
    unknown, gone = set(), set()
    for key, vm in situation.vms.items():
        if not vm.is_billed:
            gone.add(key)
        elif vm.price is None or vm.reserved is None:
            unknown.add(key)
        elif is_short(vm):
            entry = situation.known.get(key)
            if entry is None or entry.boundaries is None:
                unknown.add(key)
            elif not entry.boundaries.covered:
                short.append((vm, entry.boundaries))
    late = {vm.key: vm for vm, last in short if _is_late(situation, settings, vm, last)}
    together = _together(situation, late.values()) if len(late) > 1 else None
    findings = [
        _finding(situation, settings, vm, last, together if vm.key in late else None)
        for vm, last in short
    ]
    return Judgement(findings, frozenset(unknown), frozenset(gone))


def _is_late(
    situation: Situation, settings: TopupFailedSettings, vm: Vm, boundaries: Boundaries
) -> bool:
    """Whether more than one poll saw it, after the time that a top-up may take: not only a dip."""
    seen = Fingerprint(situation.account, NAME, vm.key) in situation.alerts
    is_late = seen and boundaries.is_overdue(situation.now, settings.hold, vm.status)
    return vm.status in OUT_OF_FUNDS or is_late


def _together(situation: Situation, vms: Collection[Vm]) -> ShortVms:
    ends = (vm.next_billing_at for vm in vms)
    return ShortVms(
        number=len(vms),
        missing=MicroUsdc(sum(_missing(vm) for vm in vms)),
        for_month=lacking_together(vms, situation.now, situation.billing).whole,
        first_ends_at=min((end for end in ends if end), default=None),
    )


def _missing(vm: Vm) -> MicroUsdc:
    """What its reserve lacks to pay an epoch."""
    return MicroUsdc((vm.price or 0) - (vm.reserved or 0))


def _finding(
    situation: Situation,
    settings: TopupFailedSettings,
    vm: Vm,
    boundaries: Boundaries,
    together: ShortVms | None,
) -> Finding:
    now, due_from = situation.now, boundaries.topup_due_from
    facts = _facts(situation, vm, due_from, together)
    fingerprint = Fingerprint(situation.account, NAME, vm.key)
    since = situation.since.get(fingerprint)
    is_seen_again = since is not None and since >= boundaries.passed_at
    is_overdue = boundaries.is_overdue(now, settings.hold, vm.status)
    return Finding(
        fingerprint,
        settings.severity,
        facts,
        at_once=facts.status is not None or (is_seen_again and is_overdue),
        step=_step(facts, now),
        began_at=due_from,
    )


def _facts(
    situation: Situation, vm: Vm, due_from: datetime, together: ShortVms | None
) -> TopupFailed:
    assert vm.price is not None
    assert vm.reserved is not None
    return TopupFailed(
        vm=ref(vm),
        price=vm.price,
        reserved=vm.reserved,
        missing=_missing(vm),
        for_month=lacking_for_month(vm, situation.now, situation.billing),
        boundary=due_from,
        ends_at=vm.next_billing_at,
        disk_bytes=vm.storage_bytes,
        public_ip=vm.public_ip,
        status=vm.status_word if vm.status in OUT_OF_FUNDS else None,
        together=together,
    )


def _step(facts: TopupFailed, now: datetime) -> int:
    """How many of the steps have been reached."""
    if facts.ends_at is None:
        return 0
    return sum(facts.ends_at - now < each for each in _STEPS)


def holds_until(situation: Situation, settings: TopupFailedSettings) -> Horizon:
    """Until a top-up is overdue, and until the next step."""
    entries = (situation.known.get(key) for key, vm in situation.vms.items() if is_short(vm))
    short = [each for each in entries if each and each.boundaries and not each.boundaries.covered]
    overdue = [each.boundaries.topup_due_from + settings.hold for each in short if each.boundaries]
    ends = [end for each in short if (end := each.vm.next_billing_at)]
    steps = [end - step + JUST_AFTER for end in ends for step in _STEPS]
    return next_of(situation.now, [*overdue, *steps])


def _deadline(facts: object) -> datetime | None:
    return facts.ends_at if isinstance(facts, TopupFailed) else None


RULE = Rule(
    NAME,
    TopupFailedSettings,
    (TopupFailed,),
    judge,
    impact=Impact.FUNDS,
    deadline=_deadline,
    mutes=frozenset({"low_balance", "billing_due"}),
    holds_until=holds_until,
)

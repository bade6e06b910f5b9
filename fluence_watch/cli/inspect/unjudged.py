"""What a poll leaves unknown, so that no rule judges it."""

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence

from fluence_watch.app.decide import Policy
from fluence_watch.model.finding import Fingerprint
from fluence_watch.model.resource import Kind
from fluence_watch.model.snapshot import Outcome, Rejected, Snapshot
from fluence_watch.model.text import inert
from fluence_watch.model.vm import STARTING, Status, Vm
from fluence_watch.rules import (
    account_low,
    bill_mismatch,
    funds_exhausted_soon,
    gpu_reserve,
    gpu_status,
    idle_resource,
    overpriced,
    poll_failing,
    port_drift,
    price_changed,
    ssh_key_drift,
    vm_unreadable,
    vm_vanished,
)

_NAMED = 5
_RULES_ON = {
    "balance": [account_low.NAME, funds_exhausted_soon.NAME],
    "SSH keys": [ssh_key_drift.NAME],
    "charges": [bill_mismatch.NAME],
    "market": [overpriced.NAME],
}
_RULES_ON_KINDS = [
    vm_vanished.NAME,
    idle_resource.NAME,
    gpu_reserve.NAME,
    gpu_status.NAME,
    account_low.NAME,
    funds_exhausted_soon.NAME,
    price_changed.NAME,
    overpriced.NAME,
]
_OF_THE_PAST = frozenset({"charges"})
"""What says nothing of how things are now."""


def left_unknown(outcome: Outcome, policy: Policy) -> bool:
    """Whether the poll of an account left anything unknown that a rule would judge."""
    if not isinstance(outcome, Snapshot) or outcome.incomplete_because or outcome.rejected:
        return True
    if _unknown_facts(outcome, policy):
        return True
    return any(_rule_on(what, policy) for what in outcome.unknown.keys() - _OF_THE_PAST)


def unjudged(
    outcome: Outcome, policy: Policy, found: Container[Fingerprint | None]
) -> Iterator[str]:
    """What the poll of an account left unknown, and why, a line each; without what a finding reports."""
    failing = Fingerprint(outcome.account, poll_failing.NAME)
    if not isinstance(outcome, Snapshot):
        if failing not in found:
            yield inert(outcome.message)
        return
    if outcome.incomplete_because and failing not in found:
        yield f"the list of VMs: {inert(outcome.incomplete_because)}"
    yield from _unread(outcome, found)
    for what, vms in _unknown_facts(outcome, policy, found).items():
        names = [inert(vm.name or vm.id, 60) for vm in vms]
        yield f"{what} unknown: {', '.join(names[:_NAMED])}{_more(names, ' and {} more')}"
    for what, why in outcome.unknown.items():
        if what == "permissions":
            yield f"what the key may do is unknown: {inert(why)}"
        elif rule := _rule_on(what, policy):
            yield f"{what}, so {rule} is not judged: {inert(why)}"


def _unread(snapshot: Snapshot, found: Container[Fingerprint | None]) -> Iterator[str]:
    unread = [each for each in snapshot.rejected if _finding_on(each, snapshot) not in found]
    for each in unread[:_NAMED]:
        vm = f"VM {inert(each.vm_id, 60)}" if each.vm_id else "a VM"
        yield f"{vm}: {inert(each.where)}: {inert(each.why)}"
    if more := _more(unread, "and {} more VMs"):
        yield more


def _more(items: Sequence[object], text: str) -> str:
    """The text with the number of items that are not named; empty if there are none."""
    return text.format(len(items) - _NAMED) if len(items) > _NAMED else ""


def _unknown_facts(
    snapshot: Snapshot, policy: Policy, found: Container[Fingerprint | None] = ()
) -> Mapping[str, list[Vm]]:
    """The VMs without a fact that an enabled rule judges, by fact; without what a finding reports."""
    unknown: defaultdict[str, list[Vm]] = defaultdict(list)
    ports_matter = policy.rules[port_drift.NAME].enabled
    for key, vm in snapshot.vms.items():
        reported = (
            Fingerprint(snapshot.account, vm_unreadable.NAME, key, vm_unreadable.MONEY) in found
        )
        for what in () if reported else snapshot.unknown_money(vm):
            unknown[what].append(vm)
        if vm.status is Status.UNKNOWN:
            unknown[f"the meaning of the status {inert(vm.status_word, 40) or 'null'}"].append(vm)
        elif ports_matter and vm.ports is None and vm.is_billed and vm.status not in STARTING:
            unknown["ports"].append(vm)
    return unknown


def _finding_on(element: Rejected, snapshot: Snapshot) -> Fingerprint | None:
    """The finding about an unreadable element, where its rule is enabled."""
    if element.vm_id and not snapshot.unreadable:
        return Fingerprint(snapshot.account, vm_unreadable.NAME, element.vm_id.lower())
    nameless = next((each for each in snapshot.rejected if not each.vm_id), None)
    named = element is nameless and not snapshot.incomplete_because
    return (
        Fingerprint(snapshot.account, poll_failing.NAME) if snapshot.unreadable or named else None
    )


def _rule_on(what: str, policy: Policy) -> str | None:
    """The enabled rule that judges it, if any."""
    rules = _RULES_ON_KINDS if what in {kind.words for kind in Kind} else _RULES_ON.get(what, [])
    return next((rule for rule in rules if policy.rules[rule].enabled), None)


def is_of_vms(fingerprint: Fingerprint) -> bool:
    """Whether the finding is about VMs, and not about what is unknown of them."""
    return fingerprint.rule not in {poll_failing.NAME, vm_unreadable.NAME}

"""Why rules have no finding of a VM now, from the state that is stored. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import datetime

from fluence_watch.alerting.conditions import EVERY_VM, Conditions
from fluence_watch.alerting.state import AccountState
from fluence_watch.model.funding import is_short
from fluence_watch.model.known import KnownVm
from fluence_watch.model.moment import distance, exact
from fluence_watch.model.presence import Presence
from fluence_watch.model.text import counted, inert
from fluence_watch.model.vm import STARTING, Status
from fluence_watch.rules import (
    RULES,
    billing_due,
    locked_funds,
    low_balance,
    port_drift,
    price_changed,
    topup_failed,
    unexpected_charge,
    vm_status,
    vm_vanished,
)
from fluence_watch.rules.base import Rule, RuleSettings
from fluence_watch.rules.situation import Scope
from fluence_watch.views.why import RuleNow
from fluence_watch.views.why_others import rule_of

DISABLED, MUTED, NOT_JUDGED, NOTHING_FOUND = "disabled", "muted", "not_judged", "nothing_found"


def rules_now(
    key: str,
    state: AccountState,
    presence: Presence,
    settings: Mapping[str, RuleSettings],
    now: datetime,
) -> Iterator[RuleNow]:
    """The rules about VMs that have no open alert about this one, each with the reason."""
    open_rules = {each.rule for each in state.alerts if each.subject == key}
    for rule in RULES:
        if rule.name in open_rules or not _is_of_vms(rule):
            continue
        why, words = (
            _disabled(rule, settings)
            or _muted(rule, key, state)
            or _not_judged(rule, state.known.get(key), state, presence, now)
            or (NOTHING_FOUND, f"nothing found at the last poll{_last(state, now)}")
        )
        yield RuleNow(rule.name, why, words)


def _is_of_vms(rule: Rule) -> bool:
    named = (each.name for facts in rule.facts for each in fields(facts))
    return rule.scope is Scope.ACCOUNT and "vm" in named


_Found = tuple[str, str] | None


def _disabled(rule: Rule, settings: Mapping[str, RuleSettings]) -> _Found:
    if settings[rule.name].enabled:
        return None
    return DISABLED, f"disabled: rules.{rule.name}.enabled = false"


def _muted(rule: Rule, key: str, state: AccountState) -> _Found:
    by = state.conditions.muted.get((rule.name, key))
    return (MUTED, f"muted: {rule_of(by)} says more") if by else None


def _not_judged(
    rule: Rule, entry: KnownVm | None, state: AccountState, presence: Presence, now: datetime
) -> _Found:
    conditions = state.conditions
    why = None if rule.judges_failures else _failing(conditions, now)
    if why is None and entry is None:
        why = ": the VM is not known any more"
    elif why is None and entry is not None:
        why = _unseen(rule, entry, conditions, presence) or _undecided(rule, entry)
    return (NOT_JUDGED, f"not judged{why}") if why else None


def _failing(conditions: Conditions, now: datetime) -> str | None:
    if not conditions.failing:
        return None
    since = conditions.failing_since
    lasting = f" since {exact(since, now)}, {distance(since, now)}" if since else ""
    return f": polls fail ({conditions.failing}){lasting}"


def _unseen(rule: Rule, entry: KnownVm, conditions: Conditions, presence: Presence) -> str | None:
    """What kept the last poll from seeing the VM."""
    incomplete = inert(conditions.incomplete)
    is_listed = rule.name == vm_vanished.NAME and not incomplete
    if entry.missing_since is not None:
        return f": {_missing(rule, entry, presence)}"
    if conditions.unread & {entry.vm.key, EVERY_VM} and not is_listed:
        return ": the VM cannot be read"
    if incomplete:
        return f" if the VM is not in the list, which is not complete: {incomplete}"
    return None


def _undecided(rule: Rule, entry: KnownVm) -> str | None:
    """What of the VM is not known."""
    if entry.vm.status in _INCONCLUSIVE.get(rule.name, ()) and not entry.removal_asked_at:
        return f" while its status is {inert(entry.vm.status_word)}"
    unknown = [name for name, fact in _facts(rule, entry).items() if fact is None]
    return f": {', '.join(unknown)} unknown" if unknown else None


def _missing(rule: Rule, entry: KnownVm, presence: Presence) -> str:
    key = entry.vm.key
    doubt = next((each for each in presence.doubts if key in each.vms), None)
    if doubt:
        return f"{len(doubt.vms)} of {doubt.among} VMs left the list at once, so it is not trusted"
    if key in presence.lost:
        return "the VM is gone"
    seen = f"missing from {counted(entry.missing_polls, 'complete list')}"
    return f"{seen}, fewer than confirm_polls" if rule.name == vm_vanished.NAME else seen


_INCONCLUSIVE: Mapping[str, frozenset[Status]] = {
    locked_funds.NAME: locked_funds.INCONCLUSIVE,
    port_drift.NAME: STARTING - {Status.DRAFT},
    vm_status.NAME: vm_status.INCONCLUSIVE,
}
"""The statuses with which a rule does not judge a VM."""


def _facts(rule: Rule, entry: KnownVm) -> Mapping[str, object]:
    """What the rule cannot judge a VM without."""
    vm = entry.vm
    if rule.name == locked_funds.NAME:
        return {"reserve": vm.reserved}
    if not vm.is_billed:
        return {}
    money = {"price": vm.price, "reserve": vm.reserved}
    latest = {"latest boundary": entry.boundaries} if is_short(vm) else {}
    charged = {"price": vm.price, "spent": vm.spent, "next charge": vm.next_billing_at}
    is_odd = entry.boundaries is not None and entry.boundaries.odd is not None
    needed: dict[str, Mapping[str, object]] = {
        topup_failed.NAME: {**money, **latest},
        port_drift.NAME: {"ports": vm.ports},
        low_balance.NAME: money,
        billing_due.NAME: {"next charge": vm.next_billing_at},
        price_changed.NAME: {"price": vm.price},
        unexpected_charge.NAME: charged if is_odd else {},
    }
    return needed.get(rule.name, {})


def _last(state: AccountState, now: datetime) -> str:
    return f", {distance(state.last_poll_at, now)}" if state.last_poll_at else ""

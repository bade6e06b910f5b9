"""Why rules have no finding of a VM now, from the state that is stored. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import datetime

from fluence_watch.alerting.state import AccountState
from fluence_watch.model.known import KnownVm
from fluence_watch.model.moment import distance, exact
from fluence_watch.model.presence import Presence
from fluence_watch.model.text import inert
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules import (
    RULES,
    billing_due,
    locked_funds,
    low_balance,
    port_drift,
    price_changed,
    topup_failed,
    vm_status,
    vm_unreadable,
    vm_vanished,
)
from fluence_watch.rules.base import Rule, RuleSettings, Scope
from fluence_watch.views.why import RuleNow

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
    return (MUTED, f"muted: {inert(by)} says more") if by else None


def _not_judged(
    rule: Rule, entry: KnownVm | None, state: AccountState, presence: Presence, now: datetime
) -> _Found:
    conditions = state.conditions
    if conditions.failing and not rule.judges_failures:
        since = conditions.failing_since
        lasting = f" since {exact(since, now)}, {distance(since, now)}" if since else ""
        return NOT_JUDGED, f"not judged: polls fail ({conditions.failing}){lasting}"
    if entry is None:
        return NOT_JUDGED, "not judged: the VM is not known any more"
    if entry.missing_since is not None:
        return NOT_JUDGED, f"not judged: {_missing(rule, entry, presence)}"
    if any(
        f.rule == vm_unreadable.NAME and f.subject == entry.vm.key and not f.key
        for f in state.alerts
    ):
        return NOT_JUDGED, "not judged: the VM cannot be read"
    if conditions.incomplete:
        why = inert(conditions.incomplete)
        return NOT_JUDGED, f"not judged if the VM is not in the list, which is not complete: {why}"
    unknown = [name for name, fact in _facts(rule, entry.vm).items() if fact is None]
    return (NOT_JUDGED, f"not judged: {', '.join(unknown)} unknown") if unknown else None


def _missing(rule: Rule, entry: KnownVm, presence: Presence) -> str:
    key = entry.vm.key
    doubt = next((each for each in presence.doubts if key in each.vms), None)
    if doubt:
        return f"{len(doubt.vms)} of {doubt.among} VMs left the list at once, so it is doubted"
    if key in presence.lost:
        return "the VM is gone"
    seen = f"missing from {entry.missing_polls} complete lists"
    return f"{seen}, fewer than confirm_polls" if rule.name == vm_vanished.NAME else seen


def _facts(rule: Rule, vm: Vm) -> dict[str, object]:
    """What the rule cannot judge a VM without."""
    status = None if vm.status is Status.UNKNOWN else vm.status
    known: dict[str, object] = {"price": vm.price, "reserve": vm.reserved}
    money = known if vm.is_billed else {}
    needed: dict[str, dict[str, object]] = {
        topup_failed.NAME: money,
        locked_funds.NAME: {"reserve": vm.reserved},
        vm_status.NAME: {"the meaning of its status": status},
        port_drift.NAME: {"ports": vm.ports} if vm.is_billed else {},
        low_balance.NAME: money,
        billing_due.NAME: {"next charge": vm.next_billing_at} if vm.is_billed else {},
        price_changed.NAME: {"price": vm.price} if vm.is_billed else {},
    }
    return needed.get(rule.name, {})


def _last(state: AccountState, now: datetime) -> str:
    return f", {distance(state.last_poll_at, now)}" if state.last_poll_at else ""

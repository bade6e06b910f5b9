"""The rules and their evaluation. A new rule is one file in this package and one line in RULES."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

from fluence_watch.model.finding import Finding, Fingerprint, Verdict
from fluence_watch.rules import (
    account_low,
    bill_mismatch,
    billing_due,
    budget,
    debt,
    delivery_failing,
    funds_exhausted_soon,
    gpu_reserve,
    gpu_status,
    idle_resource,
    locked_funds,
    low_balance,
    overpriced,
    poll_failing,
    port_drift,
    price_changed,
    public_ip_changed,
    silence_ending,
    spend_anomaly,
    ssh_key_drift,
    topup_failed,
    unexpected_charge,
    vm_appeared,
    vm_status,
    vm_unreadable,
    vm_vanished,
)
from fluence_watch.rules.base import Judgement, Need, Rule, RuleSettings, Situation

RULES: tuple[Rule, ...] = (
    low_balance.RULE,
    topup_failed.RULE,
    funds_exhausted_soon.RULE,
    account_low.RULE,
    debt.RULE,
    vm_vanished.RULE,
    vm_status.RULE,
    vm_appeared.RULE,
    locked_funds.RULE,
    port_drift.RULE,
    ssh_key_drift.RULE,
    price_changed.RULE,
    public_ip_changed.RULE,
    billing_due.RULE,
    unexpected_charge.RULE,
    bill_mismatch.RULE,
    budget.RULE,
    spend_anomaly.RULE,
    idle_resource.RULE,
    overpriced.RULE,
    gpu_reserve.RULE,
    gpu_status.RULE,
    vm_unreadable.RULE,
    poll_failing.RULE,
    delivery_failing.RULE,
    silence_ending.RULE,
)

FACTS: Mapping[str, type] = {facts.__name__: facts for rule in RULES for facts in rule.facts}
"""The types of facts that rules report, by name. The store uses it to load stored facts."""


def needs(settings: Mapping[str, RuleSettings]) -> frozenset[Need]:
    """The union of what the enabled rules need. `settings` is keyed by rule name."""
    return frozenset().union(*(rule.needs for rule in RULES if settings[rule.name].enabled))


def evaluate(situation: Situation, settings: Mapping[str, RuleSettings]) -> Verdict:
    """Run every enabled rule that can judge this situation. `settings` is keyed by rule name."""
    rules = [rule for rule in RULES if rule.scope is situation.scope]
    enabled = [rule for rule in rules if settings[rule.name].enabled]
    runnable = [rule for rule in enabled if situation.snapshot or rule.judges_failures]
    situation = replace(situation, enabled=frozenset(rule.name for rule in enabled))
    findings: dict[Fingerprint, Finding] = {}
    unknown, gone = _absent_vms(situation)
    for rule in runnable:
        judgement: Judgement = rule.judge(situation, settings[rule.name])
        findings.update({finding.fingerprint: finding for finding in judgement.findings})
        unknown |= {(rule.name, subject) for subject in judgement.unknown}
        gone |= {(rule.name, subject) for subject in judgement.gone}
    muted = _muted(findings, runnable, situation, settings)
    return Verdict(
        _spoken(findings, muted, situation, settings),
        frozenset(unknown | muted.keys()),
        frozenset(gone),
        judged=frozenset(rule.name for rule in enabled if rule in runnable or rule.event),
        disabled=frozenset(rule.name for rule in rules if rule not in enabled),
        muted={key[1:3]: muted[key[1:3]] for key in findings if key[1:3] in muted} if muted else {},
    )


_Pairs = set[tuple[str, str]]
_Muted = Mapping[tuple[str, str], Fingerprint]


def _muted(
    findings: Mapping[Fingerprint, Finding],
    rules: Iterable[Rule],
    situation: Situation,
    settings: Mapping[str, RuleSettings],
) -> _Muted:
    """What is not judged, and the finding that says more of it and fires no later."""
    mutes = {rule.name: rule.mutes for rule in rules if rule.mutes}
    muted: dict[tuple[str, str], Fingerprint] = {}
    for key, each in findings.items():
        for other in mutes.get(key.rule, ()):
            hold, lasts = settings[key.rule].hold, _lasts(each, situation)
            if each.at_once or hold <= max(lasts, settings[other].hold):
                muted[other, key.subject] = key
    return muted


def _lasts(finding: Finding, situation: Situation) -> timedelta:
    """How long it has been found."""
    now = situation.now
    return now - min(situation.since.get(finding.fingerprint, now), finding.began_at or now)


def _spoken(
    findings: Mapping[Fingerprint, Finding],
    muted: _Muted,
    situation: Situation,
    settings: Mapping[str, RuleSettings],
) -> Mapping[Fingerprint, Finding]:
    """The findings that are not muted. What mutes a more severe one is as severe as that.

    It takes over once the other would fire, so a receiver of critical alerts hears of it as if nothing
    were muted: no later, and no earlier.
    """
    spoken = {key: each for key, each in findings.items() if key[1:3] not in muted}
    for key, each in findings.items():
        by = spoken.get(muted[key[1:3]]) if key[1:3] in muted else None
        if by is None or by.severity.rank >= each.severity.rank:
            continue
        lasts = max(_lasts(each, situation), _lasts(by, situation))
        if each.at_once or settings[key.rule].hold <= lasts:
            spoken[by.fingerprint] = replace(by, severity=each.severity)
    return spoken


def _absent_vms(situation: Situation) -> tuple[_Pairs, _Pairs]:
    """The VMs that no rule can judge: the undecided ones (unknown) and the lost ones (gone)."""
    unknown: _Pairs = set()
    gone: _Pairs = set()
    if situation.snapshot is None:
        return unknown, gone
    for key in (situation.known.keys() | situation.before.keys()) - situation.vms.keys():
        certain = key not in situation.known or key in situation.presence.lost
        target = gone if certain else unknown
        target |= {(rule.name, key) for rule in RULES if not rule.event}
    # an unreadable VM is still in the list, so it has not vanished
    unknown -= {(vm_vanished.NAME, key) for key in situation.snapshot.unread}
    return unknown, gone

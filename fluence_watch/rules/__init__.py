"""The rules and their evaluation. A new rule is one file in this package and one line in RULES."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

from fluence_watch.model.finding import Finding, Fingerprint, Verdict
from fluence_watch.model.horizon import Horizon, next_of, shifted
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
from fluence_watch.rules.base import Judgement, Need, Rule, RuleSettings
from fluence_watch.rules.situation import Situation

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

_NOTHING = Judgement()
_NONE: Mapping[str, Judgement] = MappingProxyType({})


def needs(settings: Mapping[str, RuleSettings]) -> frozenset[Need]:
    """The union of what the enabled rules need. `settings` is keyed by rule name."""
    return frozenset().union(*(rule.needs for rule in RULES if settings[rule.name].enabled))


Judgements = Mapping[str, Judgement]
"""What each rule that was run says, by its name."""


def evaluate(situation: Situation, settings: Mapping[str, RuleSettings]) -> Verdict:
    """Run every enabled rule that can judge this situation. `settings` is keyed by rule name."""
    return verdict_of(situation, settings, judge_all(situation, settings))


def judge_all(
    situation: Situation, settings: Mapping[str, RuleSettings], held: Judgements = _NONE
) -> Judgements:
    """What the rules say. A judgement that is `held` is not made again."""
    situation = _with_enabled(situation, settings)
    return {
        rule.name: held.get(rule.name) or rule.judge(situation, settings[rule.name])
        for rule in _runnable(situation)
    }


def horizons_of(
    situation: Situation, settings: Mapping[str, RuleSettings], names: Iterable[str]
) -> Mapping[str, Horizon]:
    """Until when the judgements of these rules hold, if the situation stays the same."""
    situation, wanted = _with_enabled(situation, settings), frozenset(names)
    return {
        rule.name: rule.holds_until(situation, settings[rule.name])
        for rule in RULES
        if rule.name in wanted
    }


def mutes_hold_until(
    situation: Situation, settings: Mapping[str, RuleSettings], judgements: Judgements
) -> Horizon:
    """Until a finding has lasted long enough to mute another one, or to take over its severity."""
    moments: list[Horizon] = []
    for rule in RULES:
        if not rule.mutes or not judgements.get(rule.name, _NOTHING).findings:
            continue
        names = judgements.keys() & {rule.name, *rule.mutes}
        for finding in (each for name in names for each in judgements[name].findings):
            begun = situation.now - _lasts(finding, situation)
            moments += [shifted(begun, settings[name].hold) for name in names]
    return next_of(situation.now, moments)


def verdict_of(
    situation: Situation, settings: Mapping[str, RuleSettings], judgements: Judgements
) -> Verdict:
    """The combined result of what the rules say."""
    situation = _with_enabled(situation, settings)
    rules = [rule for rule in RULES if rule.scope is situation.scope]
    enabled = [rule for rule in rules if rule.name in situation.enabled]
    runnable = _runnable(situation)
    findings: dict[Fingerprint, Finding] = {}
    unknown, gone = _absent_vms(situation)
    for name, judgement in judgements.items():
        findings.update({finding.fingerprint: finding for finding in judgement.findings})
        unknown |= {(name, subject) for subject in judgement.unknown}
        gone |= {(name, subject) for subject in judgement.gone}
    muted = _muted(findings, runnable, situation, settings)
    return Verdict(
        _spoken(findings, muted, situation, settings),
        frozenset(unknown | muted.keys()),
        frozenset(gone),
        judged=frozenset(rule.name for rule in enabled if rule in runnable or rule.event),
        disabled=frozenset(rule.name for rule in rules if rule not in enabled),
        muted={key[1:3]: muted[key[1:3]] for key in findings if key[1:3] in muted} if muted else {},
    )


def _with_enabled(situation: Situation, settings: Mapping[str, RuleSettings]) -> Situation:
    enabled = {r.name for r in RULES if r.scope is situation.scope and settings[r.name].enabled}
    return replace(situation, enabled=frozenset(enabled))


def _runnable(situation: Situation) -> Sequence[Rule]:
    """The enabled rules that can judge the situation."""
    enabled = [rule for rule in RULES if rule.name in situation.enabled]
    return [rule for rule in enabled if situation.snapshot or rule.judges_failures]


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

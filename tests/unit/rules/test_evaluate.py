from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.model.account import AccountBalance
from fluence_watch.model.billing import METERED
from fluence_watch.model.boundaries import Boundaries
from fluence_watch.model.finding import Absence, Fingerprint, Severity
from fluence_watch.model.known import KnownVm
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.snapshot import PollFailure, Rejected
from fluence_watch.model.vm import Vm
from fluence_watch.rules import RULES, evaluate, needs
from fluence_watch.rules.base import Need, RuleSettings
from fluence_watch.rules.situation import Scope, Situation
from fluence_watch.rules.vm_vanished import VmVanishedSettings

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
NAMES = frozenset(rule.name for rule in RULES if rule.scope is Scope.ACCOUNT)
OFF = frozenset({"overpriced"})  # by default
ON = NAMES - OFF
EVENTS = frozenset(rule.name for rule in RULES if rule.event)
LOW = Fingerprint("main", "low_balance", "0x00ab")

See = Callable[..., Situation]


def defaults(**changes: dict[str, object]) -> dict[str, RuleSettings]:
    return {rule.name: rule.settings.model_validate(changes.get(rule.name, {})) for rule in RULES}


def missing(vm: Vm, polls: int, among: int = 1) -> KnownVm:
    return KnownVm(vm, NOW, missing_polls=polls, missing_since=NOW, missing_among=among)


def test_a_healthy_fleet_is_calm(web: Vm, see: See) -> None:
    """With default settings nothing is found, and all is looked at; nobody tells the balance and the spending."""
    verdict = evaluate(see(web), defaults())
    assert {} == verdict.findings
    assert ON == verdict.judged
    untold = {("account_low", ""), ("spend_anomaly", "")}
    assert (untold, frozenset(), OFF) == (
        verdict.unknown,
        verdict.gone,
        verdict.disabled,
    )


def test_findings_of_all_rules_come_together(web: Vm, see: See) -> None:
    """One poor VM, one that vanished: each rule reports its own."""
    poor = replace(web, reserved=MicroUsdc(0), next_billing_at=NOW + timedelta(minutes=5))
    lost = missing(replace(web, id="0xcd"), polls=2)
    verdict = evaluate(see(poor, known={"0xcd": lost}), defaults())
    found = {(each.rule, each.subject) for each in verdict.findings}
    assert {("low_balance", "0x00ab"), ("billing_due", "0x00ab"), ("vm_vanished", "0xcd")} == found


def test_after_a_failed_poll_only_the_failure_is_judged(web: Vm) -> None:
    """Whatever was found of VMs before is neither confirmed nor over; what changed then is."""
    failure = PollFailure("main", NOW, "unreachable", "no answer")
    known = {web.key: missing(web, polls=5)}
    verdict = evaluate(Situation("main", NOW, known, known, failure=failure), defaults())
    assert {"poll_failing"} | EVENTS == verdict.judged
    assert ["poll_failing"] == [each.rule for each in verdict.findings]
    others = ON - {"poll_failing"} - EVENTS
    absences = {verdict.absence(Fingerprint("main", rule, web.key)) for rule in others}
    assert {Absence.UNKNOWN} == absences
    assert {Absence.OVER} == {verdict.absence(Fingerprint("main", rule)) for rule in EVENTS}


def test_a_change_is_over_though_its_vm_cannot_be_read(web: Vm, see: See) -> None:
    """Its notification was sent: an event does not wait for later polls."""
    unread = (Rejected("[0]", "bad", web.id),)
    verdict = evaluate(see(known={web.key: KnownVm(web, NOW)}, rejected=unread), defaults())
    moved = Fingerprint("main", "public_ip_changed", web.key, NOW.isoformat())
    assert Absence.OVER is verdict.absence(moved)
    assert Absence.UNKNOWN is verdict.absence(LOW)


@pytest.mark.parametrize(
    ("polls", "among", "fleet", "absence"),
    [
        (0, 0, 1, Absence.UNKNOWN),
        (1, 1, 1, Absence.UNKNOWN),
        (2, 1, 1, Absence.GONE),
        (2, 4, 2, Absence.GONE),
        (2, 3, 3, Absence.UNKNOWN),
    ],
)
def test_what_becomes_of_the_alerts_of_an_absent_vm(
    web: Vm, see: See, polls: int, among: int, fleet: int, absence: Absence
) -> None:
    """They wait while it may come back; when it has vanished for certain they are gone.

    A VM that is known, not missing and not read is one whose element was rejected.
    """
    vms = [web, *(replace(web, id=f"0x{n}") for n in range(1, fleet))]
    known = {
        vm.key: missing(vm, polls, among) if polls else KnownVm(vm, NOW, vm.ports) for vm in vms
    }
    verdict = evaluate(see(known=known, rejected=(Rejected("[0]", "bad", web.id),)), defaults())
    assert LOW not in verdict.findings
    assert absence is verdict.absence(LOW)


def test_a_forgotten_vm_is_gone(web: Vm, see: See) -> None:
    """All its alerts end, that it has vanished as well."""
    verdict = evaluate(see(before={web.key: missing(web, polls=9)}), defaults())
    assert {} == verdict.findings
    vanished = Fingerprint("main", "vm_vanished", web.key)
    assert {Absence.GONE} == {verdict.absence(LOW), verdict.absence(vanished)}


def test_raising_confirm_polls_ends_nothing(web: Vm, see: See) -> None:
    """A VM that was vanished by the old number is unknown by the new one, not back."""
    known = {web.key: missing(web, polls=3)}
    limits = VmVanishedSettings(confirm_polls=5).limits
    verdict = evaluate(see(known=known, limits=limits), defaults())
    assert Absence.UNKNOWN is verdict.absence(Fingerprint("main", "vm_vanished", web.key))


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_disabled_rule_is_not_run(web: Vm, see: See, name: str) -> None:
    """It finds nothing, and what it found before is gone; the others go on."""
    verdict = evaluate(see(web), defaults(**{name: {"enabled": False}}))
    assert (ON - {name}, OFF | {name}) == (verdict.judged, verdict.disabled)
    assert Absence.GONE is verdict.absence(Fingerprint("main", name, web.key))


@pytest.mark.parametrize("mild", Severity)
@pytest.mark.parametrize("harsh", Severity)
def test_what_mutes_is_as_severe_as_what_it_mutes(
    web: Vm, see: See, mild: Severity, harsh: Severity
) -> None:
    """So whoever hears critical alerts alone misses nothing."""
    boundaries = Boundaries(NOW - timedelta(hours=1), covered=False)
    entry = KnownVm(replace(web, reserved=MicroUsdc(0)), NOW, boundaries=boundaries)
    situation = see(entry.vm, known={web.key: entry})
    settings = defaults(topup_failed={"severity": mild}, low_balance={"severity": harsh})
    found = evaluate(situation, settings).findings
    assert LOW not in found
    worst = max(mild, harsh, key=lambda severity: severity.rank)
    assert worst is found[LOW._replace(rule="topup_failed")].severity


@pytest.mark.parametrize(("lasts", "severity"), [(29, Severity.INFO), (30, Severity.CRITICAL)])
def test_a_chain_of_mutes(web: Vm, see: See, lasts: int, severity: Severity) -> None:
    """What is not muted itself takes over the severity of all that it mutes, once they would fire."""
    listed = {"balance": AccountBalance(MicroUsdc(-1)), "billing": METERED}
    severities = {"debt": "info", "funds_exhausted_soon": "info", "account_low": "critical"}
    settings = defaults(**{rule: {"severity": each} for rule, each in severities.items()})
    situation = see(web, billing=METERED, listed=listed)
    verdict = evaluate(
        replace(situation, since={Fingerprint("main", "debt"): NOW - timedelta(minutes=lasts)}),
        settings,
    )
    account = {key.rule: each.severity for key, each in verdict.findings.items() if not key.subject}
    assert {"debt": severity} == account


def test_a_disabled_rule_is_gone_after_a_failed_poll_too() -> None:
    """What the user turned off does not wait for the API."""
    failure = PollFailure("main", NOW, "unreachable", "no answer")
    situation = Situation("main", NOW, {}, {}, failure=failure)
    verdict = evaluate(situation, defaults(low_balance={"enabled": False}))
    assert Absence.GONE is verdict.absence(LOW)


def test_what_a_poll_asks_for_is_what_enabled_rules_need() -> None:
    """Keys, charges and prices are asked for by the rules that compare them, and by no other."""
    assert frozenset({Need.KEYS, Need.CHARGES}) == needs(defaults())
    assert frozenset({Need.CHARGES}) == needs(defaults(ssh_key_drift={"enabled": False}))
    assert frozenset({Need.KEYS}) == needs(defaults(bill_mismatch={"enabled": False}))
    everything = frozenset({Need.KEYS, Need.CHARGES, Need.MARKET})
    assert everything == needs(defaults(overpriced={"enabled": True}))

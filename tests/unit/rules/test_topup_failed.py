from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.billing import METERED
from fluence_watch.model.boundaries import Boundaries
from fluence_watch.model.finding import Absence, Finding, Fingerprint, Severity, VmRef
from fluence_watch.model.known import KnownVm
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules import RULES, evaluate
from fluence_watch.rules.base import RuleSettings
from fluence_watch.rules.situation import Situation
from fluence_watch.rules.topup_failed import (
    RULE,
    ShortVms,
    TopupFailed,
    TopupFailedSettings,
    judge,
)

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PRICE = 298_160
FINE, FAILED, UNKNOWN, GONE = "fine", "failed", "unknown", "gone"
ALERT = Fingerprint("main", "topup_failed", "0x00ab")
LOW = Fingerprint("main", "low_balance", "0x00ab")

See = Callable[..., Situation]


def after_charge(
    see: See, vm: Vm, ago: timedelta = HOUR, *, covered: bool = False, **more: object
) -> Situation:
    """A poll that sees the VM so long after its boundary."""
    entry = KnownVm(vm, NOW, vm.ports, boundaries=Boundaries(NOW - ago, covered, refilled=False))
    return see(vm, known={vm.key: entry}, **more)


def verdict_on(situation: Situation) -> str:
    """What the rule says of the only VM."""
    judgement = judge(situation, TopupFailedSettings())
    said = {FAILED: judgement.findings, UNKNOWN: judgement.unknown, GONE: judgement.gone}
    (verdict,) = [verdict for verdict, subjects in said.items() if subjects] or [FINE]
    return verdict


@pytest.fixture
def dry(web: Vm) -> Vm:
    """The VM as its last charge left it."""
    return replace(web, reserved=MicroUsdc(61_280), next_billing_at=NOW + 23 * HOUR)


@pytest.mark.parametrize(
    ("changes", "covered", "verdict"),
    [
        ({}, False, FAILED),
        ({}, True, FINE),
        ({"reserved": PRICE - 1}, False, FAILED),
        ({"reserved": PRICE}, False, FINE),
        ({"price": None}, False, UNKNOWN),
        ({"reserved": None}, False, UNKNOWN),
        ({"price": 0, "reserved": -1}, False, FINE),
        ({"next_billing_at": None}, False, FAILED),
        ({"status": Status.SMALL_BALANCE}, True, FINE),
        ({"status": Status.STOPPED}, False, FAILED),
        ({"status": Status.TERMINATED}, False, GONE),
        ({"status": Status.DRAFT, "price": None}, False, GONE),
    ],
)
def test_when_a_top_up_is_missing(
    see: See,
    dry: Vm,
    changes: dict[str, object],
    covered: bool,  # noqa: FBT001 - a column of the table
    verdict: str,
) -> None:
    """The reserve does not pay the next epoch, and never did since the boundary."""
    assert verdict == verdict_on(after_charge(see, replace(dry, **changes), covered=covered))


def test_a_boundary_that_nobody_knows(see: See, dry: Vm, web: Vm) -> None:
    """Then a low reserve says nothing of a top-up, and a full one is fine."""
    assert UNKNOWN == verdict_on(see(dry))
    assert FINE == verdict_on(see(web))


def test_a_metered_account_has_no_reserves(see: See, dry: Vm) -> None:
    """Nothing is topped up there."""
    assert GONE == verdict_on(after_charge(see, dry, billing=METERED))


@pytest.mark.parametrize(
    ("ago", "seen_ago", "status", "at_once"),
    [
        (MINUTE, None, Status.ACTIVE, False),
        (MINUTE, MINUTE, Status.ACTIVE, False),
        (15 * MINUTE - timedelta(seconds=1), 14 * MINUTE, Status.ACTIVE, False),
        (15 * MINUTE, 14 * MINUTE, Status.ACTIVE, True),
        (23 * HOUR, MINUTE, Status.ACTIVE, True),
        (23 * HOUR, None, Status.ACTIVE, False),
        (23 * HOUR, 24 * HOUR, Status.ACTIVE, False),
        (timedelta(0), None, Status.SMALL_BALANCE, True),
        (timedelta(0), None, Status.INSUFFICIENT_FUNDS, True),
    ],
)
def test_how_long_it_waits(
    see: See,
    dry: Vm,
    ago: timedelta,
    seen_ago: timedelta | None,
    status: Status,
    at_once: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """From the boundary, if an earlier poll saw it since; the API's own word is not waited for."""
    since = {} if seen_ago is None else {ALERT: NOW - seen_ago}
    situation = after_charge(see, replace(dry, status=status), ago, since=since)
    (found,) = judge(situation, TopupFailedSettings()).findings
    assert at_once is found.at_once


@pytest.mark.parametrize(
    ("charged_ago", "at_once", "since_ago"),
    [(16 * MINUTE, True, 16 * MINUTE), (14 * MINUTE, False, 14 * MINUTE), (2 * HOUR, True, HOUR)],
)
def test_a_charge_that_came_late(
    see: See,
    dry: Vm,
    charged_ago: timedelta,
    at_once: bool,  # noqa: FBT001 - a column of the table
    since_ago: timedelta,
) -> None:
    """It is waited for as long after it as after a boundary, and named; one that was early is not."""
    last = Boundaries(NOW - HOUR, covered=False, refilled=False, charged_at=NOW - charged_ago)
    known = {dry.key: KnownVm(dry, NOW, dry.ports, boundaries=last)}
    situation = see(dry, known=known, since={ALERT: NOW - 20 * MINUTE})
    (found,) = judge(situation, TopupFailedSettings()).findings
    assert isinstance(found.facts, TopupFailed)
    assert (at_once, NOW - since_ago) == (found.at_once, found.facts.boundary)
    assert NOW - since_ago == found.began_at


def test_the_facts(see: See, dry: Vm) -> None:
    """What is missing for an epoch and for 30 days, when the VM ends, and what is lost."""
    vm = replace(dry, storage_bytes=25 * 2**30)
    facts = TopupFailed(
        vm=VmRef("0x00aB", "web-1", "FR-PAR-1"),
        price=MicroUsdc(PRICE),
        reserved=MicroUsdc(61_280),
        missing=MicroUsdc(236_880),
        for_month=MicroUsdc(30 * PRICE - 61_280),
        boundary=NOW - HOUR,
        ends_at=NOW + 23 * HOUR,
        disk_bytes=25 * 2**30,
        public_ip="154.42.3.159",
    )
    found = Finding(ALERT, Severity.CRITICAL, facts, began_at=NOW - HOUR)
    assert [found] == judge(after_charge(see, vm), TopupFailedSettings()).findings
    assert NOW + 23 * HOUR == RULE.deadline(facts)


@pytest.mark.parametrize(
    ("left", "step"),
    [(23 * HOUR, 0), (6 * HOUR, 0), (6 * HOUR - MINUTE, 1), (HOUR, 1), (59 * MINUTE, 2), (-DAY, 2)],
)
def test_how_bad_it_is(see: See, dry: Vm, left: timedelta, step: int) -> None:
    """Two more messages at most: 6 hours before the end, and an hour before."""
    situation = after_charge(see, replace(dry, next_billing_at=NOW + left))
    (found,) = judge(situation, TopupFailedSettings()).findings
    assert step == found.step


def test_several_that_are_short_say_what_all_of_them_lack(see: See, dry: Vm, web: Vm) -> None:
    """Who adds it loses none. It is no worse for those that were short before: same step."""
    other = replace(dry, id="0x00ac", reserved=MicroUsdc(0), next_billing_at=NOW + 9 * HOUR)
    fine = replace(web, id="0x00ad")
    last = Boundaries(NOW - HOUR, covered=False, refilled=False)
    vms = [dry, other, fine]
    known = {vm.key: KnownVm(vm, NOW, vm.ports, boundaries=last) for vm in vms}
    findings = judge(see(*vms, known=known), TopupFailedSettings()).findings
    missing, month = PRICE - 61_280 + PRICE, 30 * PRICE - 61_280 + 30 * PRICE
    together = ShortVms(2, MicroUsdc(missing), MicroUsdc(month), NOW + 9 * HOUR)
    assert [together, together] == [each.facts.together for each in findings]
    assert [0, 0] == [each.step for each in findings]
    assert missing == sum(each.facts.missing for each in findings)
    (alone,) = judge(after_charge(see, dry), TopupFailedSettings()).findings
    assert (None, alone.step) == (alone.facts.together, findings[0].step)


@given(st.integers(1, 2**62), st.integers(-5, 2**62), st.booleans())
def test_what_is_missing_pays_the_epoch(
    see: See,
    web: Vm,
    price: int,
    reserved: int,
    covered: bool,  # noqa: FBT001 - drawn
) -> None:
    """For any amounts, and what is needed for a month is no less."""
    vm = replace(web, price=MicroUsdc(price), reserved=MicroUsdc(reserved))
    findings = judge(after_charge(see, vm, covered=covered), TopupFailedSettings()).findings
    assert (reserved < price and not covered) == bool(findings)
    for each in findings:
        assert isinstance(each.facts, TopupFailed)
        assert price == each.facts.reserved + each.facts.missing
        assert each.facts.for_month is not None
        assert each.facts.for_month >= price - max(reserved, 0)


# beside low_balance


def defaults(**changes: dict[str, object]) -> dict[str, RuleSettings]:
    return {rule.name: rule.settings.model_validate(changes.get(rule.name, {})) for rule in RULES}


@pytest.mark.parametrize(
    ("ago", "covered", "settings", "rule"),
    [
        (HOUR, False, {}, "topup_failed"),
        (HOUR, True, {}, "low_balance"),
        (HOUR, False, {"topup_failed": {"enabled": False}}, "low_balance"),
        (MINUTE, False, {}, "topup_failed"),
        (MINUTE, False, {"low_balance": {"for": "5m"}}, "both"),
        (HOUR, False, {"low_balance": {"for": "5m"}}, "topup_failed"),
    ],
)
def test_one_problem_is_one_finding(
    see: See,
    dry: Vm,
    ago: timedelta,
    covered: bool,  # noqa: FBT001 - a column of the table
    settings: dict[str, dict[str, object]],
    rule: str,
) -> None:
    """`low_balance` is muted unless it would fire earlier."""
    situation = after_charge(see, dry, ago, covered=covered)
    found = {each.rule for each in evaluate(situation, defaults(**settings)).findings}
    found -= {"funds_exhausted_soon"}
    assert ({rule} if rule != "both" else {"topup_failed", "low_balance"}) == found


def test_a_finding_that_has_lasted_for_its_for_mutes(see: See, dry: Vm) -> None:
    """It fires, whatever the boundary; an alert of the other rule that is open is unknown meanwhile."""
    settings = defaults(low_balance={"for": "5m"})
    situation = after_charge(see, dry, MINUTE, since={ALERT: NOW - HOUR, LOW: NOW - HOUR})
    verdict = evaluate(situation, settings)
    assert {ALERT} == verdict.findings.keys()
    assert Absence.UNKNOWN is verdict.absence(LOW)


def test_what_was_notified_before_still_resolves(see: See, dry: Vm) -> None:
    """When the reserve is refilled, both are over."""
    full = replace(dry, reserved=MicroUsdc(PRICE))
    verdict = evaluate(after_charge(see, full, since={ALERT: NOW, LOW: NOW}), defaults())
    assert {Absence.OVER} == {verdict.absence(ALERT), verdict.absence(LOW)}

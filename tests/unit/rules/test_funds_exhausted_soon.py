from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.account import AccountBalance
from fluence_watch.model.billing import METERED
from fluence_watch.model.boundaries import Boundaries
from fluence_watch.model.finding import Absence, Fingerprint, Severity, ref
from fluence_watch.model.known import KnownVm
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.snapshot import Rejected
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules import RULES, evaluate
from fluence_watch.rules.base import RuleSettings
from fluence_watch.rules.funds_exhausted_soon import (
    RULE,
    FundsExhaustedSoon,
    FundsExhaustedSoonSettings,
    judge,
)
from fluence_watch.rules.situation import Situation

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
P = 100_000
ALERT = Fingerprint("main", "funds_exhausted_soon")
LOW = Fingerprint("main", "account_low")
FIRES = {"since": {ALERT: NOW - 2 * HOUR}, "last_good_at": NOW - HOUR}
PENDING = {"since": {ALERT: NOW - HOUR}, "last_good_at": NOW - 31 * MINUTE}
FINE, UNKNOWN, GONE = "fine", "unknown", "gone"
WARN, CRIT, OUT = "warning 0", "critical 1", "critical 2"
ASKED = {"unknown": {"balance": "HTTP 503"}}
TOPUPS = frozenset({"topup_failed", "low_balance"})

See = Callable[..., Situation]


def having(balance: int | None, days_left: int | None = None) -> dict[str, object]:
    return {"balance": None if balance is None else AccountBalance(MicroUsdc(balance), days_left)}


def verdict_on(situation: Situation) -> str:
    """What the rule says of the account: its severity and step, or why there is no finding."""
    judgement = judge(situation, FundsExhaustedSoonSettings())
    said = [f"{each.severity} {each.step}" for each in judgement.findings]
    said += [UNKNOWN for _ in judgement.unknown] + [GONE for _ in judgement.gone]
    (verdict,) = said or [FINE]
    return verdict


@pytest.fixture
def vm(web: Vm) -> Vm:
    """A VM of 0.1 USDC an epoch, charged in 12 hours, with a reserve of one."""
    return replace(web, price=MicroUsdc(P), reserved=MicroUsdc(P), next_billing_at=NOW + 12 * HOUR)


def unfilled(vm: Vm, epochs: int = 1, ago: timedelta = HOUR, **changes: object) -> KnownVm:
    """A VM that was not topped up at its last boundary, nor the one before."""
    boundaries = Boundaries(NOW - ago, covered=True, refilled=False, was_refilled=False)
    poor = replace(vm, reserved=MicroUsdc(epochs * P))
    return KnownVm(poor, NOW, vm.ports, boundaries=replace(boundaries, **changes))


def seen(see: See, *entries: KnownVm, **more: object) -> Situation:
    return see(*(e.vm for e in entries), known={e.vm.key: e for e in entries}, **more)


# the account


@pytest.mark.parametrize("before", [{}, FIRES])
@pytest.mark.parametrize(
    ("balance", "days_left", "verdict"),
    [
        (-1, None, OUT),
        (0, None, OUT),
        (1, None, CRIT),
        (P - 1, None, CRIT),
        (P, None, WARN),
        (3 * P - 1, None, WARN),
        (9 * P, 2, WARN),
        (9 * P, 0, CRIT),
        (9 * P, 9, FINE),
        (2 * P, 9, WARN),
    ],
)
def test_how_long_a_balance_lasts(
    vm: Vm, see: See, before: dict[str, object], balance: int, days_left: int | None, verdict: str
) -> None:
    """Equal to what is needed is enough; the API's own estimate counts if it is worse."""
    assert verdict == verdict_on(see(vm, listed=having(balance, days_left), **before))


@pytest.mark.parametrize(
    ("balance", "before", "verdict"),
    [
        (3 * P, {}, FINE),
        (3 * P, PENDING, FINE),
        (3 * P, FIRES, WARN),
        (3 * P + 3 * P // 4 - 1, FIRES, WARN),
        (3 * P + 3 * P // 4, FIRES, FINE),
    ],
)
def test_the_way_back(
    vm: Vm, see: See, balance: int, before: dict[str, object], verdict: str
) -> None:
    """Once it fired, the money must last a quarter longer than `warn`; what is pending just ends."""
    assert verdict == verdict_on(see(vm, listed=having(balance), **before))


@pytest.mark.parametrize("before", [{}, FIRES])
@pytest.mark.parametrize(
    ("changes", "balance", "listed", "verdict"),
    [
        ({}, None, ASKED, UNKNOWN),
        ({}, None, {"billing": METERED}, UNKNOWN),
        ({}, None, {}, FINE),
        ({"price": None}, 9 * P, {}, UNKNOWN),
        ({"price": None}, -1, {}, OUT),
        ({}, 9 * P, {"incomplete_because": "a page changed"}, UNKNOWN),
        ({}, P, {"incomplete_because": "a page changed"}, WARN),
        ({}, 9 * P, {"unknown": {"disks": "403"}}, UNKNOWN),
        ({"status": Status.TERMINATED}, 1, {}, GONE),
        ({"status": Status.TERMINATED}, -1, {}, OUT),
        ({"status": Status.TERMINATED}, 0, {}, "before"),
    ],
)
def test_what_is_unknown_is_never_over(
    vm: Vm,
    see: See,
    before: dict[str, object],
    changes: dict[str, object],
    balance: int | None,
    listed: dict[str, object],
    verdict: str,
) -> None:
    """It can only make it worse. With nothing to pay for it is gone, unless nothing is left."""
    billing = {"billing": METERED} if "billing" in listed else {}
    having_all = having(balance) | {k: v for k, v in listed.items() if k != "billing"}
    situation = see(replace(vm, **changes), listed=having_all, **billing, **before)
    assert (verdict if verdict != "before" else OUT if before else GONE) == verdict_on(situation)


def test_vms_that_are_missing_still_cost(vm: Vm, see: See) -> None:
    """Until they are lost."""
    entry = KnownVm(
        replace(vm, id="0xgone"), NOW, missing_polls=1, missing_since=NOW, missing_among=1
    )
    situation = see(vm, known={"0xgone": entry}, listed=having(5 * P))
    assert WARN == verdict_on(situation)
    assert FINE == verdict_on(see(vm, listed=having(5 * P)))


def test_a_poll_without_a_list(see: See) -> None:
    """Nothing can be said."""
    assert UNKNOWN == verdict_on(replace(see(), snapshot=None))


# VMs that are not topped up


@pytest.mark.parametrize(
    ("epochs", "changes", "verdict"),
    [
        (1, {}, WARN),  # in 36 hours
        (2, {}, WARN),
        (3, {}, FINE),
        (1, {"refilled": True}, FINE),
        (1, {"was_refilled": True}, WARN),
        (1, {"was_refilled": True, "ago": 14 * MINUTE}, FINE),
        (1, {"was_refilled": True, "ago": 15 * MINUTE}, WARN),
        (1, {"ago": MINUTE}, WARN),
        (0, {"covered": False}, GONE),  # topup_failed tells
        (0, {}, GONE),  # low_balance tells
    ],
)
def test_which_vms_count(
    vm: Vm, see: See, epochs: int, changes: dict[str, object], verdict: str
) -> None:
    """Those that the account does not top up, as long as their reserves pay an epoch."""
    assert verdict == verdict_on(seen(see, unfilled(vm, epochs, **changes), enabled=TOPUPS))


def test_without_topup_failed(vm: Vm, see: See) -> None:
    """A VM whose top-up failed is told here."""
    assert CRIT == verdict_on(seen(see, unfilled(vm, 0, covered=False)))
    only_topups = frozenset({"topup_failed"})
    assert CRIT == verdict_on(seen(see, unfilled(vm, 0), enabled=only_topups))


def test_a_vm_of_which_no_boundary_was_seen(vm: Vm, see: See) -> None:
    """A reserve of one epoch is no alarm."""
    assert FINE == verdict_on(see(vm))


def test_a_vm_that_is_missing(vm: Vm, see: See) -> None:
    """It may still run, and lives on its reserve."""
    entry = replace(unfilled(vm), missing_polls=1, missing_since=NOW, missing_among=1)
    assert WARN == verdict_on(see(known={vm.key: entry}))


@pytest.mark.parametrize("unknown", ["price", "reserved", "next_billing_at"])
def test_a_vm_whose_reserve_is_unknown(vm: Vm, see: See, unknown: str) -> None:
    """How long it lasts is unknown too; a VM that cannot be read may be one of them."""
    entry = unfilled(vm)
    assert UNKNOWN == verdict_on(seen(see, replace(entry, vm=replace(entry.vm, **{unknown: None}))))
    assert UNKNOWN == verdict_on(see(vm, rejected=(Rejected("[1]", "bad", "0xee"),)))


# the facts


def facts_of(situation: Situation) -> FundsExhaustedSoon:
    (found,) = judge(situation, FundsExhaustedSoonSettings()).findings
    assert isinstance(found.facts, FundsExhaustedSoon)
    return found.facts


def test_the_facts_of_an_account(vm: Vm, see: See) -> None:
    """The VM with the earliest charge that nothing pays is the first to end."""
    late = replace(vm, id="0x2", next_billing_at=NOW + 20 * HOUR)
    rich = replace(vm, id="0x3", reserved=MicroUsdc(9 * P))
    facts = facts_of(see(late, vm, rich, listed=having(4 * P + P // 2)))

    # 1.5 days: the charge in 36 hours is the first without a top-up, and pays from the reserve
    assert NOW + 36 * HOUR == facts.until == RULE.deadline(facts)
    assert (ref(vm), NOW + 60 * HOUR) == (facts.first, facts.first_ends_at)
    assert (30 * 3 * P - 4 * P - P // 2, 0) == (facts.to_add, facts.alone)
    assert facts.account
    assert (4 * P + P // 2, 3 * P) == (facts.account.balance, facts.account.burn_per_day)


def test_the_facts_of_an_empty_account(vm: Vm, see: See) -> None:
    """Each VM lives on its own reserve now."""
    facts = facts_of(see(vm, listed=having(0)))
    assert (ref(vm), NOW + 36 * HOUR) == (facts.first, facts.first_ends_at)


def test_the_facts_of_vms_alone(vm: Vm, see: See) -> None:
    """What each lacks for 30 days, and the first of them."""
    other = replace(vm, id="0x2")
    facts = facts_of(seen(see, unfilled(vm, 2), unfilled(other), enabled=TOPUPS))
    assert (ref(other), NOW + 36 * HOUR) == (facts.first, facts.first_ends_at)
    assert (NOW + 36 * HOUR, 2, None) == (facts.until, facts.alone, facts.account)
    assert 57 * P == facts.to_add


def test_the_facts_of_a_metered_account(vm: Vm, see: See) -> None:
    """GPU instances and disks count, no VM has a reserve, and unpaid ones are removed."""
    disk = Resource(Kind.DISK, "d", None, "ready", MicroUsdc(1_000))
    listed = {**having(4_800_000), "resources": [disk], "billing": METERED}
    facts = facts_of(see(vm, billing=METERED, listed=listed))
    assert facts.account
    assert 24 * (P + 1_000) == facts.account.burn_per_day
    assert facts.account.metered
    assert None is facts.first
    assert facts.until
    assert facts.account.vms_at
    assert facts.until < facts.account.vms_at


@given(st.integers(0, 10**12), st.integers(1, 10**12), st.integers(1, 3_000))
def test_the_thresholds_are_exact(web: Vm, see: See, balance: int, price: int, hours: int) -> None:
    """For any amounts it is near if and only if it does not pay the time, to the micro-USDC."""
    settings = FundsExhaustedSoonSettings(warn=hours * HOUR, critical=hours * HOUR / 2)
    situation = see(replace(web, price=MicroUsdc(price)), listed=having(balance))
    findings = judge(situation, settings).findings
    assert (24 * balance < hours * price) == bool(findings)
    for each in findings:
        critical = 48 * balance < hours * price
        assert critical == (each.severity is Severity.CRITICAL)


# beside account_low


def defaults(**changes: dict[str, object]) -> dict[str, RuleSettings]:
    return {rule.name: rule.settings.model_validate(changes.get(rule.name, {})) for rule in RULES}


@pytest.mark.parametrize(
    ("settings", "since", "found"),
    [
        ({}, {}, {ALERT}),
        ({}, {LOW: NOW - HOUR}, {ALERT}),
        ({"funds_exhausted_soon": {"enabled": False}}, {}, {LOW}),
        ({"account_low": {"for": "0s"}}, {}, {ALERT, LOW}),
        ({"account_low": {"for": "0s"}}, {ALERT: NOW - HOUR}, {ALERT}),
        ({"account_low": {"min_days": 9}}, {}, {ALERT}),
    ],
)
def test_one_problem_is_one_finding(
    vm: Vm,
    see: See,
    settings: dict[str, dict[str, object]],
    since: dict[Fingerprint, datetime],
    found: set[Fingerprint],
) -> None:
    """`account_low` is muted unless it would fire earlier."""
    verdict = evaluate(see(vm, listed=having(2 * P), since=since), defaults(**settings))
    assert found == {each for each in verdict.findings if each.rule in {ALERT.rule, LOW.rule}}
    if LOW not in found:
        assert Absence.UNKNOWN is verdict.absence(LOW)


def test_account_low_speaks_where_this_rule_does_not(vm: Vm, see: See) -> None:
    """A longer threshold is its own, and it ends by itself."""
    settings = defaults(account_low={"min_days": 7})
    situation = see(vm, listed=having(5 * P))
    assert {LOW} == {each for each in evaluate(situation, settings).findings if not each.subject}
    assert Absence.OVER is evaluate(see(vm, listed=having(9 * P)), settings).absence(LOW)

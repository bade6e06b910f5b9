from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.account import AccountBalance
from fluence_watch.model.billing import METERED
from fluence_watch.model.finding import Finding, Fingerprint, Severity
from fluence_watch.model.known import KnownVm
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.snapshot import Rejected
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.account_low import AccountLow, AccountLowSettings, judge
from fluence_watch.rules.situation import Situation

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
FINE, LOW, UNKNOWN, GONE = "fine", "low", "unknown", "gone"
LOW_BEFORE = {"alerts": {Fingerprint("main", "account_low")}}
MISSING = {"missing_since": NOW, "missing_among": 1}

See = Callable[..., Situation]


def having(balance: int | None) -> dict[str, object]:
    return {"balance": None if balance is None else AccountBalance(MicroUsdc(balance))}


def verdict_on(situation: Situation, **limits: object) -> str:
    """What the rule says of the account."""
    judgement = judge(situation, AccountLowSettings.model_validate(limits))
    assert judgement.unknown <= {""}
    said = {LOW: judgement.findings, UNKNOWN: judgement.unknown, GONE: judgement.gone}
    verdicts = [verdict for verdict, subjects in said.items() if subjects]
    assert len(verdicts) <= 1
    return verdicts[0] if verdicts else FINE


@pytest.mark.parametrize(
    ("prices", "balance", "min_days", "verdict"),
    [
        ([1_000], 3_000, 3, FINE),
        ([1_000], 2_999, 3, LOW),
        ([1_000, 500], 4_499, 3, LOW),
        ([1_000, 500], 4_500, 3, FINE),
        ([1_000], 500, "0.5", FINE),
        ([1_000], 499, "0.5", LOW),
        ([1_000], 0, 0, LOW),
        ([1_000], 1, 0, FINE),
        ([1_000], -1, 0, LOW),
        ([0], 0, 3, GONE),
        ([], -1, 3, LOW),
        ([], 1, 3, GONE),
        ([1_000], None, 3, UNKNOWN),
        ([], None, 3, UNKNOWN),
        ([1_000, None], 2_999, 3, LOW),
        ([1_000, None], 3_000, 3, UNKNOWN),
        ([None], 0, 3, UNKNOWN),
    ],
)
def test_when_a_balance_is_low(
    web: Vm,
    see: See,
    prices: list[int | None],
    balance: int | None,
    min_days: object,
    verdict: str,
) -> None:
    """Equal to what is needed is enough. A price that is unknown can only make it worse."""
    vms = [replace(web, id=f"0x{n}", price=price) for n, price in enumerate(prices)]
    assert verdict == verdict_on(see(*vms, listed=having(balance)), min_days=min_days)


@pytest.mark.parametrize(
    ("rejected", "listed", "verdict"),
    [
        ((Rejected("[0]", "bad", "0xee"),), {}, UNKNOWN),
        ((Rejected("[0]", "bad"),), {}, UNKNOWN),
        ((), {"incomplete_because": "a page changed"}, UNKNOWN),
        ((Rejected("[1]", "twice", "0x00AB"),), {}, FINE),
    ],
)
def test_vms_that_could_not_be_read_cost_money_too(
    web: Vm,
    see: See,
    rejected: tuple[Rejected, ...],
    listed: dict[str, object],
    verdict: str,
) -> None:
    """How much is unknown, so a balance is not enough because of them; one listed twice is read."""
    situation = see(web, rejected=rejected, listed=having(10**9) | listed)
    assert verdict == verdict_on(situation)
    assert LOW == verdict_on(see(web, rejected=rejected, listed=having(0) | listed))


def test_an_ended_vm_costs_nothing(web: Vm, see: See) -> None:
    """Its price, known or not, is not charged any more."""
    ended = [replace(web, id=f"0x{n}", status=Status.TERMINATED, price=n or None) for n in (0, 9)]
    assert GONE == verdict_on(see(*ended, listed=having(0)))


@pytest.mark.parametrize("before", [LOW_BEFORE, {}])
@pytest.mark.parametrize(
    ("balance", "prices", "missing", "polls", "listed", "verdict"),
    [
        # a VM that is missing burns until it is lost
        (299, [], 100, 1, {}, LOW),
        (300, [], 100, 1, {}, FINE),
        (599, [100], 100, 1, {}, LOW),
        (599, [100], 100, 2, {}, FINE),
        (0, [], 100, 1, {}, LOW),
        # what is unknown resolves nothing
        (10**6, [], None, 1, {}, UNKNOWN),
        (10**6, [100], None, 1, {}, UNKNOWN),
        (10**6, [100], None, 2, {}, FINE),
        (10**6, [], 0, 1, {}, UNKNOWN),
        (10**6, [], 0, 2, {}, GONE),
        (0, [], 0, 1, {}, UNKNOWN),
        (0, [], 100, 2, {"incomplete_because": "a page changed"}, UNKNOWN),
        (1, [], 100, 2, {"incomplete_because": "a page changed"}, UNKNOWN),
        (0, [None], 100, 2, {}, UNKNOWN),
        # nothing is left to pay for
        (1, [], 100, 2, {}, GONE),
        (0, [], 100, 2, {}, "debt"),
        (-1, [], 100, 2, {}, LOW),
        (-1, [0], 100, 2, {}, LOW),
        (1, [0], 100, 2, {}, GONE),
    ],
)
def test_when_vms_leave_the_list(
    web: Vm,
    see: See,
    before: dict[str, object],
    balance: int,
    prices: list[int | None],
    missing: int | None,
    polls: int,
    listed: dict[str, object],
    verdict: str,
) -> None:
    """The table of the rule: nothing that is left is a finding only while the alert is open."""
    gone = replace(web, id="0xgone", price=missing)
    known = {gone.key: KnownVm(gone, NOW, missing_polls=polls, **MISSING)}
    vms = [replace(web, id=f"0x{n}", price=price) for n, price in enumerate(prices)]
    situation = see(*vms, known=known, listed=having(balance) | listed, **before)
    debt = LOW if before else GONE
    assert (debt if verdict == "debt" else verdict) == verdict_on(situation)


def test_a_doubted_fleet_burns(web: Vm, see: See) -> None:
    """Three VMs that left at once may still run, and what they cost is needed."""
    gone = [replace(web, id=f"0x{n}", price=MicroUsdc(100)) for n in range(3)]
    missing = {"missing_polls": 9, "missing_since": NOW, "missing_among": 3}
    known = {vm.key: KnownVm(vm, NOW, **missing) for vm in gone}
    assert LOW == verdict_on(see(known=known, listed=having(899)))
    assert FINE == verdict_on(see(known=known, listed=having(900)))


def test_the_facts_of_a_debt(see: See) -> None:
    """What is owed, and that nothing costs anything any more."""
    (found,) = judge(see(listed=having(-4_500_000), **LOW_BEFORE), AccountLowSettings()).findings
    assert AccountLow(MicroUsdc(-4_500_000), MicroUsdc(0), Decimal(0), None) == found.facts


def test_the_facts_of_a_low_balance(web: Vm, see: See) -> None:
    """What is there, what a day costs, how long that lasts, and what the API makes of it."""
    vms = [web, replace(web, id="0x2"), replace(web, id="0x3", price=None)]
    balance = AccountBalance(MicroUsdc(894_480), days_left=1)
    unread = (Rejected("[3]", "bad", "0xee"), Rejected("[4]", "bad"))
    situation = see(*vms, rejected=unread, listed={"balance": balance})
    facts = AccountLow(
        balance=MicroUsdc(894_480),
        burn_per_day=MicroUsdc(596_320),
        days=Decimal("1.5"),
        dry_at=NOW + timedelta(days=1.5),
        days_left=1,
        uncounted=3,
    )
    found = Finding(Fingerprint("main", "account_low"), Severity.WARNING, facts, step=1)
    assert [found] == judge(situation, AccountLowSettings()).findings


@pytest.mark.parametrize(
    ("balance", "step"), [(894_479, 0), (447_240, 1), (447_239, 1), (1, 1), (0, 2), (-1, 2)]
)
def test_how_bad_a_low_balance_is(web: Vm, see: See, balance: int, step: int) -> None:
    """A day costs 298160: under three days, at most half of them, nothing."""
    (found,) = judge(see(web, listed=having(balance)), AccountLowSettings()).findings
    assert step == found.step
    assert found.severity is (Severity.WARNING if balance > 0 else Severity.CRITICAL)


@pytest.mark.parametrize("severity", Severity)
def test_how_severe_a_low_balance_is(web: Vm, see: See, severity: Severity) -> None:
    """As the settings say; nothing left, and a debt, are critical whatever they say."""
    for balance, expected in (1, severity), (0, Severity.CRITICAL), (-1, Severity.CRITICAL):
        situation = see(web, listed=having(balance))
        (found,) = judge(situation, AccountLowSettings(severity=severity)).findings
        assert expected is found.severity


def test_the_burn_counts_the_account_s_epoch(web: Vm, see: See) -> None:
    """With an epoch of an hour a day costs 24 of them."""
    situation = see(web, billing=METERED, listed=having(298_160))
    (found,) = judge(situation, AccountLowSettings()).findings
    assert isinstance(found.facts, AccountLow)
    assert (24 * 298_160, Decimal("0.0")) == (found.facts.burn_per_day, found.facts.days)
    assert NOW + timedelta(hours=1) == found.facts.dry_at


def test_a_poll_without_a_list(see: See) -> None:
    """Nothing can be said of the balance."""
    assert UNKNOWN == verdict_on(replace(see(listed=having(0)), snapshot=None))


def test_it_waits() -> None:
    """A balance may be topped up within half an hour."""
    assert timedelta(minutes=30) == AccountLowSettings().hold


@given(st.integers(-(2**63), 2**63), st.integers(1, 2**63), st.decimals(0, 3650, places=6))
def test_days_are_exact(web: Vm, see: See, balance: int, price: int, min_days: Decimal) -> None:
    """For any amounts the balance is low if and only if it is used up or does not pay the days."""
    situation = see(replace(web, price=price), listed=having(balance))
    findings = judge(situation, AccountLowSettings(min_days=min_days)).findings
    micro_days = int(min_days.scaleb(6))
    low = balance <= 0 or balance * 1_000_000 < micro_days * price
    assert low == bool(findings)
    for each in findings:
        assert isinstance(each.facts, AccountLow)
        tenths = int(each.facts.days.scaleb(1))
        assert tenths * price <= 10 * max(balance, 0) < (tenths + 1) * price

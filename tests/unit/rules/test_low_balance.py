from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.billing import HourlyBilling
from fluence_watch.model.finding import Finding, Fingerprint, Severity, VmRef
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.low_balance import LowBalance, LowBalanceSettings, judge
from fluence_watch.rules.situation import Situation

BOUNDARY = datetime(2025, 4, 16, 17, 59, 55, tzinfo=UTC)
FINE, LOW, UNKNOWN, GONE = "fine", "low", "unknown", "gone"

See = Callable[..., Situation]


def verdict_on(situation: Situation, **limits: object) -> str:
    """What the rule says of the only VM."""
    judgement = judge(situation, LowBalanceSettings.model_validate(limits))
    answers = [
        *(LOW for _ in judgement.findings),
        *(UNKNOWN for _ in judgement.unknown),
        *(GONE for _ in judgement.gone),
    ]
    assert len(answers) <= 1
    return answers[0] if answers else FINE


@pytest.mark.parametrize(
    ("price", "reserved", "limits", "verdict"),
    [
        (298_160, 298_160, {}, FINE),
        (298_160, 298_159, {}, LOW),
        (298_160, 0, {}, LOW),
        (298_160, -1, {"min_epochs": 0}, LOW),
        (298_160, 0, {"min_epochs": 0}, FINE),
        (298_160, 596_320, {"min_epochs": 2}, FINE),
        (298_160, 596_319, {"min_epochs": 2}, LOW),
        (298_161, 447_242, {"min_epochs": "1.5"}, FINE),
        (298_161, 447_241, {"min_epochs": "1.5"}, LOW),
        (298_160, 500_000, {"min_usdc": "0.5"}, FINE),
        (298_160, 499_999, {"min_usdc": "0.5"}, LOW),
        (700_000, 699_999, {"min_usdc": "0.5"}, LOW),
        (0, 0, {}, FINE),
        (0, 0, {"min_usdc": 1}, LOW),
        (None, 298_160, {}, UNKNOWN),
        (None, 0, {}, UNKNOWN),
        (None, 499_999, {"min_usdc": "0.5"}, LOW),
        (None, 500_000, {"min_usdc": "0.5"}, UNKNOWN),
        (298_160, None, {}, UNKNOWN),
        (None, None, {}, UNKNOWN),
    ],
)
def test_when_a_reserve_is_low(
    web: Vm,
    see: See,
    price: int | None,
    reserved: int | None,
    limits: dict[str, object],
    verdict: str,
) -> None:
    """Equal to what is needed is enough; what cannot be known is neither low nor fine."""
    vm = replace(web, price=price, reserved=reserved)
    assert verdict == verdict_on(see(vm), **limits)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (Status.SMALL_BALANCE, LOW),
        (Status.INSUFFICIENT_FUNDS, LOW),
        (Status.TERMINATED, GONE),
        (Status.TERMINATING, GONE),
        (Status.FAILED, GONE),
        (Status.UNKNOWN, FINE),
        (Status.STOPPED, FINE),
    ],
)
def test_what_the_status_says(web: Vm, see: See, status: Status, verdict: str) -> None:
    """The API's own word for too little money counts whatever the reserve; the dead need none."""
    assert verdict == verdict_on(see(replace(web, status=status)))


def test_the_facts_of_a_shortage(web: Vm, see: See) -> None:
    """All that a message says is in the finding; `for` is to be waited out."""
    low = replace(web, reserved=MicroUsdc(298_159))
    facts = LowBalance(
        vm=VmRef("0x00aB", "web-1", "FR-PAR-1"),
        price=MicroUsdc(298_160),
        reserved=MicroUsdc(298_159),
        needed=MicroUsdc(298_160),
        next_billing_at=BOUNDARY,
        funded_until=BOUNDARY,
    )
    found = Finding(Fingerprint("main", "low_balance", "0x00ab"), Severity.CRITICAL, facts)
    assert [found] == judge(see(low), LowBalanceSettings()).findings


def test_the_api_says_so_itself(web: Vm, see: See) -> None:
    """Then there is nothing to wait for, and its word is passed on, with what is unknown."""
    short = replace(web, status=Status.SMALL_BALANCE, status_word="SmallBalance", price=None)
    (found,) = judge(see(short), LowBalanceSettings()).findings
    assert found.at_once
    assert isinstance(found.facts, LowBalance)
    assert "SmallBalance" == found.facts.status
    assert (None, None) == (found.facts.needed, found.facts.funded_until)


def test_funded_until_counts_the_account_s_epoch(web: Vm, see: See) -> None:
    """An account with another billing period is funded for as many of those."""
    limits = LowBalanceSettings(min_epochs=3)
    (found,) = judge(see(web, billing=HourlyBilling()), limits).findings
    assert isinstance(found.facts, LowBalance)
    assert BOUNDARY + timedelta(hours=1) == found.facts.funded_until


def test_forever_is_no_date(web: Vm, see: See) -> None:
    """A free VM under `min_usdc` is not said to be funded until the year 9999."""
    free = replace(web, price=MicroUsdc(0), reserved=MicroUsdc(0))
    (found,) = judge(see(free), LowBalanceSettings(min_usdc=1)).findings
    assert isinstance(found.facts, LowBalance)
    assert (None, 1_000_000) == (found.facts.funded_until, found.facts.needed)


@given(st.integers(0, 2**62), st.integers(0, 2**62), st.integers(1, 3_650))
def test_whole_epochs_are_exact(web: Vm, see: See, price: int, reserved: int, epochs: int) -> None:
    """For any amounts the reserve is low if and only if it does not pay the epochs."""
    vm = replace(web, price=price, reserved=reserved)
    low = verdict_on(see(vm), min_epochs=epochs) == LOW
    assert (reserved < epochs * price) == low


@pytest.mark.parametrize(
    ("reserved", "status", "step"),
    [
        (298_159, Status.ACTIVE, 0),
        (149_081, Status.ACTIVE, 0),
        (149_080, Status.ACTIVE, 1),
        (1, Status.ACTIVE, 1),
        (0, Status.ACTIVE, 2),
        (298_159, Status.SMALL_BALANCE, 3),
        (None, Status.SMALL_BALANCE, 3),
    ],
)
def test_how_bad_a_low_reserve_is(
    web: Vm, see: See, reserved: int | None, status: Status, step: int
) -> None:
    """Under what is needed, at most half of it, nothing, the API's own word."""
    vm = replace(web, price=MicroUsdc(298_160), reserved=reserved, status=status)
    (found,) = judge(see(vm), LowBalanceSettings()).findings
    assert step == found.step

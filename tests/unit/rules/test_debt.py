from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.model.account import AccountBalance
from fluence_watch.model.billing import EPOCHS, METERED
from fluence_watch.model.finding import Absence, Finding, Fingerprint, Severity
from fluence_watch.model.known import KnownVm
from fluence_watch.model.known_resource import KnownResource
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules import RULES, evaluate
from fluence_watch.rules.base import Judgement
from fluence_watch.rules.debt import Debt, DebtSettings, judge
from fluence_watch.rules.situation import Situation

See = Callable[..., Situation]
NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
USDC = 1_000_000
OWED = Fingerprint("main", "debt")
DISK = Resource(Kind.DISK, "d", "data", "ready", MicroUsdc(400_000))
ADDRESS = Resource(Kind.PUBLIC_IP, "i", None, "ready", MicroUsdc(10_000))


def judged(see: See, *vms: Vm, balance: float | None, **more: object) -> Judgement:
    money = None if balance is None else AccountBalance(MicroUsdc(int(balance * USDC)))
    resources = more.pop("resources", (DISK, ADDRESS))
    listed = {
        "resources": resources,
        "balance": money,
        "billing": METERED,
        **more.pop("listed", {}),
    }
    missing = more.pop("missing_resources", {})
    situation = see(*vms, billing=METERED, listed=listed, resources=missing, **more)
    return judge(situation, DebtSettings())


def found(see: See, *vms: Vm, **more: object) -> Finding:
    (finding,) = judged(see, *vms, **more).findings
    return finding


def test_what_is_owed_after_all_vms_are_deleted(see: See) -> None:
    """A disk and an address go on costing 9.84 a day: half a USD is left to 5, then disks go on."""
    finding = found(see, balance=-4.5)
    assert (OWED, Severity.CRITICAL, 0) == (finding.fingerprint, finding.severity, finding.step)
    facts = finding.facts
    assert isinstance(facts, Debt)
    assert (4_500_000, 9_840_000) == (facts.owed, facts.burn_per_day)
    assert (0, 1, 1, False) == (facts.vms, facts.public_ips, facts.disks, facts.uncounted)
    assert 4_500_000 + 30 * 9_840_000 == facts.to_add
    assert NOW < facts.vms_at < NOW + timedelta(hours=2)
    assert facts.vms_at < facts.disks_at < NOW + 2 * DAY


def test_the_days_count_from_the_first_sight(see: See) -> None:
    """Three of them to the VMs, then it is worse."""
    cheap = replace(ADDRESS, price=MicroUsdc(1))
    early = found(see, balance=-1, resources=[cheap], since={OWED: NOW - DAY})
    assert (NOW + 2 * DAY, NOW + 12 * DAY, 0) == (
        early.facts.vms_at,
        early.facts.disks_at,
        early.step,
    )
    late = found(see, balance=-1, resources=[cheap], since={OWED: NOW - 3 * DAY})
    assert (NOW, 1) == (late.facts.vms_at, late.step)


@pytest.mark.parametrize("balance", [0, 3])
def test_who_owes_nothing(see: See, balance: int) -> None:
    assert Judgement() == judged(see, balance=balance)


def test_what_is_not_known(see: See) -> None:
    """No balance, no judgement. What is not counted makes everything earlier, and is said."""
    assert frozenset({""}) == judged(see, balance=None).unknown
    assert found(see, balance=-1, listed={"unknown": {"disks": "403"}}).facts.uncounted
    unpriced = replace(DISK, price=None)
    assert found(see, balance=-1, resources=[unpriced]).facts.uncounted


def test_where_vms_are_prepaid(see: See, web: Vm) -> None:
    """There is no debt: what is not paid ends."""
    money = AccountBalance(MicroUsdc(-USDC))
    situation = see(web, billing=EPOCHS, listed={"balance": money})
    assert Judgement() == judge(situation, DebtSettings())
    assert Judgement() == judge(Situation("main", NOW, {}, {}), DebtSettings())


def test_what_ended_is_not_counted(see: See) -> None:
    """Only what costs money can be removed."""
    gone = replace(DISK, status_word="removing")
    ended = Vm("1", "x", Status.TERMINATED, "terminated", MicroUsdc(5))
    facts = found(see, ended, balance=-1, resources=[gone]).facts
    assert (0, 0, 0, 0) == (facts.vms, facts.disks, facts.public_ips, facts.burn_per_day)
    assert facts.owed == facts.to_add


def test_the_burn_and_what_to_add_are_of_the_same_things(see: See, web: Vm) -> None:
    """What is listed, GPU instances too, and what is missing but not lost: all of that may be charged."""
    gpu = Resource(
        Kind.GPU_VM, "g", "train", "active", MicroUsdc(1_000_000), reserved=MicroUsdc(2_000_000)
    )
    gone = replace(web, id="0x00ac", price=MicroUsdc(50_000))
    data = replace(DISK, id="e")
    finding = found(
        see, web, balance=-1, resources=[ADDRESS, gpu],
        known={gone.key: KnownVm(gone, NOW - DAY, gone.ports, missing_since=NOW, missing_among=2)},
        missing_resources={data.key: KnownResource(data, NOW - DAY)},
    )  # fmt: skip
    facts = finding.facts
    assert 24 * (298_160 + 10_000 + 1_000_000 + 50_000 + 400_000) == facts.burn_per_day
    assert (2, 1, 1, 1, 2) == (facts.vms, facts.public_ips, facts.disks, facts.gpus, facts.missing)
    assert USDC + 30 * facts.burn_per_day == facts.to_add


def test_an_overage_is_added_too(see: See) -> None:
    """Whatever the balance says."""
    money = AccountBalance(MicroUsdc(0), overage=MicroUsdc(2 * USDC))
    facts = found(see, balance=None, resources=[ADDRESS], listed={"balance": money}).facts
    assert 2 * USDC + 30 * facts.burn_per_day == facts.to_add


def test_a_debt_is_the_only_message_about_the_balance(see: See) -> None:
    """That the money is used up goes without saying."""
    settings = {rule.name: rule.settings() for rule in RULES}
    listed = {"balance": AccountBalance(MicroUsdc(-1)), "resources": (DISK,), "billing": METERED}
    verdict = evaluate(see(billing=METERED, listed=listed), settings)
    assert {OWED} == {each for each in verdict.findings if not each.subject}
    muted = {OWED._replace(rule=rule) for rule in ("funds_exhausted_soon", "account_low")}
    assert {Absence.UNKNOWN} == {verdict.absence(each) for each in muted}

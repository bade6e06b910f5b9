from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from fluence_watch.model.billing import METERED
from fluence_watch.model.finding import Absence, Finding, Fingerprint, Severity, VmRef
from fluence_watch.model.known import KnownVm
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules import RULES, evaluate
from fluence_watch.rules.locked_funds import LockedFunds, LockedFundsSettings, judge
from fluence_watch.rules.situation import Situation

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
SETTINGS = LockedFundsSettings()
PROBLEM = Fingerprint("main", "locked_funds", "0x00ab")

See = Callable[..., Situation]


@pytest.mark.parametrize(
    ("status", "reserved", "absence"),
    [
        (Status.TERMINATED, 10_001, None),
        (Status.TERMINATED, 10_000, Absence.OVER),
        (Status.TERMINATED, None, Absence.UNKNOWN),
        (Status.TERMINATING, 298_160, Absence.UNKNOWN),
        (Status.UNKNOWN, 298_160, Absence.UNKNOWN),
        (Status.FAILED, 298_160, None),
        (Status.STOPPED, 298_160, Absence.OVER),
        (Status.ACTIVE, 298_160, Absence.OVER),
    ],
)
def test_who_keeps_money(
    web: Vm, see: See, status: Status, reserved: int | None, absence: Absence | None
) -> None:
    """An ended VM with more than `min_usdc`; `None` is a finding."""
    vm = replace(web, status=status, reserved=None if reserved is None else MicroUsdc(reserved))
    verdict = evaluate(see(vm), {rule.name: rule.settings() for rule in RULES})
    assert (absence is None) is (PROBLEM in verdict.findings)
    if absence is not None:
        assert absence is verdict.absence(PROBLEM)


def test_the_facts_of_locked_funds(web: Vm, see: See) -> None:
    """The VM and what it keeps."""
    ended = replace(web, status=Status.TERMINATED)
    facts = LockedFunds(VmRef("0x00aB", "web-1", "FR-PAR-1"), MicroUsdc(359_440))
    assert [Finding(PROBLEM, Severity.WARNING, facts)] == judge(see(ended), SETTINGS).findings


def test_a_vm_that_is_being_deleted(web: Vm, see: See) -> None:
    """Is no news any more, and a metered account locks nothing."""
    ended = replace(web, status=Status.TERMINATED)
    asked = KnownVm(ended, NOW, removal_asked_at=NOW)
    judgement = judge(see(ended, known={web.key: asked}), SETTINGS)
    assert ([], {web.key}) == (judgement.findings, judgement.gone)
    assert not judge(see(ended, billing=METERED), SETTINGS).findings
    assert [] == judge(replace(see(ended), snapshot=None), SETTINGS).findings

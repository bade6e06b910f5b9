from collections.abc import Callable
from dataclasses import replace

import pytest

from fluence_watch.model.finding import Absence, Finding, Fingerprint, Severity, VmRef
from fluence_watch.model.known import KnownVm
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules import RULES, evaluate
from fluence_watch.rules.situation import Situation
from fluence_watch.rules.vm_status import VmStatus, VmStatusSettings, judge

SETTINGS = VmStatusSettings()
FINE, UNKNOWN = "fine", "unknown"

See = Callable[..., Situation]


def problem(key: str) -> Fingerprint:
    return Fingerprint("main", "vm_status", "0x00ab", key)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (Status.DRAFT, FINE),
        (Status.NEW, FINE),
        (Status.LAUNCHING, FINE),
        (Status.ACTIVE, FINE),
        (Status.UPDATING, FINE),
        (Status.RESTARTING, FINE),
        (Status.SMALL_BALANCE, UNKNOWN),
        (Status.INSUFFICIENT_FUNDS, UNKNOWN),
        (Status.TERMINATING, UNKNOWN),
        (Status.UNKNOWN, UNKNOWN),
        (Status.SUSPENDING, "suspended"),
        (Status.SUSPENDED, "suspended"),
        (Status.STOPPED, "stopped"),
        (Status.FAILED, "failed"),
        (Status.TERMINATED, "terminated"),
    ],
)
def test_what_a_status_says(web: Vm, see: See, status: Status, verdict: str) -> None:
    """Each is healthy, a problem under its own name, or says nothing of the VM's health."""
    judgement = judge(see(replace(web, status=status)), SETTINGS)
    keys = [each.fingerprint.key for each in judgement.findings]
    assert ([] if verdict in {FINE, UNKNOWN} else [verdict]) == keys
    assert (verdict == UNKNOWN) == (judgement.unknown == frozenset({"0x00ab"}))


def test_every_status_is_decided() -> None:
    """A new one must be put into the table above."""
    (table,) = test_what_a_status_says.pytestmark  # type: ignore[attr-defined] # pytest's own
    assert set(Status) == {status for status, _ in table.args[1]}


@pytest.mark.parametrize("configured", Severity)
@pytest.mark.parametrize(
    "status", [Status.STOPPED, Status.SUSPENDED, Status.FAILED, Status.TERMINATED]
)
def test_an_ended_vm_is_critical(web: Vm, see: See, status: Status, configured: Severity) -> None:
    """Whatever the setting, which counts for all else."""
    limits = VmStatusSettings(severity=configured)
    (found,) = judge(see(replace(web, status=status)), limits).findings
    expected = Severity.CRITICAL if status is Status.TERMINATED else configured
    assert expected is found.severity


def test_the_facts_of_an_ended_vm(web: Vm, see: See) -> None:
    """What it is, in both words, and the money that is locked in it."""
    ended = replace(web, status=Status.TERMINATED, status_word="Terminated", datacenter=None)
    facts = VmStatus(VmRef("0x00aB", "web-1"), Status.TERMINATED, "Terminated", MicroUsdc(359_440))
    found = Finding(problem("terminated"), Severity.CRITICAL, facts)
    assert [found] == judge(see(ended), SETTINGS).findings


@pytest.mark.parametrize(
    ("status", "absence"),
    [
        (Status.ACTIVE, Absence.OVER),
        (Status.UPDATING, Absence.OVER),
        (Status.SMALL_BALANCE, Absence.UNKNOWN),
        (Status.TERMINATING, Absence.UNKNOWN),
        (Status.UNKNOWN, Absence.UNKNOWN),
        (Status.SUSPENDED, Absence.GONE),
        (Status.TERMINATED, Absence.GONE),
    ],
)
def test_what_becomes_of_a_stop_that_fired(
    web: Vm, see: See, status: Status, absence: Absence
) -> None:
    """It is over when the VM is well, and ends without a message when something else is wrong."""
    limits = {rule.name: rule.settings() for rule in RULES}
    verdict = evaluate(see(replace(web, status=status)), limits)
    assert absence is verdict.absence(problem("stopped"))


@pytest.mark.parametrize("status", Status)
def test_a_vm_whose_removal_was_asked_is_no_business(web: Vm, see: See, status: Status) -> None:
    """However it ends, the user wanted it so."""
    vm = replace(web, status=status)
    asked = KnownVm(vm, web.next_billing_at, removal_asked_at=web.next_billing_at)
    judgement = judge(see(vm, known={web.key: asked}), SETTINGS)
    assert ([], frozenset(), frozenset({web.key})) == (
        judgement.findings,
        judgement.unknown,
        judgement.gone,
    )

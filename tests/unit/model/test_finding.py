from dataclasses import replace

import pytest

from fluence_watch.model.finding import (
    Absence,
    Fingerprint,
    Severity,
    Verdict,
    VmRef,
    ref,
)
from fluence_watch.model.vm import Vm

DRIFT = Fingerprint("main", "port_drift", "0xab", "opened:80/tcp")
PAIR = ("port_drift", "0xab")
JUDGED = frozenset({"port_drift"})


def test_severities_have_an_order() -> None:
    """The worst has the highest rank."""
    worst_first = sorted(Severity, key=lambda severity: severity.rank, reverse=True)
    assert worst_first == ["critical", "warning", "info"]


def test_how_a_message_names_a_vm(web: Vm) -> None:
    """By id, name and datacenter, as far as they are known."""
    assert VmRef("0x00aB", "web-1", "FR-PAR-1") == ref(web)
    assert VmRef("0x00aB") == ref(replace(web, name=None, datacenter=None))


@pytest.mark.parametrize(
    ("verdict", "absence"),
    [
        (Verdict(judged=JUDGED), Absence.OVER),
        (Verdict(), Absence.UNKNOWN),
        (Verdict(judged=JUDGED, unknown=frozenset({PAIR})), Absence.UNKNOWN),
        (Verdict(judged=JUDGED, gone=frozenset({PAIR})), Absence.GONE),
        (Verdict(judged=JUDGED, unknown=frozenset({PAIR}), gone=frozenset({PAIR})), Absence.GONE),
        (Verdict(disabled=frozenset({"port_drift"})), Absence.GONE),
        (Verdict(judged=JUDGED, unknown=frozenset({("port_drift", "0xcd")})), Absence.OVER),
        (Verdict(judged=JUDGED, gone=frozenset({("low_balance", "0xab")})), Absence.OVER),
    ],
)
def test_why_a_problem_is_not_found(verdict: Verdict, absence: Absence) -> None:
    """Over only if its rule looked at its subject; gone when it or its rule is no more."""
    assert absence is verdict.absence(DRIFT)

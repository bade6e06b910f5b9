from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from fluence_watch.model.finding import Finding, Fingerprint, Severity, VmRef
from fluence_watch.model.known import KnownVm
from fluence_watch.model.vm import Vm
from fluence_watch.rules.public_ip_changed import (
    RULE,
    PublicIpChanged,
    PublicIpChangedSettings,
    judge,
)
from fluence_watch.rules.situation import Situation

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
SETTINGS = PublicIpChangedSettings()

See = Callable[..., Situation]


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("1.2.3.4", "5.6.7.8", 1),
        ("1.2.3.4", "1.2.3.4", 0),
        ("1.2.3.4", None, 0),
        (None, "1.2.3.4", 0),
        ("", "1.2.3.4", 0),
        (None, None, 0),
    ],
)
def test_when_an_address_changed(
    web: Vm, see: See, old: str | None, new: str | None, found: int
) -> None:
    """Only from one known address to another: one that comes or goes is no change."""
    before = {web.key: KnownVm(replace(web, public_ip=old), NOW)}
    judgement = judge(see(replace(web, public_ip=new), before=before), SETTINGS)
    assert found == len(judgement.findings)


def test_a_new_vm_had_no_address(web: Vm, see: See) -> None:
    """What was not there before did not change."""
    assert [] == judge(see(web, before={}), SETTINGS).findings


def test_the_facts_of_another_address(web: Vm, see: See) -> None:
    """Both addresses. It fires at once, and the time in its key makes it a new problem."""
    moved = replace(web, public_ip="5.6.7.8")
    found = Finding(
        Fingerprint("main", "public_ip_changed", "0x00ab", "2025-04-16T12:00:00+00:00"),
        Severity.INFO,
        PublicIpChanged(VmRef("0x00aB", "web-1", "FR-PAR-1"), "154.42.3.159", "5.6.7.8"),
        at_once=True,
    )
    assert [found] == judge(see(moved, before={web.key: KnownVm(web, NOW)}), SETTINGS).findings


def test_it_is_an_event(see: See) -> None:
    """Its end is no news, and after a failed poll there is nothing to find."""
    assert RULE.event
    assert not RULE.sends_resolved
    assert [] == judge(replace(see(), snapshot=None), SETTINGS).findings

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.model.billing import EPOCHS, METERED
from fluence_watch.model.finding import Finding, Fingerprint, Severity, VmRef, ref
from fluence_watch.model.known import KnownVm
from fluence_watch.model.snapshot import PollFailure, Rejected
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.base import Judgement
from fluence_watch.rules.situation import Situation
from fluence_watch.rules.vm_unreadable import (
    MoneyUnknown,
    VmUnreadable,
    VmUnreadableSettings,
    judge,
)

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
SETTINGS = VmUnreadableSettings()
BAD = Rejected("[3].pricePerEpoch", "Expected `int`", "0xEE")

See = Callable[..., Situation]


def alert(subject: str) -> Fingerprint:
    return Fingerprint("main", "vm_unreadable", subject)


def test_a_vm_that_cannot_be_read(web: Vm, see: See) -> None:
    """The finding names the VM, and the field without the place in a list that changes."""
    facts = VmUnreadable(VmRef("0xEE"), ".pricePerEpoch", "Expected `int`")
    found = Finding(alert("0xee"), Severity.WARNING, facts)
    assert Judgement([found]) == judge(see(web, rejected=(BAD,)), SETTINGS)
    assert timedelta(minutes=10) == SETTINGS.hold


def test_a_vm_that_was_known_has_its_name(web: Vm, see: See) -> None:
    """As it was last read."""
    known = {"0xee": KnownVm(replace(web, id="0xEE", name="db"), NOW)}
    (found,) = judge(see(web, known=known, rejected=(BAD,)), SETTINGS).findings
    assert isinstance(found.facts, VmUnreadable)
    assert VmRef("0xEE", "db", "FR-PAR-1") == found.facts.vm


def test_a_vm_that_is_listed_twice(web: Vm, see: See) -> None:
    """Which of the two is it? That is unknown too, and the element has no place of its own."""
    (found,) = judge(see(web, replace(web, name="other")), SETTINGS).findings
    assert isinstance(found.facts, VmUnreadable)
    assert (alert("0x00ab"), "") == (found.fingerprint, found.facts.where)


def test_elements_without_an_id_are_the_business_of_poll_failing(web: Vm, see: See) -> None:
    """They are no VM that can be named."""
    assert Judgement([]) == judge(see(web, rejected=(Rejected("[0]", "bad"),)), SETTINGS)


def test_nothing_can_be_read(see: See) -> None:
    """That is one alert of `poll_failing`; those that are open here wait."""
    judgement = judge(see(rejected=(BAD,), alerts=[alert("0xee")]), SETTINGS)
    assert Judgement(unknown=frozenset({"0xee"})) == judgement


def test_a_vm_that_was_never_read_and_leaves_the_list(web: Vm, see: See) -> None:
    """It is gone, and not readable again; in a list that is not complete, nobody knows."""
    assert Judgement([], gone=frozenset({"0xee"})) == judge(
        see(web, alerts=[alert("0xee")]), SETTINGS
    )
    cut = see(web, alerts=[alert("0xee")], listed={"incomplete_because": "cut"})
    assert Judgement([], unknown=frozenset({"0xee"})) == judge(cut, SETTINGS)


def test_a_vm_that_can_be_read_again(web: Vm, see: See) -> None:
    """There is no finding, so that its alert resolves; nor is there one after a failed poll."""
    assert Judgement([]) == judge(see(web, alerts=[alert(web.key)]), SETTINGS)
    failure = PollFailure("main", NOW, "unreachable", "")
    assert Judgement() == judge(Situation("main", NOW, {}, {}, failure=failure), SETTINGS)


@pytest.mark.parametrize(
    ("changes", "reserves", "unknown"),
    [
        ({}, True, None),
        ({"price": None}, True, ("price",)),
        ({"price": None}, False, ("price",)),
        ({"reserved": None, "next_billing_at": None}, True, ("reserve", "next charge")),
        ({"reserved": None, "next_billing_at": None}, False, None),
        ({"price": None, "status": Status.LAUNCHING}, True, None),
        ({"price": None, "status": Status.TERMINATED}, True, None),
        ({"next_billing_at": None, "status": Status.STOPPED}, True, None),
        ({"price": None, "status": Status.UNKNOWN}, True, ("price",)),
        ({"ports": None, "spent": None}, True, None),
    ],
)
def test_money_that_the_api_does_not_report(
    web: Vm,
    see: See,
    changes: dict[str, object],
    reserves: bool,  # noqa: FBT001 - a column of the table
    unknown: tuple[str, ...] | None,
) -> None:
    """A VM whose cost nobody knows is not fine; what a generation never reports is not missed."""
    vm = replace(web, **changes)
    findings = judge(
        see(vm, listed={"billing": EPOCHS if reserves else METERED}), VmUnreadableSettings()
    ).findings
    facts = [(each.fingerprint.key, each.facts) for each in findings]
    expected = [] if unknown is None else [("money", MoneyUnknown(ref(web), unknown))]
    assert expected == facts

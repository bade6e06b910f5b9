from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.model.billing import METERED
from fluence_watch.model.finding import Finding, Fingerprint, Severity, VmRef
from fluence_watch.model.known import KnownVm
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.note import NoteAction
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.situation import Situation
from fluence_watch.rules.vm_appeared import RULE, VmAppeared, VmAppearedSettings, judge

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
SETTINGS = VmAppearedSettings()
POLLED = {"last_good_at": NOW - MINUTE, "begun_at": NOW - MINUTE}

See = Callable[..., Situation]


@pytest.mark.parametrize(
    ("created", "status", "found"),
    [
        (NOW - MINUTE / 2, Status.ACTIVE, True),
        (NOW - MINUTE / 2, Status.NEW, True),
        (NOW - 61 * MINUTE, Status.ACTIVE, True),
        (NOW - 62 * MINUTE, Status.ACTIVE, False),
        (NOW + MINUTE, Status.LAUNCHING, True),
        (None, Status.ACTIVE, True),
        (NOW, Status.DRAFT, False),
        (NOW, Status.TERMINATED, False),
    ],
)
def test_a_vm_that_was_not_known(
    web: Vm,
    see: See,
    created: datetime | None,
    status: Status,
    found: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """It is news if it is billed and no list can have left it out."""
    vm = replace(web, created_at=created, status=status)
    assert found is bool(judge(see(vm, before={}, **POLLED), SETTINGS).findings)


def test_the_first_poll(web: Vm, see: See) -> None:
    """What an account has then is not news, and after a failed poll there is none."""
    young = replace(web, created_at=NOW)
    assert not judge(see(young, before={}), SETTINGS).findings
    assert [] == judge(replace(see(before={}, **POLLED), snapshot=None), SETTINGS).findings


@pytest.mark.parametrize(
    ("was", "found"),
    [
        ({}, False),
        ({"status": Status.NEW}, False),
        ({"status": Status.TERMINATED}, False),
        ({"status": Status.DRAFT}, True),
    ],
)
def test_a_vm_that_was_known(web: Vm, see: See, was: dict, found: bool) -> None:  # noqa: FBT001 - a column
    """It has not appeared, missing or not; but a draft that is launched has, however old it is."""
    vm = replace(web, created_at=NOW - 100 * MINUTE)
    for missing_since in (None, NOW - MINUTE):
        entry = KnownVm(replace(vm, **was), NOW, missing_since=missing_since)
        situation = see(vm, before={web.key: entry}, **POLLED)
        assert found is bool(judge(situation, SETTINGS).findings)


UNREAD = {"since": {Fingerprint("main", "vm_unreadable", "0x00ab"): NOW - DAY}}
DELETED = {"expected_changes": frozenset({(NoteAction.REMOVED, "0x00ab")})}
WEEK = 7 * DAY
DAY_LIMIT = {"forget_after": DAY}
NEW, BACK = [False], [True]


@pytest.mark.parametrize(
    ("created", "watched", "more", "returned"),
    [
        (2 * DAY, 3 * DAY, {}, NEW),
        (2 * DAY, DAY, {}, []),
        (6 * DAY, 90 * DAY, {}, NEW),
        (WEEK, 90 * DAY, {}, BACK),
        (90 * DAY, 100 * DAY, {}, BACK),
        (90 * DAY, WEEK, {}, BACK),
        (90 * DAY, 6 * DAY, {}, []),
        (3 * DAY, 4 * DAY, DAY_LIMIT, BACK),
        (DAY - MINUTE, 4 * DAY, DAY_LIMIT, NEW),
        (90 * DAY, 4 * DAY, DAY_LIMIT, BACK),
        (90 * DAY, 23 * 60 * MINUTE, DAY_LIMIT, []),
        (90 * DAY, 100 * DAY, UNREAD, []),
        (2 * DAY, 3 * DAY, UNREAD, NEW),
        (90 * DAY, 100 * DAY, DELETED, []),
        (90 * DAY, 100 * DAY, {"last_good_at": None}, []),
        (90 * DAY, None, {}, []),
    ],
)
def test_a_vm_that_is_older_than_the_last_poll(
    web: Vm,
    see: See,
    created: timedelta,
    watched: timedelta | None,
    more: dict[str, object],
    returned: list[bool],
) -> None:
    """See the table of the rule."""
    vm = replace(web, created_at=NOW - created)
    begun = {"begun_at": None if watched is None else NOW - watched}
    findings = judge(see(vm, before={}, **(POLLED | begun | more)), SETTINGS).findings
    assert returned == [each.facts.returned for each in findings]


def test_a_new_vm_that_could_not_be_read(web: Vm, see: See) -> None:
    """It is new still; one that our own command deleted is not."""
    vm = replace(web, created_at=NOW)
    (new,) = judge(see(vm, before={}, **POLLED, **UNREAD), SETTINGS).findings
    assert not new.facts.returned
    assert [] == judge(see(vm, before={}, **POLLED, **DELETED), SETTINGS).findings


def test_the_facts_of_a_new_vm(web: Vm, see: See) -> None:
    """What it costs, since when, and what is open; it fires once, at once."""
    vm = replace(web, created_at=NOW, spent=web.price)
    price = MicroUsdc(298_160)
    facts = VmAppeared(
        VmRef("0x00aB", "web-1", "FR-PAR-1"), price, price, NOW, web.next_billing_at,
        ("22/tcp",), "154.42.3.159",
    )  # fmt: skip
    found = Finding(
        Fingerprint("main", "vm_appeared", "0x00ab", "2025-04-16T12:00:00+00:00"),
        Severity.WARNING, facts, at_once=True,
    )  # fmt: skip
    assert [found] == judge(see(vm, before={}, **POLLED), SETTINGS).findings
    assert RULE.event
    (metered,) = judge(see(vm, before={}, billing=METERED, **POLLED), SETTINGS).findings
    assert replace(facts, spent=None, next_billing_at=None, metered=True) == metered.facts

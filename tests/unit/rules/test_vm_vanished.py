from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.model.account import AccountBalance
from fluence_watch.model.billing import METERED
from fluence_watch.model.finding import Finding, Fingerprint, Severity, VmRef
from fluence_watch.model.known import Cause, KnownVm
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.situation import Situation
from fluence_watch.rules.vm_vanished import (
    FleetVanished,
    VmVanished,
    VmVanishedSettings,
    judge,
)

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
BOUNDARY = datetime(2025, 4, 16, 17, 59, 55, tzinfo=UTC)
SETTINGS = VmVanishedSettings()
FLEET = "fleet@2025-04-16T12:00:00+00:00"

See = Callable[..., Situation]


def missing(vm: Vm, *, polls: int = 2, among: int = 1, since: datetime = NOW) -> KnownVm:
    return KnownVm(
        vm,
        first_seen_at=since - timedelta(days=1),
        missing_polls=polls,
        missing_since=since,
        missing_among=among,
        last_seen_at=since - MINUTE,
    )


def gone_of(vm: Vm, number: int, *, among: int, polls: int = 2) -> dict[str, KnownVm]:
    """So many copies of the VM that left the list of `among` in the same poll."""
    vms = (replace(vm, id=f"0x{n}", name=f"vm-{n}") for n in range(number))
    return {each.key: missing(each, polls=polls, among=among) for each in vms}


@pytest.mark.parametrize(
    ("polls", "confirm_polls", "found"),
    [(0, 2, 0), (1, 2, 0), (2, 2, 1), (3, 2, 1), (1, 1, 1), (0, 1, 0), (4, 5, 0), (5, 5, 1)],
)
def test_how_often_a_vm_must_be_missing(
    web: Vm, see: See, polls: int, confirm_polls: int, found: int
) -> None:
    """It counts as vanished from `confirm_polls` polls without it on."""
    known = {web.key: missing(web, polls=polls)}
    limits = VmVanishedSettings(confirm_polls=confirm_polls).limits
    assert found == len(judge(see(known=known, limits=limits), SETTINGS).findings)


def test_the_facts_of_a_vanished_vm(web: Vm, see: See) -> None:
    """It is described as it was last seen, with the money that is still in it."""
    facts = VmVanished(
        vm=VmRef("0x00aB", "web-1", "FR-PAR-1"),
        last_seen_at=NOW - MINUTE,
        public_ip="154.42.3.159",
        status="ACTIVE",
        reserved=MicroUsdc(359_440),
        spent=MicroUsdc(17_846_000),
        funded_until=BOUNDARY + timedelta(days=1),
        cause=Cause.UNKNOWN,
        ports=("22/tcp",),
        missing_since=NOW,
    )
    fingerprint = Fingerprint("main", "vm_vanished", "0x00ab")
    found = Finding(fingerprint, Severity.CRITICAL, facts, at_once=True)
    assert [found] == judge(see(known={web.key: missing(web)}), SETTINGS).findings


PAST, NEXT = NOW - MINUTE, NOW + MINUTE


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({}, Cause.UNKNOWN),
        ({"status": Status.TERMINATING}, Cause.PROVIDER),
        ({"status": Status.TERMINATING, "reserved": 0, "next_billing_at": PAST}, Cause.PROVIDER),
        ({"status": Status.SMALL_BALANCE}, Cause.FUNDS),
        ({"status": Status.INSUFFICIENT_FUNDS, "price": None}, Cause.FUNDS),
        ({"reserved": 0, "next_billing_at": PAST}, Cause.FUNDS),
        ({"reserved": 0, "next_billing_at": NOW}, Cause.FUNDS),
        ({"reserved": 0, "next_billing_at": NEXT}, Cause.UNKNOWN),
        ({"next_billing_at": PAST}, Cause.UNKNOWN),
        ({"reserved": None, "next_billing_at": PAST}, Cause.UNKNOWN),
        ({"price": 0, "reserved": 0, "next_billing_at": PAST}, Cause.UNKNOWN),
        ({"status": Status.FAILED}, Cause.UNKNOWN),
    ],
)
def test_why_a_vm_is_no_more(web: Vm, see: See, change: dict[str, object], cause: Cause) -> None:
    """Its last status says it, else that its money was used up by the poll that missed it.

    Money that would be used up by now, a week later, has ended nothing.
    """
    known = {web.key: missing(replace(web, **change))}
    (found,) = judge(see(known=known, now=NOW + timedelta(days=7)), SETTINGS).findings
    assert isinstance(found.facts, VmVanished)
    assert cause is found.facts.cause


def test_unknown_ports_are_not_none_open(web: Vm, see: See) -> None:
    """Nobody knows, which is not that all were closed."""
    facts = []
    for ports in (None, ()):
        known = {web.key: missing(replace(web, ports=ports))}
        facts += [each.facts for each in judge(see(known=known), SETTINGS).findings]
    assert [None, ()] == [each.ports for each in facts if isinstance(each, VmVanished)]


def test_an_ended_vm_that_leaves_the_list_was_deleted(web: Vm, see: See) -> None:
    """That is no loss: neither one nor most of a fleet; its other alerts end with it."""
    ended = replace(web, status=Status.TERMINATED)
    assert [] == judge(see(known={web.key: missing(ended)}), SETTINGS).findings
    tidied = see(known=gone_of(ended, 4, among=5))
    assert [] == judge(tidied, SETTINGS).findings
    assert tidied.known == tidied.presence.lost


def test_ended_vms_go_with_a_fleet(web: Vm, see: See) -> None:
    """When the list is the suspect it lost them too: nothing is said of any of them."""
    ended = replace(web, id="0xdead", status=Status.TERMINATED)
    known = gone_of(web, 3, among=4) | {ended.key: missing(ended, among=4)}
    (found,) = judge(see(known=known), SETTINGS).findings
    assert isinstance(found.facts, FleetVanished)
    assert 4 == found.facts.missing


def test_a_free_vm_is_not_funded_until_the_year_9999(web: Vm, see: See) -> None:
    """Forever is no date that a message could show."""
    free = replace(web, price=MicroUsdc(0))
    (found,) = judge(see(known={free.key: missing(free)}), SETTINGS).findings
    assert isinstance(found.facts, VmVanished)
    assert found.facts.funded_until is None


@pytest.mark.parametrize(
    ("number", "among", "suspect"),
    [
        (1, 1, False),
        (2, 2, False),
        (1, 3, False),
        (2, 3, True),
        (3, 3, True),
        (2, 4, False),
        (3, 4, True),
        (5, 10, False),
        (6, 10, True),
        (50, 100, False),
        (51, 100, True),
    ],
)
def test_when_the_list_is_the_suspect(
    web: Vm,
    see: See,
    number: int,
    among: int,
    suspect: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """More than half of three or more VMs at once is one finding; exactly half are VMs."""
    known = gone_of(web, number, among=among)
    subjects = [each.fingerprint.subject for each in judge(see(known=known), SETTINGS).findings]
    assert ([FLEET] if suspect else list(known)) == subjects


def test_the_facts_of_a_vanished_fleet(web: Vm, see: See) -> None:
    """How many of how many, since when, and some of them by name."""
    (found,) = judge(see(known=gone_of(web, 8, among=10)), SETTINGS).findings
    some = tuple(VmRef(f"0x{n}", f"vm-{n}", "FR-PAR-1") for n in range(5))
    assert FleetVanished(8, 10, NOW - MINUTE, some, NOW + 6 * HOUR) == found.facts
    assert Severity.CRITICAL is found.severity


def test_vms_that_left_at_other_times_are_other_groups(web: Vm, see: See) -> None:
    """Three of ten that go one by one are three VMs; a fleet that goes later is one finding."""
    known = {
        f"0x{n}": missing(replace(web, id=f"0x{n}"), among=10 - n, since=NOW + n * MINUTE)
        for n in range(3)
    }
    later = NOW + 5 * MINUTE
    fleet = {f"0xf{n}": missing(replace(web, id=f"0xf{n}"), among=7, since=later) for n in range(7)}
    found = judge(see(known=known | fleet), SETTINGS).findings
    subjects = [each.fingerprint.subject for each in found]
    assert ["0x0", "0x1", "0x2", f"fleet@{later.isoformat()}"] == subjects


def test_a_fleet_of_which_half_is_back(web: Vm, see: See) -> None:
    """Then the list is trusted again: the fleet's finding is over, the rest have vanished."""
    before = gone_of(web, 6, among=10)
    known = dict(list(before.items())[:5])
    back = [entry.vm for key, entry in before.items() if key not in known]
    judgement = judge(see(*back, known=known, before=before), SETTINGS)
    assert list(known) == [each.fingerprint.subject for each in judgement.findings]
    assert (frozenset(), frozenset()) == (judgement.unknown, judgement.gone)


def test_a_fleet_that_is_forgotten(web: Vm, see: See) -> None:
    """When nobody of it is known any more its alert ends without a message."""
    before = gone_of(web, 6, among=10)
    assert frozenset({FLEET}) == judge(see(before=before), SETTINGS).gone


def test_a_fleet_of_which_one_came_back_while_the_others_are_forgotten(web: Vm, see: See) -> None:
    """A VM came back, so the alert sends a resolved message."""
    before = gone_of(web, 6, among=10)
    assert frozenset() == judge(see(before["0x0"].vm, before=before), SETTINGS).gone


def test_a_fleet_that_is_in_the_list_but_unread(web: Vm, see: See) -> None:
    """Elements that cannot be read are in the list: the fleet is neither lost nor forgotten."""
    before = gone_of(web, 6, among=10)
    unread = {key: KnownVm(e.vm, e.first_seen_at) for key, e in before.items()}
    judgement = judge(see(known=unread, before=before), SETTINGS)
    assert ([], frozenset(), frozenset()) == (
        judgement.findings,
        judgement.unknown,
        judgement.gone,
    )


def test_a_fleet_below_confirm_polls_is_unknown(web: Vm, see: See) -> None:
    """Raising `confirm_polls` while a fleet is missing says nothing about its end."""
    known = gone_of(web, 6, among=10, polls=3)
    limits = VmVanishedSettings(confirm_polls=5).limits
    judgement = judge(see(known=known, limits=limits), SETTINGS)
    assert ([], frozenset({FLEET})) == (judgement.findings, judgement.unknown)


@pytest.mark.parametrize("cause", [Cause.FUNDS, Cause.UNKNOWN])
def test_a_debt_of_now_explains_no_loss(web: Vm, see: See, cause: Cause) -> None:
    """Why a VM is lost is decided once; the message follows the billing of its account."""
    known = {web.key: replace(missing(web), cause=cause)}
    listed = {"balance": AccountBalance(MicroUsdc(-1)), "billing": METERED}
    (found,) = judge(see(known=known, billing=METERED, listed=listed), SETTINGS).findings

    assert isinstance(found.facts, VmVanished)
    assert (cause, True) == (found.facts.cause, found.facts.metered)

"""VMs that leave the list, over many polls: what is told of them, and what of the money."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fluence_watch.alerting.grouping import Message
from fluence_watch.alerting.lifecycle import State, Timing
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.state import AccountState
from fluence_watch.app.decide import Context, Decision, Policy, decide
from fluence_watch.model.account import AccountBalance
from fluence_watch.model.billing import METERED
from fluence_watch.model.finding import Fingerprint
from fluence_watch.model.known import Cause
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.note import Note, NoteAction
from fluence_watch.model.ports import SSH, port
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.snapshot import Outcome, PollFailure, Rejected, build_snapshot
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.situation import Expectation
from fluence_watch.rules.vm_vanished import FleetVanished, ResourceVanished, VmVanished
from tests.unit.app.hearing import hear

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PRICE = MicroUsdc(300_000)
LOW = Fingerprint("main", "account_low")
OPS = (Route("ops"),)
HOURLY = (Route("ops", repeat_interval=timedelta(hours=1)),)


def vm(number: int, **changes: object) -> Vm:
    usual = Vm(
        id=f"0x{number}",
        name=f"web-{number}",
        status=Status.ACTIVE,
        status_word="ACTIVE",
        price=PRICE,
        reserved=PRICE,
        spent=MicroUsdc(9_000_000),
        next_billing_at=NOW + timedelta(hours=20),
        public_ip="203.0.113.7",
        ports=(SSH,),
    )
    return replace(usual, **changes)


def unfunded(number: int) -> Vm:
    """It cannot pay the charge of a minute later."""
    return vm(number, reserved=MicroUsdc(0), next_billing_at=NOW + MINUTE)


FLEET = [vm(number) for number in range(8)]


def seen(minute: float, vms: Sequence[Vm], balance: int | None = None) -> Outcome:
    money = None if balance is None else AccountBalance(MicroUsdc(balance))
    return build_snapshot("main", NOW + minute * MINUTE, vms, balance=money)


def story(policy: Policy, *outcomes: Outcome) -> list[Decision]:
    """What each of the polls leads to, one after the other."""
    state, decisions = AccountState(), []
    for outcome in outcomes:
        decisions.append(decide(state, outcome, policy))
        state = decisions[-1].after
    return decisions


def only(policy: Policy, *names: str) -> Policy:
    """The policy with these rules alone."""
    rules = {
        name: limits.model_copy(update={"enabled": name in names})
        for name, limits in policy.rules.items()
    }
    return replace(policy, rules=rules)


def messages(decisions: Sequence[Decision], routes: Sequence[Route] = OPS) -> list[Message]:
    return [message for each in hear(decisions, routes) for message in each]


def heard(
    decisions: Sequence[Decision], routes: Sequence[Route] = OPS
) -> list[tuple[str, int, int]]:
    """Which facts each message is about, and how many fire and resolved."""
    return [
        (", ".join(sorted({type(i.facts).__name__ for i in m.items})), m.firing, m.resolved)
        for m in messages(decisions, routes)
    ]


def times(decisions: Sequence[Decision]) -> list[datetime | None]:
    """The polls that notified somebody."""
    return [
        d.after.last_poll_at for d, each in zip(decisions, hear(decisions), strict=True) if each
    ]


def hours(first: int, last: int, vms: Sequence[Vm], balance: int | None = None) -> list[Outcome]:
    """A poll each hour."""
    return [seen(60 * hour, vms, balance) for hour in range(first, last + 1)]


# money that ran out


def test_a_fleet_that_ran_out_of_money(policy: Policy) -> None:
    """Each VM is told as ended by want of money, in one message: the list is not the suspect."""
    broke = [unfunded(number) for number in range(12)]
    decisions = story(
        only(policy, "vm_vanished"), seen(0, broke), *(seen(minute, []) for minute in range(1, 9))
    )

    (message,) = messages(decisions)
    facts = [item.facts for item in message.items]
    assert (12, 0) == (message.firing, message.resolved)
    assert {Cause.FUNDS} == {each.cause for each in facts if isinstance(each, VmVanished)}


def test_money_explains_most_of_a_loss(policy: Policy) -> None:
    """Nine ran dry; the tenth is one of the three others, and that is no mass disappearance."""
    broke = [unfunded(number) for number in range(9)]
    others = [vm(number) for number in range(9, 12)]
    decisions = story(
        only(policy, "vm_vanished"),
        seen(0, broke + others),
        *(seen(minute, others[1:]) for minute in range(1, 9)),
    )

    (message,) = messages(decisions)
    causes = [item.facts.cause for item in message.items if isinstance(item.facts, VmVanished)]
    assert [9, 1] == [causes.count(Cause.FUNDS), causes.count(Cause.UNKNOWN)]


def test_no_short_list_makes_the_balance_enough(policy: Policy) -> None:
    """The VM that is missing is still paid for; once it is lost, there is enough for the other."""
    fired = [seen(minute, FLEET[:2], 1_000_000) for minute in (0, 30)]
    short = [seen(minute, FLEET[:1], 1_000_000) for minute in (31, 32)]
    decisions = story(only(policy, "account_low"), *fired, *short)

    assert [State.PENDING, State.FIRING, State.FIRING] == [
        decision.after.alerts[LOW].state for decision in decisions[:3]
    ]
    assert [("AccountLow", 1, 0), ("AccountLow", 0, 1)] == heard(decisions)


@pytest.mark.parametrize(
    ("balance", "later", "ends"),
    [(0, 0, False), (-4_500_000, 0, False), (-1, 1, True), (1, 1, True)],
)
def test_nothing_is_left_to_pay_for(
    policy: Policy,
    balance: int,
    later: int,
    ends: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """A debt keeps firing until it is paid; that no VM is left is never good news."""
    broke = [unfunded(number) for number in range(3)]
    decisions = story(
        only(policy, "account_low"),
        seen(-30, broke, balance),
        seen(0, broke, balance),
        *(seen(minute, [], balance) for minute in range(2, 6)),
        *(seen(minute, [], later) for minute in range(6, 9)),
    )

    assert [("AccountLow", 1, 0)] == heard(decisions)
    assert ends is (LOW not in decisions[-1].after.alerts)
    if not ends:
        assert 0 == decisions[-1].after.alerts[LOW].facts.burn_per_day  # type: ignore[attr-defined]


def test_an_account_that_is_empty_from_the_start(policy: Policy) -> None:
    """No money and no VMs: nobody needs to hear of that."""
    decisions = story(policy, *(seen(minute, [], 0) for minute in (0, 20, 40, 60)))
    assert [{}] * 4 == [each.after.alerts for each in decisions]
    assert [] == messages(decisions)


numbers = st.frozensets(st.integers(0, 3))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # it is frozen
@given(
    lists=st.lists(st.tuples(numbers, numbers, st.sampled_from([0, 0, 1, 2])), max_size=12),
    balance=st.integers(-(10**6), 3 * 4 * PRICE - 1),
)
def test_no_sequence_of_lists_resolves_a_low_balance(
    policy: Policy, lists: list[tuple[frozenset[int], frozenset[int], int]], balance: int
) -> None:
    """While no VM is lost for certain, and the balance is what it was."""
    fleet = [vm(number) for number in range(4)]
    watched = only(policy, "account_low")
    decisions = story(watched, seen(0, fleet, balance), seen(30, fleet, balance))
    state = decisions[-1].after
    for minute, (present, unread, flaw) in enumerate(lists, 31):
        rejected = [Rejected("[0]", "bad", f"0x{n}") for n in unread - present]
        outcome = build_snapshot(
            "main",
            NOW + minute * MINUTE,
            [fleet[number] for number in present],
            [*rejected, *[Rejected("[9]", "bad")][: int(flaw == 1)]],
            balance=AccountBalance(MicroUsdc(balance)),
            incomplete_because="a page changed" if flaw == 2 else None,
        )
        decision = decide(state, outcome, watched)
        if any(entry.cause for entry in decision.after.known.values()):
            return
        state = decision.after
        decisions.append(decision)
        assert State.FIRING is state.alerts[LOW].state
    (message,) = messages(decisions)
    assert (1, 0) == (message.firing, message.resolved)


# a fleet that was deleted on purpose


def test_a_deleted_fleet_is_told_as_gone_once(policy: Policy) -> None:
    """First the list is the suspect; after six hours each VM is gone, in one message, for good."""
    decisions = story(
        only(policy, "vm_vanished"),
        seen(0, FLEET),
        *(seen(minute, []) for minute in (1, 2, 359, 361)),
        *hours(7, 24 * 9, []),
    )

    assert [("FleetVanished", 1, 0), ("VmVanished", 8, 0)] == heard(decisions, HOURLY)
    assert NOW + 361 * MINUTE == times(decisions)[1]
    (fleet,) = decisions[4].ended
    assert isinstance(fleet.facts, FleetVanished)
    assert fleet.quiet
    assert {} == decisions[-1].after.alerts
    assert {} == decisions[-1].after.known


def test_a_fleet_that_comes_back_in_time(policy: Policy) -> None:
    """It was the list: the end of the doubt is told, and no VM was ever lost."""
    decisions = story(
        only(policy, "vm_vanished"),
        seen(0, FLEET),
        *(seen(minute, []) for minute in (1, 2, 300)),
        *(seen(minute, FLEET) for minute in (301, 302, 700)),
    )

    assert [("FleetVanished", 1, 0), ("FleetVanished", 0, 1)] == heard(decisions)


def test_a_fleet_that_comes_back_too_late(policy: Policy) -> None:
    """Each VM that was told as gone is told as back."""
    decisions = story(
        only(policy, "vm_vanished"),
        seen(0, FLEET),
        *(seen(minute, []) for minute in (1, 2, 361, 362)),
        *(seen(minute, FLEET) for minute in (363, 364)),
    )

    assert [("FleetVanished", 1, 0), ("VmVanished", 8, 0), ("VmVanished", 0, 8)] == heard(decisions)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (5_000_000 + 8 * PRICE, [("VmVanished", 8, 0)]),
        (5_000_000, [("FleetVanished", 1, 0)]),
        (105_000_000, [("FleetVanished", 1, 0)]),
    ],
)
def test_the_money_says_that_a_fleet_was_deleted(
    policy: Policy, after: int, expected: list[tuple[str, int, int]]
) -> None:
    """When the reserves came back with its going, nobody needs to doubt it; a deposit is no proof."""
    decisions = story(
        only(policy, "vm_vanished"),
        seen(0, FLEET, 5_000_000),
        *(seen(minute, [], after) for minute in (1, 2, 3)),
    )

    assert expected == heard(decisions)
    if len(messages(decisions)[0].items) > 1:
        facts = [item.facts for item in messages(decisions)[0].items]
        assert {Cause.USER} == {each.cause for each in facts if isinstance(each, VmVanished)}


def test_the_money_comes_back_later(policy: Policy) -> None:
    """The doubt ends as soon as the balance tells, and as after its time: in one message."""
    decisions = story(
        only(policy, "vm_vanished"),
        seen(0, FLEET, 5_000_000),
        *(seen(minute, [], 5_000_000) for minute in (1, 2, 3)),
        *(seen(minute, [], 5_000_000 + 8 * PRICE) for minute in (4, 5)),
    )

    assert [("FleetVanished", 1, 0), ("VmVanished", 8, 0)] == heard(decisions)


@pytest.mark.parametrize("hold", [timedelta(0), timedelta(hours=1)])
def test_the_handover_does_not_wait_for_the_rule_s_for(policy: Policy, hold: timedelta) -> None:
    """The VMs have been missing for long enough: both messages come, and nothing between."""
    rules = policy.rules | {
        "vm_vanished": policy.rules["vm_vanished"].model_copy(update={"hold": hold})
    }
    timings = {**policy.timings, "vm_vanished": Timing(hold)}
    patient = only(replace(policy, rules=rules, timings=timings), "vm_vanished")
    decisions = story(patient, seen(0, FLEET), *(seen(10 * n, []) for n in range(1, 45)))

    assert [("FleetVanished", 1, 0), ("VmVanished", 8, 0)] == heard(decisions)


@pytest.mark.parametrize(
    ("lost", "alerts"), [(1, {"vm_vanished"}), (8, {"vm_vanished", "port_drift"})]
)
def test_nothing_is_repeated_about_a_vm_that_is_missing(
    policy: Policy, lost: int, alerts: set[str]
) -> None:
    """Its other alerts end quietly when it is lost, and stay while it may come back, unrepeated."""
    opened = [replace(each, ports=(SSH, port(8080))) for each in FLEET[:lost]]
    rest = FLEET[lost:]
    watched = only(policy, "vm_vanished", "port_drift")
    decisions = story(
        watched,
        seen(0, FLEET),
        seen(1, [*opened, *rest]),
        *(seen(minute, rest) for minute in (2, 3)),
        *hours(1, 5, rest),
    )

    vanished = "VmVanished" if lost == 1 else "FleetVanished"
    assert [("PortDrift", lost, 0), (vanished, 1, 0)] == heard(decisions, HOURLY)
    assert alerts == {fingerprint.rule for fingerprint in decisions[-1].after.alerts}


def test_a_failed_poll_repeats_nothing_of_a_missing_vm(policy: Policy) -> None:
    """Nobody looked, and it is as missing as before."""
    watched = only(policy, "vm_vanished", "port_drift")
    opened = [replace(each, ports=(SSH, port(8080))) for each in FLEET]
    failed = PollFailure("main", NOW + 150 * MINUTE, "server_error", "503")
    decisions = story(
        watched, seen(0, FLEET), seen(1, opened), seen(2, []), seen(3, []), failed, seen(180, [])
    )

    assert [("PortDrift", 8, 0), ("FleetVanished", 1, 0)] == heard(decisions, HOURLY)


def test_what_still_fires_of_the_others_is_repeated(policy: Policy) -> None:
    """The pause is for the VMs that are missing alone."""
    watched = only(policy, "vm_vanished", "port_drift")
    opened = [replace(each, ports=(SSH, port(8080))) for each in FLEET]
    decisions = story(watched, seen(0, FLEET), seen(1, opened), *hours(2, 3, opened[1:]))

    assert [("PortDrift", 8, 0), ("PortDrift", 7, 0), ("PortDrift, VmVanished", 8, 0)] == heard(
        decisions, HOURLY
    )


# what was known once


def test_what_was_unknown_for_a_while(policy: Policy) -> None:
    """Another address and price are told though they were unknown between; the same ones are not."""
    old = vm(1)
    blank = vm(1, price=None, public_ip=None, reserved=None, spent=None, ports=None)
    new = vm(1, price=MicroUsdc(10 * PRICE), public_ip="203.0.113.8")
    watched = only(policy, "price_changed", "public_ip_changed")
    same = story(watched, *(seen(m, [each]) for m, each in enumerate([old, blank, blank, old])))
    other = story(watched, *(seen(m, [each]) for m, each in enumerate([old, blank, blank, new])))

    assert [] == heard(same)
    assert [("PriceChanged, PublicIpChanged", 2, 0)] == heard(other)
    assert [NOW + 3 * MINUTE] == times(other)


def test_a_name_that_is_unknown_for_a_while(policy: Policy) -> None:
    """The VM has the ports that are expected of that name all the same."""
    expected = (Expectation("web-*", (SSH, port(443))),)
    watched = replace(only(policy, "port_drift"), expectations=expected)
    opened = vm(1, ports=(SSH,))
    mended = vm(1, ports=(SSH, port(443)))
    lists = [opened, mended, replace(mended, name=None), mended]
    decisions = story(watched, *(seen(m, [each]) for m, each in enumerate(lists)))

    assert [("PortDrift", 1, 0), ("PortDrift", 0, 1)] == heard(decisions)


def test_a_lost_vm_is_told_as_it_was_last_known(policy: Policy) -> None:
    """Its last description gave neither address nor amounts: an earlier one did."""
    blank = Vm("0x1", None, Status.ACTIVE, "ACTIVE")
    watched = only(policy, "vm_vanished")
    decisions = story(
        watched, seen(0, [vm(1), vm(2)]), *(seen(m, [blank, vm(2)]) for m in (1, 2)),
        *(seen(m, [vm(2)]) for m in (3, 4)),
    )  # fmt: skip

    (message,) = messages(decisions)
    facts = message.items[0].facts
    assert isinstance(facts, VmVanished)
    known = (facts.vm.name, facts.public_ip, facts.reserved, facts.spent, facts.ports)
    assert ("web-1", "203.0.113.7", PRICE, 9_000_000, ("22/tcp",)) == known
    assert facts.funded_until is None  # as the last description leaves it: it may have been paid


def test_a_vm_that_is_back_and_cannot_be_read(policy: Policy) -> None:
    """It has not vanished: that alert resolves, whatever else is wrong with it."""
    lost = only(policy, "vm_vanished")
    unread = Rejected("[7].price", "it is odd", FLEET[7].id)
    back = build_snapshot("main", NOW + 3 * MINUTE, FLEET[:7], [unread])
    *_, fires, resolves = story(lost, seen(0, FLEET), seen(1, FLEET[:7]), seen(2, FLEET[:7]), back)
    assert [State.FIRING] == [alert.state for alert in fires.after.alerts.values()]
    assert ({}, [State.RESOLVED]) == (resolves.after.alerts, [e.state for e in resolves.ended])


def test_since_when_a_doubted_vm_is_missing(policy: Policy) -> None:
    """That is when it left the list, however late it is reported."""
    lost = only(policy, "vm_vanished")
    polls = (seen(minute, FLEET[:2]) for minute in (1, 2, 180, 370))
    told = story(lost, seen(0, FLEET), *polls)[-1].after.alerts.values()
    assert {NOW + MINUTE} == {alert.facts.missing_since for alert in told}


def test_fewer_confirming_polls_before_an_incomplete_list(policy: Policy) -> None:
    """One VM of eight is no fleet: it is missing until a complete list settles that it is lost."""
    patient = replace(policy, presence=replace(policy.presence, confirm_polls=5))
    rest = FLEET[1:]
    state = story(
        only(patient, "vm_vanished"), seen(0, FLEET), *(seen(m, rest) for m in (1, 2, 3))
    )[-1].after
    short = build_snapshot("main", NOW + 4 * MINUTE, rest, (Rejected("[7]", "no id"),))
    first = decide(state, short, only(policy, "vm_vanished"))
    second = decide(first.after, seen(5, rest), only(policy, "vm_vanished"))

    assert [("VmVanished", 1, 0)] == heard([first, second])


# disks and addresses, which are billed by themselves

DISKS = [Resource(Kind.DISK, f"d{number}", None, "ready", PRICE) for number in range(6)]
ADDRESS = Resource(Kind.PUBLIC_IP, "a", None, "ready", PRICE)
RENTED = (Kind.DISK, Kind.PUBLIC_IP)


def rented(minute: float, resources: Sequence[Resource], owed: int = 0, **more: object) -> Outcome:
    balance = AccountBalance(MicroUsdc(-owed or 5_000_000))
    return build_snapshot(
        "main", NOW + minute * MINUTE, [], resources=resources, kinds=RENTED, balance=balance,
        billing=METERED, **more,
    )  # fmt: skip


def test_a_disk_that_is_gone_and_back(policy: Policy) -> None:
    """It is told after two polls, whatever a list that could not be read says, and its end too."""
    decisions = story(
        only(policy, "vm_vanished"),
        rented(0, [*DISKS, ADDRESS]),
        rented(1, DISKS[1:]),
        rented(2, [], unknown={"disks": "403", "public IPs": "403"}),
        rented(3, [*DISKS[1:], ADDRESS]),
        rented(4, [], unknown={"disks": "403", "public IPs": "403"}),
        rented(5, [*DISKS, ADDRESS]),
    )

    assert [("ResourceVanished", 1, 0), ("ResourceVanished", 0, 1)] == heard(decisions)
    assert [NOW + 3 * MINUTE, NOW + 5 * MINUTE] == times(decisions)


def test_most_disks_at_once(policy: Policy) -> None:
    """The list is the suspect, until it has been so for six hours; an old loss is forgotten."""
    lists = [rented(minute, DISKS[:1]) for minute in (1, 2, 359, 362, 60 * 24 * 8)]
    decisions = story(only(policy, "vm_vanished"), rented(0, DISKS), *lists)

    assert [("ResourcesVanished", 1, 0), ("ResourceVanished", 5, 0)] == heard(decisions)
    assert {} == decisions[-1].after.alerts
    assert {"disk:d0"} == decisions[-1].after.resources.keys()


def test_most_disks_are_back(policy: Policy) -> None:
    """The end of the doubt is told."""
    lists = [rented(1, []), rented(2, []), rented(3, DISKS)]
    decisions = story(only(policy, "vm_vanished"), rented(0, DISKS), *lists)

    assert [("ResourcesVanished", 1, 0), ("ResourcesVanished", 0, 1)] == heard(decisions)


def test_disks_of_an_account_in_debt(policy: Policy) -> None:
    """They are removed all at once, and are told as such."""
    lists = [rented(minute, [], owed=21_000_000) for minute in (1, 2)]
    decisions = story(only(policy, "vm_vanished"), rented(0, DISKS), *lists)

    (message,) = messages(decisions)
    assert 6 == message.firing
    facts = [item.facts for item in message.items]
    assert all(isinstance(each, ResourceVanished) and each.in_debt for each in facts)


def test_what_debt_removed_stays_lost(policy: Policy) -> None:
    """An unknown balance and a top-up change nothing of it."""
    lists = [rented(minute, DISKS[:1], owed=21_000_000) for minute in (1, 2)]
    unknown = replace(rented(3, DISKS[:1]), balance=None)
    decisions = story(
        only(policy, "vm_vanished"), rented(0, DISKS), *lists, unknown, rented(4, DISKS[:1])
    )

    assert [("ResourceVanished", 5, 0)] == heard(decisions)


def test_a_disk_that_the_user_deleted(policy: Policy) -> None:
    """It is expected to go."""
    before = decide(AccountState(), rented(0, [*DISKS, ADDRESS]), policy).after
    note = Note(1, NOW, NoteAction.RESOURCE_REMOVED, DISKS[0].key)
    state = before
    for minute in (1, 2, 3):
        decision = decide(state, rented(minute, [*DISKS[1:], ADDRESS]), policy, Context([note]))
        assert decision.verdict.findings.keys().isdisjoint(
            {Fingerprint("main", "vm_vanished", DISKS[0].key)}
        )
        state = decision.after
    assert DISKS[0].key not in state.resources


def test_a_failed_poll_forgets_no_disk(policy: Policy) -> None:
    """What is known of them is as before."""
    state = decide(AccountState(), rented(0, DISKS), policy).after
    failure = PollFailure("main", NOW + MINUTE, "server_error", "502")
    assert state.resources is decide(state, failure, policy).after.resources

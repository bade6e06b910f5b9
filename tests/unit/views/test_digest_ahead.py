"""What a digest says of what comes: charges, top-ups, the ends of funds, and savings."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fluence_watch.model.boundaries import Boundaries
from fluence_watch.model.digest import Why
from fluence_watch.model.finding import Fingerprint, VmRef
from fluence_watch.model.money import MicroUsdc, Sum
from fluence_watch.model.vm import Status
from fluence_watch.rules.overpriced import Overpriced
from tests.digest_parts import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    PRICE,
    account,
    alert,
    digest,
    disk,
    vm,
)


def test_what_is_due_until_the_next_digest() -> None:
    """Charges of what is prepaid; what is long past is counted from its next boundary on."""
    late = vm("0xb", next_billing_at=NOW - 5 * DAY - HOUR)
    ahead = digest(account(vm(), late, vm("0xc", price=None), vm("0xd", status=Status.TERMINATED))).ahead  # fmt: skip

    assert ahead
    assert (3, 1, 2 * PRICE) == (ahead.charges, ahead.unpriced, ahead.amount)
    assert NOW + 4 * HOUR == ahead.first


def test_what_is_paid_by_the_second() -> None:
    """A metered account has no charges; its balance lasts so long."""
    found = account(vm(price=MicroUsdc(10_000), reserved=None, next_billing_at=None), disk(), counted_at=NOW, balance=MicroUsdc(264_000))  # fmt: skip
    ahead = digest(found).ahead

    assert ahead
    assert (0, Sum(MicroUsdc(24 * 11_000))) == (ahead.charges, ahead.metered)
    assert [("main", NOW + DAY)] == [tuple(each) for each in ahead.runways]


def test_what_is_not_known_of_what_is_due() -> None:
    """It is counted: a metered thing without a price, and a prepaid one without a next charge."""
    metered = account(disk(), disk("e", price=None), disk("f", price=None), counted_at=NOW)
    undated = account(vm(next_billing_at=None))
    ahead, none_known = digest(metered, undated).ahead, digest(account(disk(price=None), counted_at=NOW)).ahead  # fmt: skip

    assert ahead
    assert none_known
    assert (Sum(MicroUsdc(24_000), 2), 1) == (ahead.metered, ahead.undated)
    assert Sum(unknown=1) == none_known.metered


def test_savings_of_unknown_price_are_last() -> None:
    """They are not dropped; what is free saves nothing."""
    found = account(disk(), disk("e", price=None), disk("f", price=MicroUsdc(0)), vm(status=Status.STOPPED, price=None))  # fmt: skip
    savings = digest(found).savings

    assert [("d", 720_000), ("e", None), ("0xa", None)] == [(s.of.id, s.amount) for s in savings]


def test_who_runs_dry_first() -> None:
    """The soonest first; what the account refills is marked, what is free cannot run dry."""
    refilled = Boundaries(NOW - DAY, covered=True)
    ahead = digest(
        account(
            vm("0xa", boundaries=refilled),
            vm("0xb", reserved=MicroUsdc(0), boundaries=replace(refilled, refilled=False, was_refilled=False)),
            vm("0xc", price=MicroUsdc(0)),
        )
    ).ahead  # fmt: skip

    assert ahead
    found = [(each.of.id, each.until, each.is_refilled) for each in ahead.funded]
    assert [("0xb", NOW + 4 * HOUR, False), ("0xa", NOW + 4 * HOUR + 2 * DAY, True)] == found


@pytest.mark.parametrize(
    ("passed", "covered", "refilled", "is_failed"),
    [
        (20 * HOUR, False, False, True),
        (timedelta(minutes=10), False, False, False),
        (20 * HOUR, True, False, False),
        (20 * HOUR, False, True, True),
    ],
)
def test_failed_top_ups(
    passed: timedelta, *, covered: bool, refilled: bool, is_failed: bool
) -> None:
    """A reserve that nobody refilled after a charge, and that does not pay the next one."""
    last = Boundaries(NOW - passed, covered=covered, refilled=refilled)
    of = vm(boundaries=last, reserved=MicroUsdc(0))
    ahead = digest(account(of)).ahead

    assert ahead
    failed = [(each.of.id, each.since, each.ends_at) for each in ahead.failed]
    assert [("0xa", NOW - passed, NOW + 4 * HOUR)] * is_failed == failed


JUST_NOW = Boundaries(NOW - 5 * MINUTE, covered=False, refilled=False)


@pytest.mark.parametrize(
    ("rule", "status", "grace", "found"),
    [
        ("", Status.ACTIVE, 15 * MINUTE, ([], [True])),
        ("topup_failed", Status.ACTIVE, 15 * MINUTE, (["0xa"], [False])),
        ("low_balance", Status.ACTIVE, 15 * MINUTE, ([], [False])),
        ("port_drift", Status.ACTIVE, 15 * MINUTE, ([], [True])),
        ("", Status.SMALL_BALANCE, 15 * MINUTE, (["0xa"], [False])),
        ("", Status.ACTIVE, 5 * MINUTE, (["0xa"], [False])),
    ],
)
def test_a_digest_does_not_contradict_alerts(
    rule: str, status: Status, grace: timedelta, found: tuple[list[str], list[bool]]
) -> None:
    """What `topup_failed` reports at once, or by its own settings, is not said to be topped up."""
    fires = alert("", rule=rule)
    its = replace(fires, fingerprint=Fingerprint("main", rule, "0xa"))
    of = vm(status=status, boundaries=JUST_NOW, reserved=MicroUsdc(0))
    ahead = digest(replace(account(of, alerts={its.fingerprint: its}), grace=grace)).ahead

    assert ahead
    refilled = [each.is_refilled for each in ahead.funded]
    assert found == ([each.of.id for each in ahead.failed], refilled)


def test_a_longer_grace_is_waited_for() -> None:
    """As long as the rule `topup_failed` waits, the digest does."""
    late = replace(JUST_NOW, passed_at=NOW - 20 * MINUTE)
    of = vm(boundaries=late, reserved=MicroUsdc(0))
    patient = replace(account(of), grace=HOUR)
    found, hasty = digest(patient).ahead, digest(account(of)).ahead

    assert found
    assert hasty
    assert ([], 1) == (found.failed, len(hasty.failed))


def test_what_saves_most_is_first() -> None:
    """By what it saves in 30 days, or releases; what serves something or is over costs nothing."""
    facts = Overpriced(VmRef("0xa", "a"), None, 300_000, 100_000, None, False, 6_000_000)  # noqa: FBT003 - facts as they are
    dear = alert("x", rule="overpriced", facts=facts)
    found = account(
        vm(),
        vm("0xstopped", status=Status.STOPPED),
        vm("0xended", status=Status.FAILED, reserved=MicroUsdc(50_000)),
        vm("0xclean", status=Status.TERMINATED, reserved=MicroUsdc(0)),
        disk(),
        disk("used", attached_to=("0xa",)),
        alerts={dear.fingerprint: dear},
    )
    assert [
        ("0xstopped", Why.STOPPED, 30 * PRICE, "vm rm"),
        ("0xa", Why.DEAR, 6_000_000, None),
        ("d", Why.IDLE, 720_000, "disk rm"),
        ("0xended", Why.LOCKED, 50_000, "vm rm"),
    ] == [(each.of.id, each.why, each.amount, each.command) for each in digest(found).savings]


def test_what_is_being_deleted_is_no_saving() -> None:
    """As with the rule `locked_funds`: the command was given, and where nothing is reserved it is moot."""
    ended = vm(status=Status.TERMINATED)
    asked = replace(ended, removal_asked_at=NOW)

    assert [Why.LOCKED] == [each.why for each in digest(account(ended)).savings]
    assert not digest(account(asked)).savings
    assert not digest(account(ended, counted_at=NOW)).savings

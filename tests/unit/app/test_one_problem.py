"""One problem of money over many polls is one message, to each receiver, as early as it can be certain."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.state import AccountState
from fluence_watch.app.decide import Context, Decision, Policy, decide
from fluence_watch.app.wiring import Setup
from fluence_watch.model.account import AccountBalance
from fluence_watch.model.billing import EPOCHS, METERED, Billing
from fluence_watch.model.finding import Severity
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.note import Note, NoteAction
from fluence_watch.model.snapshot import build_snapshot
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.vm_appeared import VmAppeared
from tests.unit.app.hearing import hear

BOUNDARY = datetime(2026, 4, 17, 12, 0, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
P = 2_000_000
OPS, CRITICAL = Route("ops"), Route("pager", min_severity=Severity.CRITICAL)

Told = list[tuple[str, str]]


def vm(charges: int = 0, reserved: int = P, **changes: object) -> Vm:
    """A VM that was charged so many times since the first poll, and what it reserves now."""
    usual = Vm(
        "0xa", "web", Status.ACTIVE, "Active",
        price=MicroUsdc(P), reserved=MicroUsdc(reserved), spent=MicroUsdc((5 + charges) * P),
        next_billing_at=BOUNDARY + charges * DAY, created_at=BOUNDARY - 90 * DAY,
    )  # fmt: skip
    return replace(usual, **changes)


@dataclass
class Account:
    """An account that is polled, and what was decided."""

    policy: Policy
    billing: Billing = EPOCHS
    state: AccountState = field(default_factory=AccountState)
    decisions: list[Decision] = field(default_factory=list)

    def poll(
        self, now: datetime, *vms: Vm, balance: int | None = None, notes: Sequence[Note] = ()
    ) -> None:
        """Poll once."""
        money = None if balance is None else AccountBalance(MicroUsdc(balance))
        snapshot = build_snapshot("main", now, list(vms), balance=money, billing=self.billing)
        self.decisions.append(decide(self.state, snapshot, self.policy, Context(notes)))
        self.state = self.decisions[-1].after

    def told(self, route: Route = OPS) -> Told:
        """What a receiver hears, in order: the rule, and why."""
        return [
            (item.fingerprint.rule, item.reason)
            for messages in hear(self.decisions, (route,))
            for message in messages
            for item in message.items
        ]


@pytest.fixture
def watch(planned: Callable[..., Setup]) -> Callable[..., Account]:
    """An account with such settings of rules."""

    def make(billing: Billing = EPOCHS, **rules: dict[str, object]) -> Account:
        return Account(planned(rules=rules).policies["main"], billing)

    return make


@pytest.mark.parametrize("late", [20 * MINUTE, 3 * HOUR, 23 * HOUR + 10 * MINUTE])
@pytest.mark.parametrize("rules", [{}, {"low_balance": {"for": "0s"}}])
def test_a_dip_that_is_seen_late(
    watch: Callable[..., Account], late: timedelta, rules: dict[str, dict[str, object]]
) -> None:
    """After an outage over a boundary, it is no missing top-up until another poll has seen it."""
    account = watch(**rules)
    account.poll(BOUNDARY - 2 * HOUR, vm())
    account.poll(BOUNDARY + late, vm(1, 0))
    assert [] == account.told()
    account.poll(BOUNDARY + late + MINUTE, vm(1))
    assert {"billing_due"} >= {rule for rule, _ in account.told()}


@pytest.mark.parametrize("late", [20 * MINUTE, 23 * HOUR + 10 * MINUTE])
@pytest.mark.parametrize("rules", [{}, {"low_balance": {"for": "0s"}}])
def test_a_missing_top_up_that_is_seen_late(
    watch: Callable[..., Account], late: timedelta, rules: dict[str, dict[str, object]]
) -> None:
    """The second poll tells, and no other rule speaks of the end of that VM."""
    account = watch(**rules)
    account.poll(BOUNDARY - 2 * HOUR, vm())
    account.poll(BOUNDARY + late, vm(1, 0))
    account.poll(BOUNDARY + late + MINUTE, vm(1, 0))
    assert [("topup_failed", "first")] == account.told()
    for minute in range(2, 45):
        account.poll(BOUNDARY + late + minute * MINUTE, vm(1, 0))
    assert {"topup_failed"} == {rule for rule, _ in account.told()}


@pytest.mark.parametrize("late", [0, 2])
@pytest.mark.parametrize("rules", [{}, {"low_balance": {"enabled": False}}])
def test_a_charge_that_is_seen_after_its_boundary(
    watch: Callable[..., Account], late: int, rules: dict[str, dict[str, object]]
) -> None:
    """What the reserve was before its charge pays nothing: the missing top-up is told, and its steps."""
    account = watch(**rules)
    for minute in range(-5, 24 * 60):
        charges = int(minute >= late)
        seen = vm(charges, P - charges * P, next_billing_at=BOUNDARY + (minute >= 0) * DAY)
        if minute < 60 or not minute % 20:
            account.poll(BOUNDARY + minute * MINUTE, seen)
    told = [each for each in account.told() if each != ("billing_due", "first")]
    assert [("topup_failed", why) for why in ("first", "worse", "worse")] == told
    since = min(
        alert.starts_at
        for alert in account.decisions[-1].after.alerts.values()
        if alert.starts_at and alert.fingerprint.rule == "topup_failed"
    )
    assert timedelta(0) <= since - BOUNDARY - 15 * MINUTE <= 2 * MINUTE


def test_a_first_sight_in_a_healthy_dip(watch: Callable[..., Account]) -> None:
    """The next charge may still be the one that has just been taken."""
    account = watch()
    for minute in range(10):
        moved = BOUNDARY + (minute >= 3) * DAY
        account.poll(BOUNDARY + minute * MINUTE + MINUTE / 2, vm(1, P * (minute >= 5), next_billing_at=moved))  # fmt: skip
    assert [] == account.told()


def test_a_dip_of_each_of_two_days(watch: Callable[..., Account]) -> None:
    """What was seen of an earlier boundary is no second sight of this one."""
    account = watch()
    account.poll(BOUNDARY - 2 * HOUR, vm())
    account.poll(BOUNDARY + MINUTE, vm(1, 0))
    account.poll(BOUNDARY + DAY + 20 * MINUTE, vm(2, 0))
    account.poll(BOUNDARY + DAY + 21 * MINUTE, vm(2))
    assert [] == account.told()


@pytest.mark.parametrize("stale_polls", [1, 3])
@pytest.mark.parametrize("epochs", [1, 2])
def test_a_next_charge_that_goes_back_for_a_poll(
    watch: Callable[..., Account], stale_polls: int, epochs: int
) -> None:
    """The boundary has been counted: nothing was charged too little, and the account tops up."""
    account, now = watch(), BOUNDARY - 2 * HOUR
    account.poll(now, vm())
    account.poll(BOUNDARY + MINUTE, vm(1, 0))
    account.poll(BOUNDARY + 2 * MINUTE, vm(1))
    stale = vm(1, next_billing_at=BOUNDARY + DAY - epochs * DAY)
    for minute in range(3, 3 + stale_polls):
        account.poll(BOUNDARY + minute * MINUTE, stale)
    for minutes in range(10, 22 * 60, 5):
        account.poll(BOUNDARY + minutes * MINUTE, vm(1))
    assert [] == account.told()
    account.poll(BOUNDARY + DAY + MINUTE, vm(2))
    account.poll(BOUNDARY + DAY + 30 * MINUTE, vm(2))
    assert [] == account.told()


def test_a_charge_beside_a_next_charge_that_goes_back(watch: Callable[..., Account]) -> None:
    """It is odd, as it is at any other time."""
    account = watch()
    account.poll(BOUNDARY - 2 * HOUR, vm())
    account.poll(BOUNDARY + MINUTE, vm(1))
    account.poll(BOUNDARY + 2 * MINUTE, vm(1, next_billing_at=BOUNDARY))
    for minutes in range(10, 60, 5):
        account.poll(BOUNDARY + minutes * MINUTE, vm(1, spent=MicroUsdc(7 * P)))
    assert [("unexpected_charge", "first")] == account.told()


def draining(account: Account, balances: Iterable[int]) -> None:
    """Poll each half an hour, as the balance falls; the VM is charged at its boundaries."""
    for number, balance in enumerate(balances):
        now = BOUNDARY - HOUR + number * HOUR / 2
        account.poll(now, vm(max(0, (now - BOUNDARY) // DAY + 1)), balance=balance)


@pytest.mark.parametrize(
    ("rules", "ops", "pager"),
    [
        ({}, [("funds_exhausted_soon", "first")], []),
        (
            {"account_low": {"severity": "critical"}},
            [("funds_exhausted_soon", "first")],
            [("funds_exhausted_soon", "first")],
        ),
        (
            {"account_low": {"min_days": 10, "severity": "critical"}},
            [("account_low", "first"), ("account_low", "worse"), ("funds_exhausted_soon", "first")],
            [("account_low", "first"), ("account_low", "worse"), ("funds_exhausted_soon", "first")],
        ),
        (
            {"funds_exhausted_soon": {"warn": "10d"}, "account_low": {"severity": "critical"}},
            [("funds_exhausted_soon", "first"), ("funds_exhausted_soon", "worse")],
            [("funds_exhausted_soon", "first")],
        ),
    ],
)
def test_who_hears_of_a_balance_that_falls(
    watch: Callable[..., Account], rules: dict[str, dict[str, object]], ops: Told, pager: Told
) -> None:
    """Whoever hears critical alerts alone hears as early as if nothing were muted, and once."""
    account = watch(**rules)
    draining(account, [days * P // 2 for days in [*[30] * 3, *[15] * 3, *[9] * 3, *[5] * 6]])
    assert [each for each in ops if each[0] != "billing_due"] == [
        each for each in account.told() if each[0] != "billing_due"
    ]
    assert pager == account.told(CRITICAL)


def test_a_severity_that_is_taken_over_waits(watch: Callable[..., Account]) -> None:
    """Who hears critical alerts alone hears when `account_low` has lasted for its own `for`."""
    low: dict[str, object] = {"for": "6h", "severity": "critical"}
    account = watch(account_low=low)
    balances = [30 * P] * 3 + [5 * P // 2] * 7
    draining(account, balances)
    rule = "funds_exhausted_soon"
    assert [] == account.told(CRITICAL)
    assert (rule, "first") in account.told()
    draining(account := watch(account_low=low), [*balances, *[5 * P // 2] * 7])
    assert [(rule, "first")] == account.told(CRITICAL)


def test_a_balance_about_a_threshold(watch: Callable[..., Account]) -> None:
    """It is told once, whatever its severity meanwhile, and its end once."""
    account = watch(account_low={"severity": "critical"})
    draining(account, [5 * P // 2] * 3 + [7 * P // 2, 5 * P // 2] * 4 + [9 * P] * 3)
    rule = "funds_exhausted_soon"
    assert [(rule, "first"), (rule, "resolved")] == account.told(CRITICAL)
    assert [(rule, "first"), (rule, "resolved")] == [
        each for each in account.told() if each[0] != "billing_due"
    ]


def test_the_charge_that_ends_a_vm(watch: Callable[..., Account]) -> None:
    """Who was told that it cannot be paid is not told that it is due."""
    account = watch()
    account.poll(BOUNDARY - 2 * HOUR, vm())
    for minutes in range(1, 24 * 60, 15):
        account.poll(BOUNDARY + minutes * MINUTE, vm(1, 0))
    worse = [("topup_failed", "worse")] * 2
    assert [("topup_failed", "first"), *worse] == account.told()


def test_a_charge_that_is_due_after_a_late_top_up(watch: Callable[..., Account]) -> None:
    """It is told once the VM is topped up."""
    account = watch()
    account.poll(BOUNDARY - 2 * HOUR, vm())
    for minutes in range(1, 24 * 60, 15):
        is_poor = minutes < 23 * 60 + 25
        account.poll(BOUNDARY + minutes * MINUTE, vm(1, 0 if is_poor else P))
    assert {("topup_failed", "resolved"), ("billing_due", "first")} == set(account.told()[-2:])


def test_a_metered_account_that_runs_into_debt(watch: Callable[..., Account]) -> None:
    """The debt is told at once and alone, and its end."""
    account = watch(METERED)
    hourly = vm(0, price=MicroUsdc(10_000), reserved=None, next_billing_at=None)
    for number, balance in enumerate([9 * P, 9 * P, -1, -2, -3, -4]):
        account.poll(BOUNDARY + number * HOUR / 2, hourly, balance=balance)
    assert [("debt", "first")] == account.told() == account.told(CRITICAL)
    account.poll(BOUNDARY + 4 * HOUR, hourly, balance=9 * P)
    assert [("debt", "first"), ("debt", "resolved")] == account.told()


def test_a_vm_that_returns_after_it_was_forgotten(watch: Callable[..., Account]) -> None:
    """It is told that it vanished, and that it is back; one that we deleted is no news."""
    account, other = watch(), vm(0, id="0xb", spent=None, next_billing_at=None)
    begin = BOUNDARY - 2 * HOUR
    for hours in range(9 * 24):
        listed = [vm(9, 9 * P, spent=None, next_billing_at=None)] if hours < 2 else []
        account.poll(begin + hours * HOUR, other, *listed)
    assert "0xa" not in account.state.known
    account.poll(begin + 9 * DAY, other, vm(9, spent=None, next_billing_at=None))
    money = {"vm_unreadable"}
    told = [each for each in account.told() if each[0] not in money]
    assert [("vm_vanished", "first"), ("vm_appeared", "first")] == told


@pytest.mark.parametrize("created", [-90 * DAY, HOUR])
def test_a_vm_that_is_forgotten_sooner(watch: Callable[..., Account], created: timedelta) -> None:
    """With a shorter `forget_after` it is back sooner, and not new: whenever it was created."""
    account = watch(vm_vanished={"forget_after": "1d"})
    mine = vm(0, next_billing_at=None, created_at=BOUNDARY + created)
    other = replace(mine, id="0xb", created_at=BOUNDARY - 90 * DAY)
    for hours in range(4 * 24):
        account.poll(BOUNDARY + hours * HOUR, other, *([mine] if 1 < hours < 4 else []))
    assert "0xa" not in account.state.known
    account.poll(BOUNDARY + 4 * DAY, other, mine)
    facts = [each.facts for each in account.state.alerts.values()]
    assert [True] == [each.returned for each in facts if isinstance(each, VmAppeared)]


def test_a_deleted_vm_in_a_list_that_lags_behind(watch: Callable[..., Account]) -> None:
    """Nobody is told that it is back, or gone again."""
    account, other = watch(), vm(0, id="0xb", next_billing_at=BOUNDARY + 30 * DAY)
    mine = replace(other, id="0xa")
    account.poll(BOUNDARY - 20 * DAY, other, mine)
    notes = [Note(1, BOUNDARY - HOUR, NoteAction.REMOVED, "0xa")]
    account.poll(BOUNDARY - HOUR, other, notes=notes)
    assert "0xa" not in account.state.known
    for minute, listed in enumerate([[mine], [], [mine], [], [], []]):
        account.poll(BOUNDARY - HOUR + minute * MINUTE, other, *listed, notes=notes)
    assert [] == account.told()

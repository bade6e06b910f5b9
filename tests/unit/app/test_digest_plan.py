"""Digests as they are made of the settings and of what is stored."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.state import AccountState, Change
from fluence_watch.app.digest_plan import DigestPlan
from fluence_watch.app.wiring import Setup
from fluence_watch.model.accounting import Booking
from fluence_watch.model.finding import WATCHER, Fingerprint, Severity
from fluence_watch.model.known import KnownVm
from fluence_watch.model.ledger import Certainty, Entry, EntryKind
from fluence_watch.model.money import MicroUsdc, Sum
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.budget import BudgetForecast, BudgetSpent
from fluence_watch.store import Store
from tests.stored import keep

NOW = datetime(2026, 4, 28, 8, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
USDC = 1_000_000
BUDGETS = [
    {"name": "all", "monthly_usdc": 100},
    {"name": "a", "monthly_usdc": 10, "accounts": ["a"]},
    {"name": "b", "monthly_usdc": 10, "accounts": ["b"]},
    {"name": "some", "monthly_usdc": 1, "accounts": ["a", "gone"], "vms": ["web"]},
    {"name": "nobody", "monthly_usdc": 1, "accounts": ["gone"]},
]


@pytest.fixture
def plan(planned: Callable[..., Setup]) -> Callable[..., DigestPlan]:
    """The plan of a digest for a receiver of these accounts; with two accounts and the budgets."""

    def make(*names: str, **tables: Any) -> DigestPlan:  # noqa: ANN401 - tables of the settings
        given: dict[str, Any] = {
            "accounts": [{"name": name, "api_key": "k"} for name in "ab"],
            "receivers": [{"name": "ops", "url": "json://ops", "accounts": names}],
            "digests": [{"receiver": "ops", "schedule": "0 8 * * *"}],
            "budgets": BUDGETS,
        }
        (made,) = planned(**given, **tables).digests.values()
        return made

    return make


@pytest.fixture
def stored(store: Store) -> Store:
    """A store with two accounts, a VM of 1 USDC a day each, and 5 USDC spent for it in April."""
    for name in "ab":
        vm = Vm("0x1", "web", Status.ACTIVE, "", MicroUsdc(USDC), next_billing_at=NOW + HOUR)
        entries = [Entry("0x1", EntryKind.CHARGE, MicroUsdc(5 * USDC), NOW - 9 * DAY, NOW, Certainty.EXACT)]  # fmt: skip
        after = AccountState({vm.key: KnownVm(vm, NOW)}, last_poll_at=NOW, last_good_at=NOW)
        store.commit(name, Change.between(AccountState(), after, booking=Booking(entries)), version=0)  # fmt: skip
    return store


@pytest.mark.parametrize(
    ("accounts", "budgets"),
    [(("*",), ["all", "a", "b", "some"]), (("a",), ["a", "some"]), (("c",), [])],
)
def test_budgets_of_others_are_not_shown(
    plan: Callable[..., DigestPlan], accounts: tuple[str, ...], budgets: list[str]
) -> None:
    """A budget that counts an account that the receiver does not see is none of its business."""
    assert budgets == [each.name for each in plan(*accounts).budgets]


def test_budgets_in_a_digest(plan: Callable[..., DigestPlan], stored: Store) -> None:
    """What is spent, and what the month comes to: three more charges of each VM."""
    found = plan("*").made(stored, NOW, NOW).budgets

    assert [
        ("some", 500, Sum(MicroUsdc(8 * USDC))),
        ("a", 50, Sum(MicroUsdc(8 * USDC))),
        ("b", 50, Sum(MicroUsdc(8 * USDC))),
        ("all", 10, Sum(MicroUsdc(16 * USDC))),
    ] == [(each.budget.name, each.percent, each.comes_to) for each in found]


def test_alerts_about_budgets_are_told(plan: Callable[..., DigestPlan], stored: Store) -> None:
    """Those of the budgets that it shows, open and ended; no others of the watcher."""

    def alert(name: str, kind: type[BudgetSpent] = BudgetSpent) -> Alert:
        facts = kind(name, MicroUsdc(1), MicroUsdc(1), 100, None, (), NOW + DAY)
        this = Fingerprint(WATCHER, "budget", f"budget:{name}", kind.__name__)
        return Alert(this, Severity.WARNING, State.FIRING, facts, NOW - DAY, NOW - DAY)

    over = replace(alert("a", BudgetForecast), state=State.RESOLVED, ends_at=NOW - HOUR)
    firing = [alert("a"), alert("b"), over]
    keep(stored, WATCHER, AccountState(alerts={each.fingerprint: each for each in firing}))
    keep(stored, WATCHER, AccountState(alerts={each.fingerprint: each for each in firing[:2]}), [over])  # fmt: skip
    fired = plan("a").made(stored, NOW + 20 * HOUR, NOW + 20 * HOUR).fired

    assert fired
    assert ["budget:a"] == [each.fingerprint.subject for each in fired.firing]
    assert [BudgetForecast] == [type(each.facts) for each in fired.ended]


def test_how_long_a_top_up_may_take(plan: Callable[..., DigestPlan]) -> None:
    """As long as the rule waits that reports it."""
    assert HOUR / 4 == plan("*").grace
    assert HOUR == plan("*", rules={"topup_failed": {"for": "1h"}}).grace

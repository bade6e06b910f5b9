"""What a digest says of accounts that are given as the store has them."""

from dataclasses import replace
from datetime import date

import pytest

from fluence_watch.alerting.lifecycle import State
from fluence_watch.model.digest import Stale
from fluence_watch.model.finding import Severity
from fluence_watch.model.money import MicroUsdc, Sum
from fluence_watch.model.vm import Status
from fluence_watch.views.digest import Ledger, digest_of
from tests.digest_parts import (
    DAY,
    HOUR,
    LONG_AGO,
    NOW,
    PERIOD,
    PRICE,
    SLOT,
    account,
    alert,
    cost,
    digest,
    disk,
    ledger,
    vm,
)


def test_nothing_is_nothing() -> None:
    """Each section is left out."""
    assert digest().is_empty


def test_what_was_spent_is_compared_with_the_period_before() -> None:
    """The dearest things are named, the others summed up."""
    spent = digest(of=ledger({f"0x{n}": n * 10 for n in range(1, 9)}, {"0x1": 40})).spent

    assert spent
    assert (360, 40) == (spent.total, spent.before)
    assert ["0x8", "0x7", "0x6", "0x5", "0x4"] == [share.of.id for share in spent.top]
    assert (3, 60) == (spent.others, spent.rest)
    assert () == spent.accounts


@pytest.mark.parametrize(
    ("begins", "before"),
    [
        (date(2026, 4, 6), 40),
        (date(2026, 4, 7), None),
        (date(2026, 4, 9), None),
        (date(2026, 4, 11), None),
    ],
)
def test_what_the_ledger_does_not_have_is_unknown(begins: date, before: int | None) -> None:
    """Its first day is only a part of a day, and not compared; nor is anything called new then."""
    found = digest(of=ledger({"0x1": 10}, {"0x2": 40}, begins))

    assert found.spent
    assert before == found.spent.before
    assert ([] if before else [("main", begins)]) == [tuple(each) for each in found.begins]
    assert (begins >= PERIOD.first) == found.is_partial
    assert (before is None) == (found.changed is None)


def test_days_before_the_ledger_are_unknown() -> None:
    of = replace(ledger({"0x1": 10}, begins=date(2026, 4, 10)), days={date(2026, 4, 11): 7})
    spent = digest(of=of).spent

    assert spent
    assert [*[None] * 11, 0, 7, 0] == [each.amount for each in spent.days]
    assert [False, True, True] == [each.is_whole for each in spent.days[-3:]]
    assert (date(2026, 3, 30), date(2026, 4, 12)) == (spent.days[0].day, spent.days[-1].day)


def test_several_accounts_are_told_apart() -> None:
    """One whose ledger does not reach back makes the whole comparison unknown, not its own."""
    costs = [cost("0x1", 10), cost("0x1", 20, "other")]
    of = Ledger(costs, [cost("0x1", 5)], {"main": LONG_AGO, "other": PERIOD.first})
    spent = digest(account(), account(name="other"), of=of).spent

    assert spent
    assert (30, None) == (spent.total, spent.before)
    others = ("other", 20, None, PERIOD.first), ("main", 10, 5, None)
    assert others == tuple(tuple(each) for each in spent.accounts)


def test_an_account_whose_ledger_begins_later_is_unknown() -> None:
    """It did not spend nothing; days that not every account has are marked."""
    today = NOW.date()
    of = Ledger([cost("0x1", 10)], (), {"main": LONG_AGO, "other": today}, days={PERIOD.last: 10})
    found = digest(account(), account(name="other"), of=of)

    assert found.spent
    assert ("other", None, None, today) == tuple(found.spent.accounts[1])
    assert [("other", today)] == [tuple(each) for each in found.begins]
    assert found.is_partial
    assert {False} == {each.is_whole for each in found.spent.days}


def test_a_month_that_the_ledger_has_in_part() -> None:
    """It says so, also if it has all that is compared."""
    begins = date(2026, 4, 3)
    parts = [digest(of=ledger({"0x1": 1}, begins=each)).spent for each in (begins, LONG_AGO)]

    assert [("main", begins), None] == [part and part.month_begin for part in parts]


def test_days_before_the_ledger_are_not_said_to_be_free() -> None:
    """Unknown is never zero."""
    unknown = digest(of=ledger({}, begins=PERIOD.last + DAY))
    assert unknown.spent is None
    assert not unknown.is_empty
    assert digest(of=ledger({}, begins=PERIOD.last)).spent


def test_the_month_is_forecast_from_what_is_rented() -> None:
    """18 charges of a VM are left in April; with a VM without a price it is at least that much."""
    of = replace(ledger({"0xa": 1}), month=MicroUsdc(5))
    least = digest(account(vm(), vm("0xb", price=None)), of=of).spent
    unread = digest(account(vm(), last_good_at=NOW - 20 * DAY), of=of).spent

    assert least
    assert unread
    assert Sum(MicroUsdc(5 + 18 * PRICE), 1) == least.forecast
    assert None is unread.forecast


def test_what_changed() -> None:
    """New and gone things; the largest rises and falls; a cent more or less is nothing."""
    now = {"0xnew": 50_000, "0xup": 900_000, "0xdown": 100_000, "0xsame": 300_009}
    before = {"0xgone": 70_000, "0xup": 300_000, "0xdown": 500_000, "0xsame": 300_000}
    changed = digest(of=ledger(now, before)).changed

    assert changed
    assert ["0xnew"] == [each.of.id for each in changed.new]
    assert ["0xgone"] == [each.of.id for each in changed.gone]
    assert [("0xup", 600_000)] == [(each.of.id, each.rise) for each in changed.rises]
    assert [("0xdown", -400_000)] == [(each.of.id, each.rise) for each in changed.falls]


def test_alerts_are_worst_first() -> None:
    """Pending ones and reminders are not told; an event has no end."""
    reminder = alert("g", relevant_until=NOW + HOUR)
    open_ones = [alert("a"), alert("b", Severity.CRITICAL), alert("c", state=State.PENDING), reminder]  # fmt: skip
    over = {"state": State.RESOLVED, "ends_at": NOW - DAY}
    ended = alert("d", **over), alert("e", rule="price_changed", **over), alert("f", **over)
    fired = digest(
        account(alerts={each.fingerprint: each for each in open_ones}), ended=ended
    ).fired

    assert fired
    assert ["b", "a"] == [each.fingerprint.key for each in fired.firing]
    assert [NOW - DAY, NOW - DAY, None] == [each.ends_at for each in fired.ended]
    assert [("poll_failing", 2), ("price_changed", 1)] == [tuple(each) for each in fired.counts]


def test_alerts_of_accounts_are_before_those_of_vms() -> None:
    """At equal severity, however long the others fire."""
    of_vms = [alert(str(number), Severity.CRITICAL, starts_at=NOW - 9 * DAY) for number in range(3)]
    of_vms = [replace(e, fingerprint=e.fingerprint._replace(subject=f"0x{e.fingerprint.key}")) for e in of_vms]  # fmt: skip
    own, mild = alert("own", Severity.CRITICAL), alert("mild")
    fired = digest(account(alerts={e.fingerprint: e for e in (mild, *of_vms, own)})).fired

    assert fired
    assert ["own", "0", "1", "2", "mild"] == [each.fingerprint.key for each in fired.firing]


def test_what_is_missing_is_not_there() -> None:
    missing = replace(vm(status=Status.STOPPED), missing_since=NOW), replace(disk(), missing_since=NOW)  # fmt: skip
    assert digest(account(*missing)).is_empty


def test_old_knowledge_is_named() -> None:
    """An account whose polls fail, or never worked."""
    old, never = account(name="old", last_good_at=NOW - HOUR), account(name="never", last_good_at=None)  # fmt: skip
    found = digest(account(), old, never)

    assert (Stale("old", NOW - HOUR), Stale("never", None)) == found.stale


def test_a_late_digest_says_so() -> None:
    late = digest_of([account()], Ledger(), (), SLOT, now=NOW + HOUR)
    assert (False, True) == (digest().is_late, late.is_late)

"""What a digest says of accounts that are given as the store has them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.state import AccountState
from fluence_watch.model.billing import EPOCHS
from fluence_watch.model.boundaries import Boundaries
from fluence_watch.model.digest import Digest, Period, Stale, ThingCost, Why
from fluence_watch.model.finding import Fingerprint, Severity, VmRef
from fluence_watch.model.known import KnownVm
from fluence_watch.model.known_resource import KnownResource
from fluence_watch.model.money import MicroUsdc, Sum
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.overpriced import Overpriced
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.views.digest import Account, Ledger, Slot, digest_of

NOW = datetime(2026, 4, 13, 8, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PERIOD = Period(date(2026, 4, 10), date(2026, 4, 12))
SLOT = Slot(NOW, PERIOD, NOW + DAY)
PRICE = MicroUsdc(300_000)
LONG_AGO = date(2026, 1, 1)


def vm(key: str = "0xa", **changes: object) -> KnownVm:
    """A VM that is charged in four hours, and has a reserve for two more epochs."""
    made = Vm(key, f"vm-{key}", Status.ACTIVE, "active", PRICE, MicroUsdc(2 * PRICE), next_billing_at=NOW + 4 * HOUR)  # fmt: skip
    boundaries = changes.pop("boundaries", None)
    assert boundaries is None or isinstance(boundaries, Boundaries)
    return KnownVm(replace(made, **changes), NOW - 9 * DAY, boundaries=boundaries)  # type: ignore[arg-type] # fields by name


def disk(key: str = "d", **changes: object) -> KnownResource:
    made = Resource(Kind.DISK, key, f"disk-{key}", "ready", MicroUsdc(1_000))
    return KnownResource(replace(made, **changes), NOW - 9 * DAY)  # type: ignore[arg-type] # fields by name


def account(*things: KnownVm | KnownResource, name: str = "main", **state: object) -> Account:
    known = {each.vm.key: each for each in things if isinstance(each, KnownVm)}
    resources = {each.resource.key: each for each in things if isinstance(each, KnownResource)}
    made = AccountState(known, last_good_at=NOW, resources=resources)
    return Account(name, replace(made, **state), EPOCHS)  # type: ignore[arg-type] # fields by name


def cost(key: str, amount: int, of: str = "main", estimated: int = 0) -> ThingCost:
    kind = key.partition(":")[0] if ":" in key else "vm"
    return ThingCost(of, key, kind, key, MicroUsdc(amount), MicroUsdc(estimated))


def ledger(
    now: Mapping[str, int], before: Mapping[str, int] | None = None, begins: date = LONG_AGO
) -> Ledger:
    return Ledger(
        [cost(*each) for each in now.items()],
        [cost(*each) for each in (before or {}).items()],
        {"main": begins},
    )


def digest(*accounts: Account, of: Ledger = Ledger(), ended: tuple[Alert, ...] = ()) -> Digest:  # noqa: B008 - frozen
    return digest_of(accounts or (account(),), of, ended, SLOT, now=NOW, events={"price_changed"})


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
    of = vm(boundaries=Boundaries(NOW - passed, covered=covered, refilled=refilled))
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
    of = vm(status=status, boundaries=JUST_NOW)
    ahead = digest(replace(account(of, alerts={its.fingerprint: its}), grace=grace)).ahead

    assert ahead
    refilled = [each.is_refilled for each in ahead.funded]
    assert found == ([each.of.id for each in ahead.failed], refilled)


def test_a_longer_grace_is_waited_for() -> None:
    """As long as the rule `topup_failed` waits, the digest does."""
    late = replace(JUST_NOW, passed_at=NOW - 20 * MINUTE)
    patient = replace(account(vm(boundaries=late)), grace=HOUR)
    found, hasty = digest(patient).ahead, digest(account(vm(boundaries=late))).ahead

    assert found
    assert hasty
    assert ([], 1) == (found.failed, len(hasty.failed))


def alert(
    key: str, severity: Severity = Severity.WARNING, rule: str = "poll_failing", **more: object
) -> Alert:
    at = NOW - 2 * DAY
    facts = PollFailing("unreachable", "no answer")
    made = Alert(Fingerprint("main", rule, key=key), severity, State.FIRING, facts, at, at)
    return replace(made, **more)  # type: ignore[arg-type] # fields by name


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

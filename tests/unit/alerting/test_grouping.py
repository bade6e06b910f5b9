from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.alerting.grouping import SHOWN, Count, Item, Message, Rank, compose, in_full
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.routing import Route
from fluence_watch.model.finding import Fingerprint, Impact, Severity

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
OPS = Route("ops")
RULES = ("low_balance", "port_drift")


def alert_of(number: int, severity: Severity, rule: str, state: State) -> Alert:
    at = NOW - number * HOUR
    ended = NOW if state is State.RESOLVED else None
    fingerprint = Fingerprint("main", rule, f"0x{number}")
    return Alert(fingerprint, severity, state, number, at, starts_at=at, ends_at=ended)


alerts = st.lists(
    st.builds(
        alert_of,
        st.integers(0, 100),
        st.sampled_from(Severity),
        st.sampled_from(RULES),
        st.sampled_from(State),
    ),
    max_size=40,
    unique_by=lambda alert: alert.fingerprint,
)


def test_one_poll_one_receiver_one_message(firing: Alert) -> None:
    """What fires and what resolved is in the same message, as it is now."""
    ended = replace(
        firing,
        fingerprint=firing.fingerprint._replace(key="opened:81/tcp"),
        state=State.RESOLVED,
        ends_at=NOW,
    )
    last_notified = {(ended.fingerprint, "ops"): NOW - HOUR}
    (message,), notified = compose("main", [ended, firing], last_notified, [OPS], NOW)
    items = (
        Item(firing.fingerprint, Severity.WARNING, True, "80/tcp is open", NOW),  # noqa: FBT003 - it fires
        Item(ended.fingerprint, Severity.WARNING, False, "80/tcp is open", NOW, ends_at=NOW),  # noqa: FBT003 - it does not
    )
    counts = (
        Count("port_drift", Severity.WARNING, firing=True, number=1),
        Count("port_drift", Severity.WARNING, firing=False, number=1),
    )
    assert Message("ops", "main", NOW, items, counts) == message
    assert (1, 1) == (message.firing, message.resolved)
    assert {(firing.fingerprint, "ops"): NOW, (ended.fingerprint, "ops"): NOW} == notified


def test_nothing_to_tell_is_no_message(firing: Alert) -> None:
    """No message for an alert that was notified before or that no route matches."""
    last_notified = {(firing.fingerprint, "ops"): NOW - HOUR}
    deaf = Route("deaf", rules=())
    assert ([], {}) == compose("main", [firing], last_notified, [OPS, deaf], NOW)


def test_each_receiver_has_its_own_message(firing: Alert) -> None:
    """A receiver that is new hears what fires; the others have heard it."""
    last_notified = {(firing.fingerprint, "ops"): NOW - HOUR}
    messages, notified = compose("main", [firing], last_notified, [OPS, Route("mail")], NOW)
    assert ["mail"] == [message.receiver for message in messages]
    assert {(firing.fingerprint, "mail"): NOW} == notified


def test_a_repeated_item_says_so(firing: Alert) -> None:
    """A repeat is distinguished from a first notification."""
    last_notified = {(firing.fingerprint, "ops"): NOW - HOUR}
    route = replace(OPS, repeat_interval=HOUR)
    (message,), notified = compose("main", [firing], last_notified, [route], NOW)
    assert [True] == [item.repeated for item in message.items]
    assert {(firing.fingerprint, "ops"): NOW} == notified


def test_the_worst_is_first() -> None:
    """What fires before what resolved, then by severity, by rule and by when it began or ends."""
    firing, resolved = State.FIRING, State.RESOLVED
    order = [
        alert_of(3, Severity.CRITICAL, "port_drift", firing),
        alert_of(1, Severity.WARNING, "low_balance", firing),
        alert_of(5, Severity.WARNING, "port_drift", firing),
        alert_of(2, Severity.WARNING, "port_drift", firing),
        replace(alert_of(9, Severity.INFO, "low_balance", firing), relevant_until=NOW),
        replace(alert_of(8, Severity.INFO, "low_balance", firing), relevant_until=NOW + HOUR),
        alert_of(4, Severity.CRITICAL, "port_drift", resolved),
    ]
    last_notified = {(order[-1].fingerprint, "ops"): NOW - HOUR}
    (message,), _ = compose("main", reversed(order), last_notified, [OPS], NOW)
    assert [each.fingerprint for each in order] == [item.fingerprint for item in message.items]


def test_500_findings_make_one_message_of_the_first_twenty() -> None:
    """The counts cover all alerts, and all of them count as notified."""
    many = [alert_of(n, Severity.WARNING, "port_drift", State.FIRING) for n in range(499)]
    worst = alert_of(0, Severity.CRITICAL, "low_balance", State.FIRING)
    (message,), notified = compose("main", [*many, worst], {}, [OPS], NOW)
    assert SHOWN == len(message.items)
    assert {"port_drift", "low_balance"} == {item.fingerprint.rule for item in message.items}
    assert worst.fingerprint == message.items[0].fingerprint
    assert [1, 499] == [count.number for count in message.counts]
    assert 500 == len(notified)


RANKS = {
    "vm_vanished": Rank(Impact.VM),
    "low_balance": Rank(Impact.FUNDS, deadline=lambda facts: NOW + facts * HOUR),
    "port_drift": Rank(Impact.ACCESS),
    "billing_due": Rank(Impact.COST),
    "aaa_changed": Rank(Impact.COST, event=True),
}


def test_within_a_severity_what_is_lost_first_comes_first() -> None:
    """Never by the names of the rules; within a rule by the deadline."""
    critical, firing = Severity.CRITICAL, State.FIRING
    order = [
        alert_of(1, critical, "vm_vanished", firing),
        alert_of(2, critical, "low_balance", firing),  # its deadline is in 2 hours
        alert_of(9, critical, "low_balance", firing),
        alert_of(4, critical, "port_drift", firing),
        alert_of(3, critical, "aaa_changed", firing),
        alert_of(5, Severity.WARNING, "vm_vanished", firing),
    ]
    (message,), _ = compose("main", reversed(order), {}, [OPS], NOW, ranks=RANKS)
    assert [each.fingerprint for each in order] == [item.fingerprint for item in message.items]


@given(
    st.lists(
        st.builds(
            alert_of,
            st.integers(0, 1000),
            st.sampled_from(Severity),
            st.sampled_from(sorted(RANKS)),
            st.just(State.FIRING),
        ),
        min_size=1,
        max_size=80,
        unique_by=lambda alert: alert.fingerprint,
    )
)
def test_what_a_long_message_promises(some: list[Alert]) -> None:
    """Every rule is shown, the worst is first, no event is only counted, and it is not too long."""
    (message,), _ = compose("main", some, {}, [OPS], NOW, ranks=RANKS)
    shown = {item.fingerprint for item in message.items}
    events = {each.fingerprint for each in some if each.fingerprint.rule == "aaa_changed"}
    full = in_full(message.items, SHOWN)
    assert events <= shown
    assert {each.fingerprint.rule for each in some} == {item.fingerprint.rule for item in full}
    assert len(full) == min(SHOWN, len(some))
    assert len(shown - events) <= SHOWN
    assert max(each.severity.rank for each in some) == message.items[0].severity.rank
    left = {each.fingerprint for each in some} - {item.fingerprint for item in full}
    if left:  # among the items not listed in full, only the first of a rule is less bad
        worst = max(each.severity.rank for each in some if each.fingerprint in left)
        less = [item for item in full if item.severity.rank < worst]
        assert len(less) == len({item.fingerprint.rule for item in less})


@given(alerts, st.booleans())
def test_messages_contain_every_due_notification(some: list[Alert], heard: bool) -> None:  # noqa: FBT001 - drawn
    """Counts and notified receivers agree, pending alerts are left out, the worst are shown."""
    last_notified = {(each.fingerprint, "ops"): NOW - HOUR for each in some if heard}
    messages, notified = compose("main", some, last_notified, [OPS, Route("mail")], NOW)
    for message in messages:
        names = {pair[0] for pair in notified if pair[1] == message.receiver}
        assert len(names) == message.firing + message.resolved
        assert len(message.items) == min(SHOWN, len(names))
        assert {item.fingerprint for item in message.items} <= names
    assert {pair[1] for pair in notified} == {message.receiver for message in messages}
    pending = {each.fingerprint for each in some if each.state is State.PENDING}
    shown = chain.from_iterable(message.items for message in messages)
    assert pending.isdisjoint(item.fingerprint for item in shown)

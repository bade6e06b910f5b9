from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.alerting.grouping import (
    MISSED_SHOWN,
    SHOWN,
    Count,
    Item,
    Message,
    Rank,
    Status,
    compose,
    group_key,
    group_opens_at,
    in_full,
)
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.telling import Line, Notified, Reason
from fluence_watch.model.finding import Fingerprint, Impact, Severity

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def alert_of(number: int, severity: Severity, rule: str, state: State) -> Alert:
    at = NOW - number * HOUR
    ended = NOW if state is State.RESOLVED else None
    fingerprint = Fingerprint("main", rule, f"0x{number}")
    return Alert(fingerprint, severity, state, number, at, starts_at=at, ends_at=ended)


def lines_of(alerts: Iterable[Alert], reason: Reason | None = None) -> list[Line]:
    """The alerts as they are due: what fires as the first news of it, what is over as resolved."""
    usual = {State.FIRING: Reason.FIRST, State.RESOLVED: Reason.RESOLVED}
    return [Line(alert, reason or usual[alert.state], NOW) for alert in alerts]


def message_of(alerts: Iterable[Alert], ranks: Mapping[str, Rank] | None = None) -> Message:
    return compose("ops", "main", lines_of(alerts), ranks)


def test_what_fires_and_what_resolved_is_one_message(firing: Alert) -> None:
    """As it is now."""
    ended = replace(
        firing,
        fingerprint=firing.fingerprint._replace(key="opened:81/tcp"),
        state=State.RESOLVED,
        ends_at=NOW,
    )
    message = message_of([ended, firing])
    of, warning = "80/tcp is open", Severity.WARNING
    items = (
        Item(firing.fingerprint, warning, Status.FIRING, of, NOW, starts_at=NOW),
        Item(
            ended.fingerprint, warning, Status.RESOLVED, of, NOW, NOW,
            reason=Reason.RESOLVED, starts_at=NOW,
        ),
    )  # fmt: skip
    counts = (
        Count("port_drift", warning, Status.FIRING, 1),
        Count("port_drift", warning, Status.RESOLVED, 1),
    )
    assert Message("ops", "main", items, counts) == message
    assert (1, 1, 0, 2) == (message.firing, message.resolved, message.missed, message.number())


def test_what_was_missed_is_named_to_a_limit() -> None:
    """The worst of it, after what fires and what resolved; the counts cover all of it."""
    over = [alert_of(n, Severity.INFO, "port_drift", State.RESOLVED) for n in range(30)]
    worst = alert_of(50, Severity.CRITICAL, "low_balance", State.RESOLVED)
    fires = alert_of(60, Severity.INFO, "low_balance", State.FIRING)
    missed = lines_of([*over, worst], Reason.MISSED)
    message = compose("ops", "main", [*missed, *lines_of([fires])])

    assert (1, 0, 31) == (message.firing, message.resolved, message.missed)
    assert 1 + MISSED_SHOWN == len(message.items)
    assert [fires.fingerprint, worst.fingerprint] == [i.fingerprint for i in message.items[:2]]
    assert {Status.MISSED} == {item.status for item in message.items[1:]}


def test_an_event_that_is_over_still_fires_in_a_message(firing: Alert) -> None:
    """That it ended says nothing: it happened."""
    ended = replace(firing, state=State.RESOLVED, ends_at=NOW, quiet=True)
    lines = lines_of([ended], Reason.FIRST)
    (item,) = compose("ops", "main", lines, {"port_drift": Rank(event=True)}).items

    assert (Status.FIRING, None, True) == (item.status, item.ends_at, item.event)


def test_when_a_group_may_be_sent(firing: Alert) -> None:
    """At once by default; else after `group_wait`, and `group_interval` after the last message."""
    lines = [Line(firing, Reason.FIRST, NOW), Line(firing, Reason.WORSE, NOW + HOUR)]
    told = {firing.episode: Notified(NOW, Severity.INFO)}
    slow = Route("ops", group_wait=2 * HOUR, group_interval=3 * HOUR)
    later, earlier = NOW + HOUR, NOW - HOUR  # earlier: the clock was set back

    assert "main" == group_key(firing)
    assert [later, earlier] == [
        group_opens_at(lines, told, Route("ops"), at) for at in (later, earlier)
    ]
    assert NOW + 2 * HOUR == group_opens_at(lines, {}, slow, later)
    assert NOW + 3 * HOUR == group_opens_at(lines, told, slow, later)
    assert earlier + 2 * HOUR == group_opens_at(lines, told, slow, earlier)


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
    message = message_of(reversed(order))
    assert [each.fingerprint for each in order] == [item.fingerprint for item in message.items]


def test_500_findings_make_one_message_of_the_first_twenty() -> None:
    """The counts cover all alerts."""
    many = [alert_of(n, Severity.WARNING, "port_drift", State.FIRING) for n in range(499)]
    worst = alert_of(0, Severity.CRITICAL, "low_balance", State.FIRING)
    message = message_of([*many, worst])
    assert SHOWN == len(message.items)
    assert {"port_drift", "low_balance"} == {item.fingerprint.rule for item in message.items}
    assert worst.fingerprint == message.items[0].fingerprint
    assert [1, 499] == [count.number for count in message.counts]
    assert 500 == message.firing


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
    message = message_of(reversed(order), RANKS)
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
    message = message_of(some, RANKS)
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

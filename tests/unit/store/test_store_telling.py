"""What receivers were notified of survives, with how the attempts to reach them went."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.alerting.attempts import Attempts, marks
from fluence_watch.alerting.lifecycle import Alert, Episode, State
from fluence_watch.alerting.state import AccountState
from fluence_watch.alerting.telling import Heard, Notified
from fluence_watch.errors import StoreError
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.store import Store
from tests.stored import keep

NOW = datetime(2025, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TOLD = Notified(NOW, Severity.WARNING, 2)
EMPTY = AccountState()


def alert(key: str, account: str = "main", minute: int = 0) -> Alert:
    """An alert that fires since then."""
    at = NOW + minute * MINUTE
    facts = PollFailing("unreachable", "no answer")
    fingerprint = Fingerprint(account, "poll_failing", key=key)
    return Alert(fingerprint, Severity.CRITICAL, State.FIRING, facts, at, at)


def over(before: Alert, minute: int = 1) -> Alert:
    return replace(before, state=State.RESOLVED, ends_at=NOW + minute * MINUTE)


def state(*alerts: Alert) -> AccountState:
    return AccountState(alerts={each.fingerprint: each for each in alerts}, last_poll_at=NOW)


def put(store: Store, *alerts: Alert, account: str = "main") -> None:
    keep(store, account, state(*alerts))


def test_what_was_notified_survives_a_restart(url: str) -> None:
    """Each receiver of its own, with the worst that it heard."""
    a, b = alert("a"), alert("b")
    known = {
        "ops": {a.episode: TOLD, b.episode: replace(TOLD, step=None, heard=Heard.GIVEN_UP)},
        "mail": {a.episode: replace(TOLD, heard=Heard.RESOLVED)},
    }
    with Store.open(url) as store:
        put(store, a, b)
        for receiver, told in known.items():
            store.save_attempts(receiver, Attempts(since=NOW), told)
    with Store.open(url) as store:
        assert known == store.load("main").told
        assert {} == store.load("other").told


def test_a_later_notification_replaces_an_earlier_one(store: Store) -> None:
    """There is one for each receiver and episode; others stay."""
    a, b = alert("a"), alert("b")
    put(store, a, b)
    store.save_attempts("ops", Attempts(), {a.episode: TOLD, b.episode: TOLD})
    later = replace(TOLD, at=NOW + MINUTE, severity=Severity.CRITICAL)
    store.save_attempts("ops", Attempts(), {a.episode: later})
    assert {"ops": {a.episode: later, b.episode: TOLD}} == store.load("main").told


def test_a_poll_leaves_what_was_notified(store: Store) -> None:
    """An alert that changes or ends is still the one that receivers know."""
    a, b = alert("a"), alert("b")
    put(store, a, b)
    store.save_attempts("ops", Attempts(), {a.episode: TOLD, b.episode: TOLD})
    worse = replace(a, step=3, severity=Severity.WARNING)
    keep(store, "main", state(worse), [over(b)])
    assert {"ops": {a.episode: TOLD, b.episode: TOLD}} == store.load("main").told
    assert worse == store.load("main").state.alerts[a.fingerprint]
    assert [over(b)] == store.load("main").unsettled


def test_what_is_settled_is_history_alone(url: str) -> None:
    """What receivers knew of it is forgotten; open alerts are never settled."""
    a, b = alert("a"), alert("b")
    with Store.open(url) as store:
        put(store, a, b)
        store.save_attempts("ops", Attempts(), {a.episode: TOLD, b.episode: TOLD})
        keep(store, "main", state(b), [over(a)])
        store.settle([a.episode, Episode(b.fingerprint, NOW - MINUTE)])
    with Store.open(url) as store:
        assert [] == store.load("main").unsettled
        assert {"ops": {b.episode: TOLD}} == store.load("main").told
        assert [over(a)] == store.history()


def test_episodes_are_apart(store: Store) -> None:
    """What fires again is not what ended before, though both are unsettled."""
    first, second = alert("a"), alert("a", minute=5)
    put(store, first)
    store.save_attempts("ops", Attempts(), {first.episode: TOLD})
    keep(store, "main", state(), [over(first)])
    keep(store, "main", state(second))
    store.save_attempts("mail", Attempts(), {second.episode: TOLD})
    assert {"ops": {first.episode: TOLD}, "mail": {second.episode: TOLD}} == store.load("main").told
    store.settle([first.episode])
    assert {"mail": {second.episode: TOLD}} == store.load("main").told


def test_what_is_not_stored_is_skipped(store: Store) -> None:
    """An account or an alert may be gone when the outcome of a send is known."""
    a = alert("a")
    put(store, a)
    others = [alert("x"), alert("a", "gone"), alert("a", minute=1)]
    store.save_attempts("ops", Attempts(), {each.episode: TOLD for each in [a, *others]})
    assert {"ops": {a.episode: TOLD}} == store.load("main").told


def test_attempts_survive_a_restart(url: str) -> None:
    """When the next is due, why the last failed, and what may have arrived."""
    begun = Attempts(since=NOW, failures=2).begin(marks([alert("a").episode]))
    failed = begun.failed("refused " * 1000, NOW, 0.5)
    with Store.open(url) as store:
        store.add_receivers(["ops", "mail"], NOW)
        store.save_attempts("ops", failed, {})
    with Store.open(url) as store:
        kept = store.receivers()
        assert replace(failed, error=failed.error[:500]) == kept["ops"]
        assert Attempts(since=NOW) == kept["mail"]
        store.save_attempts("ops", failed.succeeded().ended(marks([alert("a").episode])), {})
        assert Attempts(since=NOW) == store.receivers()["ops"]


def test_a_receiver_is_added_once(store: Store) -> None:
    """Its time stays that of the first; an attempt adds one that could not be added."""
    store.add_receivers(["ops"], NOW)
    store.add_receivers(["ops", "mail"], NOW + MINUTE)
    store.save_attempts("pager", Attempts(since=NOW + 2 * MINUTE, failures=1), {})
    since = {name: attempts.since for name, attempts in store.receivers().items()}
    assert {"ops": NOW, "mail": NOW + MINUTE, "pager": NOW + 2 * MINUTE} == since


def test_a_receiver_that_is_removed(store: Store) -> None:
    """All that it knew goes with it, and nothing of others."""
    a = alert("a")
    put(store, a)
    for name in ("ops", "mail"):
        store.save_attempts(name, Attempts(since=NOW), {a.episode: TOLD})
    store.remove_receiver("ops")
    store.remove_receiver("nobody")
    assert ({"mail": {a.episode: TOLD}}, {"mail"}) == (
        store.load("main").told,
        store.receivers().keys(),
    )


def test_accounts_that_go_or_are_renamed(store: Store) -> None:
    """What was notified goes with the account."""
    for name in ("main", "other"):
        put(store, alert("a", name), account=name)
        store.save_attempts("ops", Attempts(), {alert("a", name).episode: TOLD})
    store.rename({"main": "new"})
    assert {"ops": {alert("a", "new").episode: TOLD}} == store.load("new").told
    store.watch_only(["new"], NOW)
    assert ["other"] == store.forget_absent(NOW + MINUTE)
    assert {} == store.load("other").told


def test_what_cannot_be_noted_must_not_be_sent(url: str) -> None:
    """The begin of an attempt raises where it cannot be written."""
    with Store.open(url) as store:
        store.add_receivers(["ops"], NOW)
    with Store.open(url, exclusive=False) as reader:
        with pytest.raises(StoreError):
            reader.save_attempts("ops", Attempts(failures=1), {})
        assert Attempts(since=NOW) == reader.receivers()["ops"]

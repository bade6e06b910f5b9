"""One alert by its id."""

from dataclasses import replace
from datetime import timedelta

from fluence_watch.alerting.attempts import mark
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.state import AccountState
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.store import Store
from tests.stored import keep
from tests.unit.store.test_store_commit import NOW


def failing(account: str, key: str = "") -> Alert:
    facts = PollFailing("unreachable", "no answer")
    where = Fingerprint(account, "poll_failing", "", key)
    return Alert(where, Severity.CRITICAL, State.FIRING, facts, NOW, NOW)


def test_an_alert_by_its_id(store: Store) -> None:
    """Whether it fires or is over, and as it was stored last; an id of none finds none."""
    first, second, other = failing("main"), failing("main", "b"), failing("other")
    keep(store, "main", AccountState(alerts={a.fingerprint: a for a in (first, second)}))
    keep(store, "other", AccountState(alerts={other.fingerprint: other}))
    over = replace(first, state=State.RESOLVED, ends_at=NOW + timedelta(minutes=1))
    keep(store, "main", AccountState(alerts={second.fingerprint: second}), [over])

    for alert in (over, second, other):
        assert alert == store.alert(mark(alert.episode))
    for unknown in ("", "0" * 16, mark(first.episode)[:-1], "\ud800"):
        assert store.alert(unknown) is None

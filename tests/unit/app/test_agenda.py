"""What one receiver may be due, and how often that is judged."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.alerting.active import ActiveTimes, parse_windows
from fluence_watch.alerting.journal import What
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.muting import Mute, Mutes
from fluence_watch.alerting.scribe import Scribe
from fluence_watch.alerting.telling import Notified, Recipient
from fluence_watch.app.agenda import Agenda
from fluence_watch.app.book import Book, Page
from fluence_watch.model.finding import Fingerprint, Severity

NIGHT = datetime(2026, 4, 16, 22, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
BY_DAY = Recipient(Route("ops", active=ActiveTimes(parse_windows("08:00-16:00"))))
CHANGED = Fingerprint("main", "price_changed", "0xab")
OVER = replace(
    Alert(CHANGED, Severity.WARNING, State.RESOLVED, "", NIGHT - HOUR, NIGHT - HOUR),
    ends_at=NIGHT,
    quiet=True,
)


@pytest.fixture
def agenda() -> Agenda:
    """That of a receiver that is notified by day."""
    book = Book()
    book.pages["main"] = Page(alerts={OVER.episode: OVER})
    return Agenda(BY_DAY, book, frozenset({"price_changed"}))


def judged(agenda: Agenda, hours: float) -> tuple[bool, bool]:
    """Whether it claims the alert then, and whether that was judged anew."""
    asked = []

    def muted(alert: Alert, _: datetime) -> Mute | None:
        asked.append(alert)
        return None

    return agenda.claims(OVER, NIGHT + hours * HOUR, muted), bool(asked)


def test_what_is_held_is_not_judged_at_each_poll(agenda: Agenda) -> None:
    """It is at its time, and after a change of the settings or of what keeps messages back."""
    assert (True, True) == judged(agenda, 0)
    assert (True, False) == judged(agenda, 1)
    agenda._book.mutes = Mutes(inhibits=())
    assert (True, True) == judged(agenda, 2)
    assert (True, False) == judged(agenda, 3)
    agenda.recipient = replace(BY_DAY)
    assert (True, True) == judged(agenda, 4)
    assert (True, False) == judged(agenda, 5)
    assert (True, True) == judged(agenda, 10)


def test_what_is_held_and_told_all_the_same(agenda: Agenda) -> None:
    """Who was notified meanwhile is due nothing."""
    assert (True, True) == judged(agenda, 0)
    told = agenda._book.told("main", "ops")
    told[OVER.episode] = Notified(NIGHT, Severity.WARNING)
    assert not judged(agenda, 1)[0]
    agenda.forget("main")
    del told[OVER.episode]
    assert (True, True) == judged(agenda, 2)


def test_nothing_is_written_of_what_ended_as_it_was_judged() -> None:
    """Its last word was, when it ended: that nobody is notified of it any more."""
    over, book = replace(OVER, fingerprint=CHANGED._replace(rule="vm_unreadable")), Book()
    firing = replace(over, state=State.FIRING, ends_at=None, quiet=False)
    page = book.pages["main"] = Page(alerts={firing.episode: firing})
    agenda = Agenda(Recipient(Route("ops")), book, frozenset())
    agenda.scribe = Scribe("ops")
    agenda.look("main")
    find = agenda._taken("main", NIGHT)
    assert find
    found = find()
    page.alerts[over.episode] = over

    assert not agenda.claims(over, NIGHT, lambda *_: None)
    assert () == agenda._opened("main", NIGHT, found)
    assert [What.NEVER] == [each.what for each in agenda.scribe.take()]

"""What one receiver may be due, and when to look again.

Only episodes that changed are looked at, and all of an account when a repetition comes due.
What is due stays on the agenda until the receiver knows of it.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from fluence_watch.alerting.due import Due, due, heeded, kept_back
from fluence_watch.alerting.grouping import group_opens_at
from fluence_watch.alerting.journal import What, WhyNot
from fluence_watch.alerting.judging import Judgement, judged
from fluence_watch.alerting.lifecycle import Alert, Episode, State
from fluence_watch.alerting.muting import Muted, Mutes
from fluence_watch.alerting.scribe import Scribe
from fluence_watch.alerting.telling import Line, Notified, Recipient, Told, reason_to_notify
from fluence_watch.app.book import Book, Page
from fluence_watch.threads import RENDERING

Lines = tuple[Line, ...]


class _Held(NamedTuple):
    """What keeps back the end of an alert until a time, if nothing of this changes."""

    until: datetime
    recipient: Recipient
    notified: Notified | None
    mutes: Mutes

    def holds(self, recipient: Recipient, notified: Notified | None, mutes: Mutes) -> bool:
        """Whether all is as it was."""
        return self.recipient is recipient and self.notified is notified and self.mutes is mutes


class Agenda:
    """The agenda of one receiver. `events` are the rules that report events.

    `scribe`, if any, writes what the receiver is due, and why it is not. `begun` says which episodes
    it may have heard of, by their marks.
    """

    def __init__(self, recipient: Recipient, book: Book, events: frozenset[str]) -> None:
        self.recipient = recipient
        self.scribe: Scribe | None = None
        self.begun: Callable[[], frozenset[str]] = frozenset
        self._book = book
        self._events = events
        self._changed: dict[str, set[Episode]] = {}
        self._again_at: dict[str, datetime] = {}
        self._held: dict[Episode, _Held] = {}

    def look(self, account: str, episodes: Iterable[Episode] | None = None) -> None:
        """Look at these episodes of the account, or at all of them."""
        if page := self._book.pages.get(account):
            changed = self._changed.setdefault(account, set())
            changed.update(page.alerts if episodes is None else episodes)

    def look_again(self) -> None:
        """Look at all accounts with repetitions."""
        for account in self._again_at:
            self.look(account)

    def look_at(self, account: str, at: datetime | None) -> None:
        """Look at the account at that time."""
        if at is not None:
            self._again_at[account] = min(at, self._again_at.get(account, at))

    def forget(self, account: str) -> None:
        """The account is no longer watched."""
        self._changed.pop(account, None)
        self._again_at.pop(account, None)
        for episode in [each for each in self._held if each.fingerprint.account == account]:
            del self._held[episode]
        if self.scribe is not None:
            self.scribe.forget_account(account)

    def accounts(self, now: datetime) -> list[str]:
        """The accounts to look at now."""
        for account in [account for account, at in self._again_at.items() if at <= now]:
            del self._again_at[account]
            self.look(account)
        return list(self._changed)

    def next_look_at(self) -> datetime | None:
        """When to look next, if nothing changes before."""
        return min(self._again_at.values(), default=None)

    async def due(self, account: str, now: datetime) -> Lines:
        """The lines that are due now of the episodes to look at, found in a thread."""
        if found := self._taken(account, now):
            return self._opened(account, now, await RENDERING.run(found))
        return ()

    def due_at_once(self, account: str, now: datetime) -> Lines:
        """The same without a thread."""
        if found := self._taken(account, now):
            return self._opened(account, now, found())
        return ()

    def _taken(self, account: str, now: datetime) -> Callable[[], Due] | None:
        """What finds the lines that are due of the episodes to look at, which it takes."""
        page, mutes = self._book.pages.get(account), self._book.mutes
        episodes = self._changed.pop(account, set())
        if page is None:
            return None
        # sorted, because the order of a set differs from run to run
        alerts = [page.alerts[each] for each in sorted(episodes) if each in page.alerts]
        # copies, for what is settled meanwhile leaves the alerts and `told` together
        known = _of(self._book.told(account, self.recipient.route.receiver), episodes)
        first = [each.route.receiver for each in self.recipient.escalations]
        return partial(
            due,
            alerts,
            known,
            self.recipient,
            now,
            paused=page.paused,
            events=self._events,
            muted=mutes.among(list(page.alerts.values())),
            taken=mutes.acknowledgement,
            others={name: _of(self._book.told(account, name), episodes) for name in first},
            begun=self.begun(),
        )

    def _opened(self, account: str, now: datetime, found: Due) -> Lines:
        """The lines, if the group of the account is open. What is due stays on the agenda.

        What changed or was settled meanwhile is left out: it is on the agenda anew if it is due anything.
        """
        page = self._book.pages.get(account)
        if page is None:  # it was forgotten meanwhile
            return ()
        self.look_at(account, found.wait_until)
        told, opens_at = self._book.told(account, self.recipient.route.receiver), now
        lines = tuple(line for line in found.lines if page.has(line.alert))
        if lines:
            self.look(account, [line.episode for line in lines])
            opens_at = group_opens_at(lines, told, self.recipient.route, now)
        self._write(found, page, opens_at, now)
        if opens_at > now:
            self.look_at(account, opens_at)
            return ()
        return lines

    def claims(self, alert: Alert, now: datetime, muted: Muted) -> bool:
        """Whether the receiver is due anything of an ended alert, or has yet to hear of a firing one.

        `muted` is that of its account. If it is due nothing of an ended one, the reason is written.
        """
        told = self._book.told(alert.fingerprint.account, self.recipient.route.receiver)
        notified, to = told.get(alert.episode), self.recipient
        if alert.state is State.FIRING:
            return notified is None and to.route.matches(alert)
        held = self._held.pop(alert.episode, None)
        if held and now < held.until and held.holds(to, notified, self._book.mutes):
            self._held[alert.episode] = held
            return True
        begun = self.begun()
        reason = reason_to_notify(alert, notified, to, now, events=self._events, begun=begun)
        mute = kept_back(alert, reason, notified, to, now, muted=heeded(muted, begun))
        if reason is not None and (mute is None or mute.until is not None):
            if mute and mute.until:  # as long as nothing changes, it is not looked at before that
                self._held[alert.episode] = _Held(mute.until, to, notified, self._book.mutes)
            return True
        if self.scribe is not None:
            found = judged(
                alert, notified, reason, mute, recipient=to, now=now, events=self._events
            )
            self.scribe.judged(alert.episode, found, now)
        return False

    def _write(self, found: Due, page: Page, opens_at: datetime, now: datetime) -> None:
        """Write what is judged. What waits for its group is not sent before that opens.

        Nothing is written of what changed or was settled meanwhile: of an end, the last word may
        have been written already, by `claims`.
        """
        if self.scribe is None:
            return
        grouped = Judgement(What.WAITS, WhyNot.GROUPING, until=opens_at)
        for episode, judgement in found.judged.items():
            if not page.has(found.alerts[episode]):
                continue
            is_grouped = opens_at > now and judgement.what is What.DUE
            self.scribe.judged(episode, grouped if is_grouped else judgement, now)


def _of(told: Told, episodes: Iterable[Episode]) -> Told:
    return {each: told[each] for each in episodes if each in told}


def longest_sleep(again_at: datetime | None, now: datetime) -> timedelta | None:
    """How long to sleep before the next look.

    At most `LOOK_AGAIN`, because the clock may be set back meanwhile.
    """
    return None if again_at is None else min(max(again_at - now, timedelta(0)), LOOK_AGAIN)


LOOK_AGAIN = timedelta(minutes=5)

"""What is true and what receivers were notified of: the alerts that receivers may be due."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import NamedTuple, Self

from fluence_watch.alerting.lifecycle import Alert, Alerts, Episode, State
from fluence_watch.alerting.muting import Muted, Mutes
from fluence_watch.alerting.state import Stored
from fluence_watch.alerting.telling import Notified


class Waiting(NamedTuple):
    """How many messages wait for a receiver, and since when the oldest alert in them does."""

    messages: int = 0
    oldest_at: datetime | None = None


@dataclass(slots=True)
class Page:
    """One account: its firing alerts, and the ended ones that a receiver may still be due.

    `open` are the open alerts after the last commit. Alerts of `paused` subjects are not repeated.
    `told` is what each receiver was notified of.
    """

    open: Alerts = field(default_factory=dict)
    paused: frozenset[str] = frozenset()
    alerts: dict[Episode, Alert] = field(default_factory=dict)
    told: dict[str, dict[Episode, Notified]] = field(default_factory=dict)

    @classmethod
    def of(cls, stored: Stored, paused: frozenset[str] = frozenset()) -> Self:
        """What the receivers may be due of what is stored."""
        alerts = stored.state.alerts
        firing = (alert for alert in alerts.values() if alert.state is State.FIRING)
        known = {alert.episode: alert for alert in (*stored.unsettled, *firing)}
        return cls(alerts, paused, known, {name: dict(of) for name, of in stored.told.items()})

    def update(
        self, alerts: Alerts, ended: Iterable[Alert], paused: frozenset[str] | None
    ) -> set[Episode]:
        """Adopt what a poll committed. Returns the episodes that are not as they were.

        If `paused` is `None`, the same subjects are paused as before.
        """
        before = self.open
        changed = [alert for key, alert in alerts.items() if before.get(key) is not alert]
        moved = {
            alert.episode: alert for alert in (*changed, *ended) if alert.state is not State.PENDING
        }
        self.alerts = self.alerts | moved
        self.open = alerts
        paused = self.paused if paused is None else paused
        turned, self.paused = self.paused ^ paused, paused
        also = (each for each in self.alerts if each.fingerprint.subject in turned)
        return {*moved, *also} if turned else {*moved}

    def has(self, alert: Alert) -> bool:
        """Whether the alert is still as it was: it did not change, and is not settled."""
        return self.alerts.get(alert.episode) == alert

    def ended(self) -> list[Alert]:
        """The alerts that are over."""
        return [alert for alert in self.alerts.values() if alert.state is State.RESOLVED]

    def settle(self, episodes: Collection[Episode]) -> None:
        """Forget episodes of which no receiver is due anything."""
        for episode in episodes:
            self.alerts.pop(episode, None)
            for told in self.told.values():
                told.pop(episode, None)


class Book:
    """The pages of all accounts, and what keeps messages back. It is used in the event loop alone."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.mutes = Mutes()

    def told(self, account: str, receiver: str) -> dict[Episode, Notified]:
        """What the receiver was notified of, of alerts of the account."""
        return self.pages[account].told.setdefault(receiver, {})

    def update(
        self,
        account: str,
        alerts: Alerts,
        ended: Sequence[Alert],
        paused: frozenset[str] | None = None,
    ) -> tuple[set[Episode], bool]:
        """Adopt what a poll committed. Returns what changed, and whether that may mute other alerts."""
        page = self.pages[account]
        before = page.alerts
        changed = page.update(alerts, ended, paused)
        versions = (
            known[each] for each in changed for known in (before, page.alerts) if each in known
        )
        return changed, any(map(self.mutes.inhibits_others, versions))

    def unclaimed(self, is_claimed: Callable[[Alert, Muted], bool]) -> list[Episode]:
        """What is over, and due to no receiver: what `is_claimed` of an alert and its mutes says.

        What muted an alert that is claimed, or that a receiver has yet to hear of, is kept too: that
        is why others are not notified of it.
        """
        return [each for page in self.pages.values() for each in self._unclaimed(page, is_claimed)]

    def _unclaimed(
        self, page: Page, is_claimed: Callable[[Alert, Muted], bool]
    ) -> Iterator[Episode]:
        if not (ended := page.ended()):
            return iter(())
        muted = self.mutes.among(page.alerts.values())
        claimed = {each.episode: each for each in ended if is_claimed(each, muted)}
        free = [each for each in ended if each.episode not in claimed]
        firing = (each for each in page.alerts.values() if each.state is State.FIRING)
        awaited = (each for each in firing if is_claimed(each, muted))
        kept = self.mutes.muters(free, chain(claimed.values(), awaited))
        return (each.episode for each in free if each.episode not in kept)

    def forget_receiver(self, receiver: str) -> None:
        """Forget what a removed receiver was notified of."""
        for page in self.pages.values():
            page.told.pop(receiver, None)

"""What receivers that accept everything hear of one decision after the other."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from fluence_watch.alerting.due import due
from fluence_watch.alerting.grouping import Message, compose
from fluence_watch.alerting.lifecycle import Alert, Alerts, Episode
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.telling import Notified, Recipient
from fluence_watch.app.book import Page
from fluence_watch.app.decide import Decision
from fluence_watch.app.wiring import EVENTS, RANKS


class Listeners:
    """Receivers that accept everything."""

    def __init__(self) -> None:
        self._page = Page()
        self._told: defaultdict[str, dict[Episode, Notified]] = defaultdict(dict)

    def hear(
        self,
        now: datetime,
        routes: Sequence[Route],
        alerts: Alerts,
        ended: Sequence[Alert],
        paused: frozenset[str] | None = None,
    ) -> list[Message]:
        """The messages that follow a commit of such alerts."""
        self._page.update(alerts, ended, paused)
        messages = list(self._messages(now, routes))
        self._page.settle([alert.episode for alert in self._page.ended()])
        return messages

    def follow(self, decision: Decision, routes: Sequence[Route]) -> list[Message]:
        """The messages that follow the decision, at the time of its poll."""
        after = decision.after
        assert after.last_poll_at
        at, ended, paused = after.last_poll_at, decision.ended, decision.paused
        return self.hear(at, routes, after.alerts, ended, paused)

    def _messages(self, now: datetime, routes: Sequence[Route]) -> Iterable[Message]:
        page = self._page
        for route in routes:
            knows, alerts = self._told[route.receiver], page.alerts.values()
            found = due(alerts, knows, Recipient(route), now, paused=page.paused, events=EVENTS)
            for line in found.lines:
                knows[line.episode] = line.notified(knows.get(line.episode), now)
            if found.lines:
                yield compose(route.receiver, "main", found.lines, RANKS)


def hear(
    decisions: Iterable[Decision], routes: Sequence[Route] = (Route("ops"),)
) -> list[list[Message]]:
    """The messages that follow each decision."""
    listeners = Listeners()
    return [listeners.follow(decision, routes) for decision in decisions]

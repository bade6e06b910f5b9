"""What a receiver gets because nobody acknowledged in time what another one got. Pure.

An alert is escalated when it has fired for `after`, whether or not the first receiver could be
reached. What a receiver got by an escalation goes on to the next one so much later again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from fluence_watch.alerting.lifecycle import Alert
from fluence_watch.alerting.matching import Route


@dataclass(frozen=True, slots=True)
class Escalation:
    """Alerts of a route go to another receiver too. `before` are the escalations to the route's own."""

    route: Route
    after: timedelta
    before: tuple["Escalation", ...] = ()

    def wait(self, alert: Alert) -> timedelta | None:
        """How long after its start the alert is escalated; `None`: never."""
        if self.route.matches(alert):
            return self.after
        earlier = first_of(self.before, alert)
        return earlier.wait + self.after if earlier else None


class Step(NamedTuple):
    """How long after its start an alert is escalated, and from which receiver."""

    wait: timedelta
    receiver: str


@dataclass(frozen=True, slots=True)
class Escalated:
    """From which receiver an alert was escalated, and when that was last notified (`None`: never)."""

    receiver: str
    notified_at: datetime | None = None


def first_of(escalations: Iterable[Escalation], alert: Alert) -> Step | None:
    """The escalation that comes first; `None` if none takes the alert."""
    steps = (
        Step(wait, each.route.receiver)
        for each in escalations
        if (wait := each.wait(alert)) is not None
    )
    return min(steps, default=None)

"""An item of a message, as templates see it."""

from dataclasses import dataclass
from datetime import datetime

from fluence_watch.alerting.attempts import mark
from fluence_watch.alerting.escalation import Escalated
from fluence_watch.alerting.grouping import Link
from fluence_watch.alerting.lifecycle import Episode
from fluence_watch.alerting.telling import Reason
from fluence_watch.model.finding import Fingerprint

_ID = 8  # commands take the beginning


@dataclass(frozen=True, slots=True)
class ItemView:
    """An item as templates see it; times are UTC.

    `reason` is why the receiver is notified; see `Reason`.
    `links` lead to its page, and to what can be done.
    """

    fingerprint: Fingerprint
    facts: object
    active_at: datetime
    ends_at: datetime | None
    reason: Reason
    starts_at: datetime | None = None
    escalated: Escalated | None = None
    links: tuple[Link, ...] = ()

    @property
    def id(self) -> str:
        """Identifies the alert in commands."""
        return mark(Episode(self.fingerprint, self.active_at))[:_ID]

    @property
    def account(self) -> str:
        """The account's name."""
        return self.fingerprint.account

    @property
    def rule(self) -> str:
        """The rule's name."""
        return self.fingerprint.rule

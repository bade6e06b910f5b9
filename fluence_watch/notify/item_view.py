"""An item of a message, as templates see it."""

from dataclasses import dataclass
from datetime import datetime

from fluence_watch.alerting.telling import Reason
from fluence_watch.model.finding import Fingerprint


@dataclass(frozen=True, slots=True)
class ItemView:
    """An item as templates see it; times are UTC.

    `reason` is why the receiver is notified: `first`, `worse`, `repeat`, `resolved`, `missed`.
    """

    fingerprint: Fingerprint
    facts: object
    active_at: datetime
    ends_at: datetime | None
    reason: Reason

    @property
    def account(self) -> str:
        """The account's name."""
        return self.fingerprint.account

    @property
    def rule(self) -> str:
        """The rule's name."""
        return self.fingerprint.rule

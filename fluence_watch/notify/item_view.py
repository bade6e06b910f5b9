"""An item of a message, as templates see it."""

from dataclasses import dataclass
from datetime import datetime

from fluence_watch.model.finding import Fingerprint


@dataclass(frozen=True, slots=True)
class ItemView:
    """An item as templates see it; times are UTC.

    `told_at` is when the message was made. `over` says of a firing item whether it is over by
    now; `None` is unknown.
    """

    fingerprint: Fingerprint
    facts: object
    active_at: datetime
    ends_at: datetime | None
    repeated: bool
    told_at: datetime
    over: bool | None

    @property
    def account(self) -> str:
        """The account's name."""
        return self.fingerprint.account

    @property
    def rule(self) -> str:
        """The rule's name."""
        return self.fingerprint.rule

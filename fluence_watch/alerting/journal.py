"""The words of the journal: what happened, and what did not, with the reason. Pure.

Each entry is written when something begins, changes or ends, never because time passes. Of `dropped`
the latest of a finding is kept, with how often.

  what        about                  written by              when
  firing      an alert               the commit of a poll    it fires: facts, settings of the rule
  changed     an alert               the commit of a poll    its severity or step is another
  resolved    an alert               the commit of a poll    it is over
  gone        an alert               the commit of a poll    it is over without a message
  dropped     a pending alert        the commit of a poll    it was over before it fired
  muted       a finding              the commit of a poll    another finding says more of it
  unmuted     a finding              the commit of a poll    none does any more
  acknowledged    an alert           a command, or a link    somebody takes care of it
  unacknowledged  an alert           a command, a poll       nobody does any more
  poll_failed an account             the commit of a poll    polls begin to fail, or for another reason
  polled      an account             the commit of a poll    a poll succeeds again
  incomplete  an account             the commit of a poll    the list of VMs begins to be incomplete
  complete    an account             the commit of a poll    it is complete again
  guarded     most VMs of an account the commit of a poll    they left at once, so the list is doubted
  unguarded   the same VMs           the commit of a poll    they are back, or lost
  unreadable  a VM, or all of them   the commit of a poll    it is listed, and cannot be read
  readable    the same               the commit of a poll    it can be read again, or is not listed
  due         an alert, a receiver   its courier             a message is due and was not sent at once
  waits       an alert, a receiver   its courier             something keeps the message back for now
  skipped     an alert, a receiver   its courier             the route does not take it
  sent        an alert, a receiver   its courier             the message was accepted: with `notified`
  refused     an alert, a receiver   its courier             the message was not accepted, once
  given_up    an alert, a receiver   its courier             it is refused for good
  never       an alert, a receiver   its courier             nothing, or nothing more, will be sent
  failing     a receiver             its courier             it begins to accept nothing
  works       a receiver             its courier             it accepts again

The last entry of a receiver about an alert that is over is one of `sent`, `given_up`, `skipped` and
`never`: what is missing is written when the alert is settled.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from fluence_watch.alerting.lifecycle import Episode
from fluence_watch.model.finding import Fingerprint, Severity


class What(StrEnum):
    """What an entry says. See the table above."""

    FIRING = "firing"
    CHANGED = "changed"
    RESOLVED = "resolved"
    GONE = "gone"
    DROPPED = "dropped"
    MUTED = "muted"
    UNMUTED = "unmuted"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    POLL_FAILED = "poll_failed"
    POLLED = "polled"
    INCOMPLETE = "incomplete"
    COMPLETE = "complete"
    GUARDED = "guarded"
    UNGUARDED = "unguarded"
    UNREADABLE = "unreadable"
    READABLE = "readable"
    DUE = "due"
    WAITS = "waits"
    SKIPPED = "skipped"
    SENT = "sent"
    REFUSED = "refused"
    GIVEN_UP = "given_up"
    NEVER = "never"
    FAILING = "failing"
    WORKS = "works"


FINAL = frozenset({What.SENT, What.GIVEN_UP, What.SKIPPED, What.NEVER})
"""What may be the last word of a receiver about an alert that is over."""


class WhyNot(StrEnum):
    """Why a receiver is not notified, or not yet, beside what mutes (`muting.Why`)."""

    MIN_SEVERITY = "min_severity"
    RULES = "rules"
    ACCOUNTS = "accounts"
    MATCH = "match"
    ABOUT_ITSELF = "about_itself"
    ESCALATE_AFTER = "escalate_after"
    GROUPING = "grouping"
    SEND_RESOLVED = "send_resolved"
    QUIET = "quiet"
    ADDED_LATER = "added_later"
    GIVE_UP_AFTER = "give_up_after"
    SUPERSEDED = "superseded"


class WhyOver(StrEnum):
    """Why an alert is over, or a pending one was dropped."""

    OVER = "over"
    GONE = "gone"
    DISABLED = "disabled"
    STARTED_OVER = "started_over"


@dataclass(frozen=True, slots=True)
class Details:
    """What an entry says beside its `what`. Most of it is absent.

    `reason` is a word of an enumeration. `by` names a silence, an alert, a matcher, a receiver;
    `text` is a comment or an error. `since` and `until` are the times of what lasts. `number` counts
    attempts, VMs, or how often a finding never fired since `first_at`; `among` are the VMs of which
    these are. `settings` are those of the rule.
    """

    reason: str = ""
    by: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None
    number: int | None = None
    among: int | None = None
    severity: Severity | None = None
    step: int = 0
    facts: object = None
    settings: Mapping[str, object] = field(default_factory=dict)
    first_at: datetime | None = None


NOTHING = Details()


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal.

    `about` is an alert, a finding, or an account (a fingerprint with its name alone); `None` for
    entries that are about a receiver alone. With `active_at` it is an episode that is stored.
    """

    at: datetime
    what: What
    about: Fingerprint | None = None
    active_at: datetime | None = None
    receiver: str | None = None
    details: Details = NOTHING

    @property
    def episode(self) -> Episode | None:
        """The episode that it is about."""
        if self.about is None or self.active_at is None:
            return None
        return Episode(self.about, self.active_at)

"""Findings and alerts as data. The caller passes a function that renders their text."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from fluence_watch.alerting.attempts import mark
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.muting import Mute
from fluence_watch.model.finding import Fingerprint, Severity, shown_account, vm_of
from fluence_watch.model.text import inert
from fluence_watch.views.vm import vm_title

_SHORT_ID = 8

Brief = Callable[[object, datetime], str]
"""Renders the facts of a finding as one line of text, as of a time."""


@dataclass(frozen=True, slots=True)
class FindingView:
    """A finding of a rule. `vm_id` and `vm_name` are `None` if it is about the account."""

    severity: Severity
    rule: str
    account: str
    vm_id: str | None
    vm_name: str | None
    what: str

    @property
    def title(self) -> str:
        """The display name of the VM. `""` if the finding is about the account."""
        return "" if self.vm_id is None else vm_title(self.vm_id, self.vm_name)


@dataclass(frozen=True, slots=True)
class AlertView(FindingView):
    """An alert: a finding with a history.

    `id` is short and its own; a later episode of the same problem has another.
    `since` is when the condition was first seen.
    `fired_at` and `ended_at` are `None` until the alert fires and resolves.
    """

    state: State
    since: datetime
    fired_at: datetime | None
    ended_at: datetime | None
    id: str
    muted: Mute | None = None

    @property
    def short_id(self) -> str:
        """The beginning of the id, enough for commands."""
        return self.id[:_SHORT_ID]

    @property
    def heading(self) -> str:
        """What tells it from others, on one line: its short id, its rule, the VM, the account."""
        title = f" {self.title}" if self.title else ""
        return f"{self.short_id} {self.rule}{title} · {inert(self.account)}"


def finding_view(
    fingerprint: Fingerprint, severity: Severity, facts: object, now: datetime, brief: Brief
) -> FindingView:
    """The view of a finding. `brief` renders its facts."""
    vm = vm_of(facts)
    return FindingView(
        severity=severity,
        rule=fingerprint.rule,
        account=shown_account(fingerprint.account),
        vm_id=vm.id if vm else None,
        vm_name=vm.name if vm else None,
        what=brief(facts, now),
    )


def alert_view(alert: Alert, now: datetime, brief: Brief, muted: Mute | None = None) -> AlertView:
    """The view of an alert, and what keeps it back. `brief` renders its facts, as of its end if it is over."""
    vm = vm_of(alert.facts)
    return AlertView(
        severity=alert.severity,
        rule=alert.fingerprint.rule,
        account=shown_account(alert.fingerprint.account),
        vm_id=vm.id if vm else None,
        vm_name=vm.name if vm else None,
        what=brief(
            alert.facts, alert.ends_at or now
        ),  # what was ahead then is past, or came otherwise
        state=alert.state,
        since=alert.active_at,
        fired_at=alert.starts_at,
        ended_at=alert.ends_at,
        id=mark(alert.episode),
        muted=muted,
    )

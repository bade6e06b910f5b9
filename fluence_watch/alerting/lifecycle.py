"""The lifecycle of an alert: pending → firing → resolved, in Prometheus's terms.

- `for`: an alert fires when the problem has lasted that long. An `at_once` finding skips it.
- `keep_firing_for`: a firing alert resolves when the problem has been over for that long.
  An alert that sends no resolved message resolves at once.
- Unknown changes nothing: the alert neither fires nor resolves.
- Gone resolves a firing alert without a message.
- A firing alert with `relevant_until` fires until then, so that it notifies only once.
- A pending alert starts over after a gap without polls.
  The gap must exceed both its `for` and the rule's `outage_tolerance`.
  It also starts over if its start is in the future because the clock was set back.

  state     finding              over                     unknown   gone
  (none)    pending or firing    -                        -         -
  pending   pending or firing    dropped                  no change dropped
  firing    firing               firing, then resolved    no change resolved, quietly
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from fluence_watch.model.finding import Absence, Finding, Fingerprint, Severity, Verdict
from fluence_watch.model.horizon import Horizon, next_of, shifted


class State(StrEnum):
    """The state of an alert."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


OUTAGE_TOLERANCE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Timing:
    """The timing of a rule's alerts.

    `sends_resolved` is whether the alerts send a resolved message.
    `outage_tolerance` is the longest gap between polls that a pending alert survives.
    It must exceed the poll interval. Otherwise no pending alert ever fires.
    """

    hold: timedelta = timedelta(0)
    keep_firing_for: timedelta = timedelta(0)
    sends_resolved: bool = True
    outage_tolerance: timedelta = OUTAGE_TOLERANCE


class Episode(NamedTuple):
    """A problem from one start to its end. A later start of the same problem is another episode."""

    fingerprint: Fingerprint
    active_at: datetime


@dataclass(frozen=True, slots=True)
class Alert:
    """A problem with its state.

    `active_at` is when it was first seen, `starts_at` when it fired, `ends_at` when it resolved.
    `clear_since` is when the problem ended, during `keep_firing_for`.
    A `quiet` alert resolved without a message.
    `step` is how bad the facts are, as the rule counts (see `Finding`).
    """

    fingerprint: Fingerprint
    severity: Severity
    state: State
    facts: object
    active_at: datetime
    starts_at: datetime | None = None
    clear_since: datetime | None = None
    ends_at: datetime | None = None
    quiet: bool = False
    relevant_until: datetime | None = None
    step: int = 0

    @property
    def episode(self) -> Episode:
        """The episode that the alert is."""
        return Episode(self.fingerprint, self.active_at)


Alerts = Mapping[Fingerprint, Alert]


def advance(
    alerts: Alerts,
    verdict: Verdict,
    timings: Mapping[str, Timing],
    now: datetime,
    previous_poll_at: datetime | None,
) -> tuple[dict[Fingerprint, Alert], list[Alert]]:
    """The open alerts after a poll, and the alerts that it ended.

    `previous_poll_at` is the previous evaluated poll, successful or failed.
    An unchanged alert is the same object.
    """
    still_open: dict[Fingerprint, Alert] = {}
    ended: list[Alert] = []
    gap = now - previous_poll_at if previous_poll_at else timedelta(0)
    for fingerprint in dict.fromkeys([*alerts, *verdict.findings]):
        timing = timings[fingerprint.rule] if fingerprint.rule in timings else Timing()
        alert, finding = alerts.get(fingerprint), verdict.findings.get(fingerprint)
        if finding is not None:
            still_open[fingerprint] = _found(alert, finding, timing, now, gap)
        elif alert is not None:
            after = _not_found(alert, verdict.absence(fingerprint), timing, now)
            if after is None:
                continue
            if after.state is State.RESOLVED:
                ended.append(after)
            else:
                still_open[fingerprint] = after
    return still_open, ended


def holds_until(alerts: Alerts, timings: Mapping[str, Timing], now: datetime) -> Horizon:
    """Until when alerts stay as they are, as long as the verdict does and there is no gap in the polls."""
    moments: list[Horizon] = []
    for alert in alerts.values():
        timing = timings.get(alert.fingerprint.rule, Timing())
        if alert.state is State.PENDING:
            moments.append(shifted(alert.active_at, timing.hold))
        else:
            moments.append(alert.relevant_until)
        if alert.clear_since is not None:
            moments.append(shifted(alert.clear_since, timing.keep_firing_for))
    return next_of(now, moments)


def _found(
    alert: Alert | None, finding: Finding, timing: Timing, now: datetime, gap: timedelta
) -> Alert:
    if alert is None or (alert.state is State.PENDING and _stale(alert, timing, now, gap)):
        alert = Alert(
            finding.fingerprint, finding.severity, State.PENDING, finding.facts, active_at=now
        )
    after = alert if _is_as_found(alert, finding) else _with(alert, finding)
    if alert.state is State.PENDING and (finding.at_once or now - alert.active_at >= timing.hold):
        return replace(after, state=State.FIRING, starts_at=now)
    return after


def _is_as_found(alert: Alert, finding: Finding) -> bool:
    return (
        alert.facts == finding.facts
        and (alert.severity, alert.step) == (finding.severity, finding.step)
        and alert.relevant_until == finding.relevant_until
        and alert.clear_since is None
    )


def _with(alert: Alert, finding: Finding) -> Alert:
    return replace(
        alert,
        severity=finding.severity,
        facts=finding.facts,
        clear_since=None,
        relevant_until=finding.relevant_until,
        step=finding.step,
    )


def _stale(pending: Alert, timing: Timing, now: datetime, gap: timedelta) -> bool:
    return gap > max(timing.hold, timing.outage_tolerance) or pending.active_at > now


def _not_found(alert: Alert, absence: Absence, timing: Timing, now: datetime) -> Alert | None:
    if absence is Absence.UNKNOWN:
        return alert
    if alert.state is State.PENDING:
        return None
    if absence is Absence.GONE:
        return _resolved(alert, now, quiet=True)
    if alert.relevant_until and now < alert.relevant_until:
        return alert
    quiet = not timing.sends_resolved
    clear_since = min(alert.clear_since or now, now)
    if not quiet and now - clear_since < timing.keep_firing_for:
        return replace(alert, clear_since=clear_since)
    return _resolved(alert, now, quiet=quiet)


def _resolved(alert: Alert, now: datetime, *, quiet: bool) -> Alert:
    """The resolved alert. It never ends before its start, even if the clock was set back."""
    ends_at = max(now, alert.starts_at or alert.active_at)
    return replace(alert, state=State.RESOLVED, clear_since=None, ends_at=ends_at, quiet=quiet)

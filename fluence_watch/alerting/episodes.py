"""What a poll writes into the journal of its alerts. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache

from fluence_watch.alerting.journal import Details, Entry, What, WhyOver
from fluence_watch.alerting.lifecycle import Alert, Alerts, State
from fluence_watch.model.finding import Absence, Fingerprint, Verdict

SettingsOf = Callable[[str], Mapping[str, object]]
"""The settings of a rule, as they are written."""


def entries_of_alerts(
    before: Alerts,
    after: Alerts,
    ended: Iterable[Alert],
    verdict: Verdict,
    now: datetime,
    *,
    settings: SettingsOf,
) -> Iterator[Entry]:
    """What a poll changed: what fires, is another, is over, or never fired."""
    settings = cache(settings)
    over = set[Fingerprint]()
    for alert in ended:
        over.add(alert.fingerprint)
        yield _ended(alert, verdict, now)
    for key, alert in after.items():
        former = before.get(key)
        if former is not alert:
            yield from _moved(former, alert, settings, now)
    for key, alert in before.items():
        if key not in after and key not in over:
            yield _dropped(alert, _why(verdict, key), settings, now)


def _moved(
    former: Alert | None, alert: Alert, settings: SettingsOf, now: datetime
) -> Iterator[Entry]:
    was_firing = former is not None and former.state is State.FIRING
    if former and not was_firing and former.active_at != alert.active_at:
        yield _dropped(former, WhyOver.STARTED_OVER, settings, now)
    if alert.state is State.FIRING and not was_firing:
        yield _entry(alert, What.FIRING, _seen(alert, settings), now)
    elif was_firing and former and (former.severity, former.step) != (alert.severity, alert.step):
        details = Details(severity=alert.severity, step=alert.step, facts=alert.facts)
        yield _entry(alert, What.CHANGED, details, now)


def _ended(alert: Alert, verdict: Verdict, now: datetime) -> Entry:
    reason = _why(verdict, alert.fingerprint)
    what = What.RESOLVED if reason == WhyOver.OVER else What.GONE
    return _entry(alert, what, Details(reason), now)


def _dropped(alert: Alert, reason: WhyOver, settings: SettingsOf, now: datetime) -> Entry:
    """Its row is removed, so the entry is about no episode."""
    seen = Details(
        reason,
        since=alert.active_at,
        severity=alert.severity,
        facts=alert.facts,
        settings=settings(alert.fingerprint.rule),
    )
    return Entry(now, What.DROPPED, alert.fingerprint, details=seen)


def _seen(alert: Alert, settings: SettingsOf) -> Details:
    return Details(
        severity=alert.severity,
        step=alert.step,
        facts=alert.facts,
        settings=settings(alert.fingerprint.rule),
    )


def _entry(alert: Alert, what: What, details: Details, now: datetime) -> Entry:
    return Entry(now, what, alert.fingerprint, alert.active_at, details=details)


def _why(verdict: Verdict, about: Fingerprint) -> WhyOver:
    """Why it is not found any more."""
    if about.rule in verdict.disabled:
        return WhyOver.DISABLED
    return WhyOver.OVER if verdict.absence(about) is Absence.OVER else WhyOver.GONE

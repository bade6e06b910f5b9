"""What silences hide: the critical alerts that speak when they end. Pure."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.muting import Muted, Mutes, Silence, Why
from fluence_watch.model.finding import Severity, shown_account, vm_of
from fluence_watch.model.silenced import Hidden, Silenced


def silenced(mutes: Mutes, alerts: Collection[Alert], now: datetime) -> list[Silenced]:
    """The silences in force, each with what it hides of these alerts, of any account.

    What several silences mute counts for the last of them to end. What is muted by something else
    when that ends does not count.
    """
    active = [each for each in mutes.silences if each.is_active(now)]
    if not active:
        return []
    hidden: dict[str, list[Alert]] = {}
    for silence_id, alert in _hidden(mutes.by_account(alerts), alerts, now):
        hidden.setdefault(silence_id, []).append(alert)
    return [
        _silenced(each, sorted(hidden.get(each.id, ()), key=lambda alert: alert.fingerprint))
        for each in active
    ]


def _hidden(muted: Muted, alerts: Collection[Alert], now: datetime) -> Iterator[tuple[str, Alert]]:
    """The critical alerts, each with the silence that ends last of those that mute it."""
    for alert in alerts:
        if alert.state is not State.FIRING or alert.severity is not Severity.CRITICAL:
            continue
        mute = muted(alert, now)
        if mute is None or mute.why is not Why.SILENCED or mute.until is None:
            continue
        is_over = alert.relevant_until is not None and alert.relevant_until <= mute.until
        if not is_over and muted(alert, mute.until) is None:
            yield mute.by, alert


def _silenced(silence: Silence, hidden: Iterable[Alert]) -> Silenced:
    return Silenced(
        silence.id,
        ",".join(map(str, silence.matchers)),
        silence.starts_at,
        silence.ends_at,
        silence.comment,
        silence.author,
        tuple(map(_named, hidden)),
    )


def _named(alert: Alert) -> Hidden:
    about = alert.fingerprint
    return Hidden(shown_account(about.account), about.rule, vm_of(alert.facts))

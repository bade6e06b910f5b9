"""The log lines of a poll: one for what fires, resolves or fails; an ordinary poll is at debug."""

from collections.abc import Collection, Iterator, Mapping

import structlog

from fluence_watch.alerting.labels import labels
from fluence_watch.alerting.lifecycle import Alert, Alerts, State
from fluence_watch.app.polled import Polled
from fluence_watch.model.snapshot import Snapshot

_log = structlog.get_logger(__name__)
_MOST_REJECTED = 5


def report(polled: Polled, retries: Mapping[str, int], *, changed: bool) -> None:
    """Log the poll.

    `retries` counts retried requests by reason. `changed` is whether the list has another number of
    VMs or rejected elements than the one before, or other things are unknown, or it is the first.
    """
    account, outcome = polled.policy.account, polled.outcome
    facts: dict[str, object] = {
        "account": account,
        "firing": sum(alert.state is State.FIRING for alert in polled.state.alerts.values()),
        "seconds": round(polled.seconds, 3),
    }
    if isinstance(outcome, Snapshot):
        _report_list(account, outcome, facts, changed=changed)
    else:
        _log.warning("poll failed", reason=outcome.reason, error=outcome.message, **facts)
    if retries:
        reasons = ", ".join(f"{reason}: {number}" for reason, number in sorted(retries.items()))
        number = sum(retries.values())
        _log.warning("requests were tried again", account=account, retries=number, reasons=reasons)
    if polled.store_error:
        _log.error(
            "poll not committed: alerts wait until the store can be written",
            account=account,
            error=polled.store_error,
        )
        return
    for alert in fired(polled.before, polled.state.alerts):
        _log.info("alert fires", **_named(alert), since=alert.active_at.isoformat())
    for alert in resolved(polled.before, polled.ended):
        log = _log.debug if alert.quiet else _log.info
        log("alert resolves", **_named(alert), since=alert.active_at.isoformat())


def fired(before: Alerts, after: Alerts) -> Iterator[Alert]:
    """The alerts that fire now and did not before; a later episode is another alert."""
    for fingerprint, alert in after.items():
        earlier = before.get(fingerprint)
        fires_on = earlier is not None and earlier.starts_at == alert.starts_at
        if alert.state is State.FIRING and not fires_on:
            yield alert


def resolved(before: Alerts, ended: Collection[Alert]) -> Iterator[Alert]:
    """The alerts that fired and ended; one that was only pending is left out."""
    for alert in ended:
        earlier = before.get(alert.fingerprint)
        if earlier is not None and earlier.state is State.FIRING:
            yield alert


def _report_list(
    account: str, outcome: Snapshot, facts: Mapping[str, object], *, changed: bool
) -> None:
    loud = _log.warning if outcome.rejected else _log.info
    log = loud if changed else _log.debug
    log("poll", vms=len(outcome.vms), rejected=len(outcome.rejected), **facts)
    for what, why in outcome.unknown.items() if changed else ():
        _log.warning("not known in full", account=account, what=what, why=why)
    for element in outcome.rejected[:_MOST_REJECTED] if changed else ():
        _log.warning(
            "vm cannot be read",
            account=account,
            where=element.where,
            why=element.why,
            vm=element.vm_id,
        )


def _named(alert: Alert) -> dict[str, str]:
    key = {"key": alert.fingerprint.key} if alert.fingerprint.key else {}
    return {**labels(alert), **key}

"""Alerts as Alertmanager's API takes them (`POST /api/v2/alerts`)."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NotRequired, TypedDict

import structlog

from fluence_watch.alerting.attempts import mark
from fluence_watch.alerting.grouping import Message, Rank, compose
from fluence_watch.alerting.labels import labels
from fluence_watch.alerting.lifecycle import Alert, Episode, State
from fluence_watch.alerting.posting import Posting
from fluence_watch.alerting.telling import Line, Reason
from fluence_watch.model.text import inert
from fluence_watch.notify.markup import BodyFormat
from fluence_watch.notify.plain import plain_title
from fluence_watch.notify.render import render, render_plainly

log = structlog.get_logger(__name__)

FORMAT = BodyFormat.TEXT  # Alertmanager hands annotations to chats, and escapes nothing in them
FRESH_FOR = timedelta(minutes=5)
"""How long words are used again. They say how far a deadline is, and take most of a refresh."""
_LONGEST_LABEL = 256
_GONE = "What it was about is gone, or is no longer judged."


class Payload(TypedDict):
    """One alert in JSON. Without times it begins now, and ends after `resolve_timeout`."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    startsAt: NotRequired[str]
    endsAt: NotRequired[str]
    generatorURL: NotRequired[str]


Labels = frozenset[tuple[str, str]]
"""What identifies an alert in Alertmanager."""


def identity(payload: Payload) -> Labels:
    """The labels of an alert, as Alertmanager compares them."""
    return frozenset(payload["labels"].items())


def alert_name(rule: str) -> str:
    """The `alertname`, in the form of the project's rules for Prometheus: `FluenceLowBalance`."""
    return "Fluence" + "".join(part.capitalize() for part in rule.split("_"))


def alert_labels(alert: Alert, extra: Mapping[str, str]) -> dict[str, str]:
    """The labels that identify the alert: no two alerts that fire have the same.

    What is not about a VM has a `subject`. `key` tells alerts of one rule and subject apart.
    """
    about = alert.fingerprint
    found = dict(labels(alert))
    if "vm_id" not in found:
        found["subject"] = about.subject
    known = {"alertname": alert_name(about.rule), **found, "key": about.key}
    clean = {name: inert(value, _LONGEST_LABEL) for name, value in known.items()}
    return {**extra, **{name: value for name, value in clean.items() if value}}


@dataclass(frozen=True, slots=True)
class _Made:
    posting: Posting
    at: datetime
    payload: Payload


@dataclass(slots=True)
class Payloads:
    """The payloads of one receiver's alerts, rendered once for all members of its cluster.

    `extra` are labels that all alerts have. `broken` is called when one cannot be rendered. `base` is
    the address of fluence-watch, which has a page for each alert, or empty.
    """

    receiver: str
    ranks: Mapping[str, Rank]
    extra: Mapping[str, str]
    broken: Callable[[], None]
    base: str = ""
    _made: dict[Episode, _Made] = field(default_factory=dict)

    def of(self, postings: Sequence[Posting], now: datetime) -> list[Payload]:
        """The payload of each; one that was made just before is used again."""
        return [self._of(each, now) for each in postings]

    def keep_only(self, episodes: Collection[Episode]) -> None:
        """Forget the others."""
        for episode in self._made.keys() - set(episodes):
            self._made.pop(episode, None)

    def _of(self, posting: Posting, now: datetime) -> Payload:
        made = self._made.get(posting.episode)
        if made is None or not _is_fresh(made, posting, now):
            made = _Made(posting, now, self._rendered(posting, now))
            self._made[posting.episode] = made
        return made.payload

    def _rendered(self, posting: Posting, now: datetime) -> Payload:
        summary, description = self._words(posting, now)
        payload: Payload = {
            "labels": alert_labels(posting.alert, self.extra),
            "annotations": {"summary": summary, "description": description},
            "startsAt": min(posting.starts_at, posting.ends_at).isoformat(),
            "endsAt": posting.ends_at.isoformat(),
        }
        if self.base:
            payload["generatorURL"] = f"{self.base}/alerts/{mark(posting.episode)}"
        return payload

    def _words(self, posting: Posting, now: datetime) -> tuple[str, str]:
        message = self._message(posting)
        if posting.over and (posting.alert.quiet or posting.alert.state is not State.RESOLVED):
            return plain_title(message), _GONE
        try:
            rendered = render(message, FORMAT, now)
        except Exception:
            log.exception("internal error, please report it", receiver=self.receiver)
            self.broken()
            rendered = render_plainly(message, FORMAT)
        return rendered.title, rendered.body

    def _message(self, posting: Posting) -> Message:
        reason = Reason.RESOLVED if posting.over else Reason.FIRST
        line = Line(posting.alert, reason, posting.starts_at)
        return compose(self.receiver, posting.alert.fingerprint.account, [line], self.ranks)


def _is_fresh(made: _Made, posting: Posting, now: datetime) -> bool:
    same = made.posting.alert is posting.alert and made.posting.over == posting.over
    return same and abs(now - made.at) < FRESH_FOR

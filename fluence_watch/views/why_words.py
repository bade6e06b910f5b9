"""The journal in plain words. Pure; the caller passes a function that renders facts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from fluence_watch.alerting.journal import Details, Entry, What, WhyNot, WhyOver
from fluence_watch.alerting.lifecycle import Alert
from fluence_watch.alerting.muting import Silence, Why
from fluence_watch.alerting.telling import Reason
from fluence_watch.model.duration import rough
from fluence_watch.model.finding import VmRef
from fluence_watch.model.moment import distance, exact
from fluence_watch.model.text import counted, inert
from fluence_watch.views.alert import Brief
from fluence_watch.views.why import Step
from fluence_watch.views.why_folded import Run, polled
from fluence_watch.views.why_others import LONGEST, other, rule_of
from fluence_watch.views.why_unwritten import WORDS as UNWRITTEN

_REASONS: Mapping[str, str] = {
    Reason.FIRST: "it fires",
    Reason.ESCALATED: "escalated from {by}",
    Reason.WORSE: "it is worse",
    Reason.REPEAT: "repeated",
    Reason.RESOLVED: "it is over",
    Reason.MISSED: "it began and ended meanwhile",
}
_ROUTE: Mapping[str, str] = {
    WhyNot.MIN_SEVERITY: "its route takes severity {by} and worse only",
    WhyNot.RULES: "its route takes rules {by} only",
    WhyNot.ACCOUNTS: "its route takes accounts {by} only",
    WhyNot.MATCH: "its route takes {by} only",
    WhyNot.ABOUT_ITSELF: "the alert is about this receiver itself",
}
_WHY: Mapping[str, str] = {
    Why.SILENCED: "silenced by {by}",
    Why.MAINTENANCE: "maintenance {by}",
    Why.INHIBITED: "muted by {by}",
    Why.ACKNOWLEDGED: "acknowledged by {by}",
    Why.INACTIVE: "outside its active times",
    WhyNot.GROUPING: "more may come into the same message",
    WhyNot.ESCALATE_AFTER: "it is escalated from {by} if nobody acknowledges it",
    WhyNot.SEND_RESOLVED: "send_resolved = false",
    WhyNot.QUIET: "its end is not announced",
    WhyNot.ADDED_LATER: "it ended before the receiver was added",
    WhyNot.GIVE_UP_AFTER: "it was over for longer than give_up_after",
    WhyNot.SUPERSEDED: "the same problem fires again",
    **_ROUTE,
    **UNWRITTEN,
}
_NOTHING: Mapping[str, str] = {
    WhyNot.RULES: "its route takes no rules, only what is escalated to it",
    WhyNot.ACCOUNTS: "its route takes no accounts",
}
_COUNTED = frozenset({What.POLLED, What.DROPPED})
"""What `number` says of: how often."""
_NOT_ESCALATED = "it was over, or past its deadline, before it was escalated from {by}"
_ENDED = {
    WhyOver.OVER: "is over",
    WhyOver.GONE: "over without a message: what it is about is gone",
    WhyOver.DISABLED: "over without a message: the rule is disabled",
}
_DROPPED = {
    WhyOver.OVER: "it was over before its `for`",
    WhyOver.GONE: "what it is about is gone",
    WhyOver.DISABLED: "the rule is disabled",
    WhyOver.STARTED_OVER: "polls were missing for too long, so it began anew",
}


@dataclass(frozen=True, slots=True)
class Words:
    """What words need: now, how facts are rendered, the stored silences by id, other VMs by key."""

    now: datetime
    brief: Brief
    silences: Mapping[str, Silence] = field(default_factory=dict)
    vms: Mapping[str, VmRef] = field(default_factory=dict)

    def steps(
        self, entries: Sequence[Entry], alert: Alert | None = None, most: int | None = None
    ) -> list[Step]:
        """The newest entries in words, oldest first. `alert` is what they are about, if it is stored."""
        first = 0 if most is None else len(entries) - most
        notified, found = set[str | None](), list[Step]()
        for number, entry in enumerate(entries):
            if number >= first:
                found.append(self.step(entry, alert, notified=entry.receiver in notified))
            if entry.what is What.SENT:
                notified.add(entry.receiver)
        return found

    def step(self, entry: Entry, alert: Alert | None = None, *, notified: bool = False) -> Step:
        """An entry in words. `notified` is whether its receiver was notified before."""
        details = entry.details
        words = self.told(entry.what, details, notified=notified)
        if not words:
            words = _OF[entry.what](entry, self, alert)
        who = f"{inert(entry.receiver, LONGEST)}: " if entry.receiver else ""
        return Step(
            entry.at,
            entry.what,
            entry.receiver,
            details.reason,
            details.by,
            details.until,
            who + words,
            details.first_at or details.since,
            details.number or 1 if entry.what in _COUNTED else 1,
            entry.reasons if isinstance(entry, Run) else None,
        )

    def told(self, what: What, details: Details, *, notified: bool) -> str:
        """What a receiver got of an alert, or why not; `""` if it is about something else."""
        form, why = _TOLD.get(what, ("", "")), ""
        if what in {What.WAITS, What.SKIPPED, What.NEVER}:
            why = self.why(details, ended=what is What.NEVER)
        elif what is What.DUE:
            why = because(details)
        elif what in _TOLD:
            why = inert(details.text, LONGEST)
        return form[notified].format(why)

    def why(self, details: Details, *, ended: bool = False) -> str:
        """Why there is no message, or not yet."""
        form = _WHY.get(details.reason, details.reason)
        if not details.by:
            form = _NOTHING.get(details.reason, form)
        if ended and details.reason == WhyNot.ESCALATE_AFTER:
            form = _NOT_ESCALATED
        by = inert(details.by, LONGEST)
        if details.reason == Why.INHIBITED:
            by = other(details.by, self.vms)
        words = form.format(by=by or "somebody")
        words += self._comment(details)
        if ended and details.reason in set(Why):
            return f"{words} until it was over"
        before = " by" if details.reason == WhyNot.ESCALATE_AFTER else ", until"
        return f"{words}{before} {self.when(details.until)}" if details.until else words

    def when(self, at: datetime) -> str:
        """A time, with its distance if it is yet to come."""
        ahead = f" ({distance(at, self.now)})" if at > self.now else ""
        return f"{exact(at, self.now)}{ahead}"

    def facts(self, details: Details, at: datetime) -> str:
        """What the rule saw, in the words of that time."""
        return "" if details.facts is None else self.brief(details.facts, at)

    def _comment(self, details: Details) -> str:
        if details.reason not in {Why.SILENCED, Why.ACKNOWLEDGED}:
            return ""
        comment = f" “{inert(details.text, LONGEST)}”" if details.text else ""
        silence = self.silences.get(details.by)
        author = f" by {inert(silence.author, LONGEST)}" if silence and silence.author else ""
        return comment + author


_TOLD: Mapping[What, tuple[str, str]] = {
    What.WAITS: ("waits: {}", "update held back: {}"),
    What.SKIPPED: ("not notified: {}", "no update: {}"),
    What.NEVER: ("not notified: {}", "no resolved message: {}"),
    What.DUE: ("due: {}", "update due: {}"),
    What.REFUSED: ("refused, retrying: {}", "update refused, retrying: {}"),
    What.GIVEN_UP: ("refused for good: {}", "update refused for good: {}"),
}
"""What is said of a receiver that was never notified, and of one that was."""
_Say = Callable[[Entry, Words, Alert | None], str]


def because(details: Details) -> str:
    """Why there is a message."""
    form = _REASONS.get(details.reason, details.reason)
    return form.format(by=inert(details.by, LONGEST))


def _firing(entry: Entry, words: Words, _: Alert | None) -> str:
    details = entry.details
    lasted = entry.at - (entry.active_at or entry.at)
    seen = f"; pending for {rough(lasted)}" if lasted else ""
    severity = f" ({details.severity})" if details.severity else ""
    return f"fires{severity}: {words.facts(details, entry.at)}{_against(details)}{seen}"


def _against(details: Details) -> str:
    listed = ", ".join(f"{name} = {value}" for name, value in details.settings.items())
    return f"; settings: {inert(listed, LONGEST)}" if listed else ""


def _changed(entry: Entry, words: Words, _: Alert | None) -> str:
    return f"is {entry.details.severity} now: {words.facts(entry.details, entry.at)}"


def _resolved(entry: Entry, _: Words, alert: Alert | None) -> str:
    if alert is None or alert.starts_at is None:
        return "is over"
    return f"is over; it fired for {rough(entry.at - alert.starts_at)}"


def _gone(entry: Entry, _: Words, __: Alert | None) -> str:
    return _ENDED[WhyOver(entry.details.reason)]


def _dropped(entry: Entry, words: Words, _: Alert | None) -> str:
    details, rule = entry.details, entry.about.rule if entry.about else ""
    lasted = entry.at - (details.since or entry.at)
    why = _DROPPED[WhyOver(details.reason)]
    seen = f"{words.facts(details, entry.at)}{_against(details)}"
    often = ""
    if details.number and details.first_at:
        often = f"; the latest of {details.number} times since {exact(details.first_at, words.now)}"
    return f"{rule} was seen for {rough(lasted)} and did not fire, {why}: {seen}{often}"


def _muted(entry: Entry, _: Words, __: Alert | None) -> str:
    rule = entry.about.rule if entry.about else ""
    return f"{rule} is muted: {rule_of(entry.details.by)} says more"


def _unmuted(entry: Entry, _: Words, __: Alert | None) -> str:
    return f"{entry.about.rule if entry.about else ''} is not muted any more"


def _acknowledged(entry: Entry, words: Words, _: Alert | None) -> str:
    details = entry.details
    until = f" until {exact(details.until, words.now)}" if details.until else ""
    by = f" by {inert(details.by, LONGEST)}" if details.by else ""
    return f"acknowledged{by}{until}{f': {_text(entry)}' if details.text else ''}"


def _poll_failed(entry: Entry, _: Words, __: Alert | None) -> str:
    return f"polls fail ({entry.details.reason}), so nothing is judged: {_text(entry)}"


def _incomplete(entry: Entry, _: Words, __: Alert | None) -> str:
    return f"the list of VMs is not complete, so nobody is missing: {_text(entry)}"


def _guarded(entry: Entry, words: Words, _: Alert | None) -> str:
    details = entry.details
    left = f"{details.number} of {counted(details.among or 0, 'VM')} left the list at once"
    until = f" until {words.when(details.until)}" if details.until else ""
    return f"{left}: the list is not trusted{until}"


def _unreadable(entry: Entry, _: Words, __: Alert | None) -> str:
    one = entry.about is not None and bool(entry.about.subject)
    return f"{'the VM' if one else 'none of the VMs'} can{'not' if one else ''} be read"


def _sent(entry: Entry, _: Words, __: Alert | None) -> str:
    details = entry.details
    tries = f", at attempt {details.number}" if details.number and details.number > 1 else ""
    return f"notified: {because(details)}{tries}"


def _failing(entry: Entry, _: Words, __: Alert | None) -> str:
    return f"accepts nothing: {_text(entry)}"


def _works(entry: Entry, _: Words, __: Alert | None) -> str:
    since, number = entry.details.since, entry.details.number
    after = f", after {rough(entry.at - since)}" if since else ""
    return f"accepts again{after}, at attempt {number}"


def _text(entry: Entry) -> str:
    return inert(entry.details.text, LONGEST)


def _plainly(text: str) -> _Say:
    return lambda *_: text


_OF: Mapping[What, _Say] = {
    What.FIRING: _firing,
    What.CHANGED: _changed,
    What.RESOLVED: _resolved,
    What.GONE: _gone,
    What.DROPPED: _dropped,
    What.MUTED: _muted,
    What.UNMUTED: _unmuted,
    What.ACKNOWLEDGED: _acknowledged,
    What.UNACKNOWLEDGED: _plainly("not acknowledged any more"),
    What.POLL_FAILED: _poll_failed,
    What.POLLED: lambda entry, words, _: polled(entry, words.now),
    What.INCOMPLETE: _incomplete,
    What.COMPLETE: _plainly("the list of VMs is complete again"),
    What.GUARDED: _guarded,
    What.UNGUARDED: _plainly("the list is trusted again"),
    What.UNREADABLE: _unreadable,
    What.READABLE: _plainly("VMs can be read again"),
    What.SENT: _sent,
    What.FAILING: _failing,
    What.WORKS: _works,
}

"""What lasts beside the alerts of an account: what a poll writes into the journal of it. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from fluence_watch.alerting.journal import Details, Entry, What
from fluence_watch.model.finding import Fingerprint, Verdict
from fluence_watch.model.presence import Presence
from fluence_watch.model.snapshot import Outcome, Snapshot

Pair = tuple[str, str]
"""A rule and a subject."""

_FLEET_LEFT = "fleet_left"
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Conditions:
    """What lasts after a poll.

    `failing` is the reason of polls that fail, since `failing_since`. `incomplete` is why the list is
    not complete. `guarded` are the subjects of doubts. `muted` are findings that another one mutes.
    """

    failing: str = ""
    failing_since: datetime | None = None
    incomplete: str = ""
    guarded: frozenset[str] = frozenset()
    muted: Mapping[Pair, Fingerprint] = field(default_factory=dict)


def conditions_after(
    before: Conditions, outcome: Outcome, presence: Presence, verdict: Verdict
) -> Conditions:
    """The conditions after a poll. One that failed changes only that polls fail."""
    if not isinstance(outcome, Snapshot):
        since = before.failing_since or outcome.taken_at
        return replace(before, failing=outcome.reason, failing_since=since)
    return Conditions(
        incomplete=outcome.incomplete_because or "",
        guarded=frozenset(doubt.subject for doubt in presence.doubts),
        muted=verdict.muted,
    )


def entries_of(
    account: str, before: Conditions, after: Conditions, outcome: Outcome, presence: Presence
) -> Sequence[Entry]:
    """What begins, changes and ends with a poll."""
    if before == after:
        return ()
    at, text = outcome.taken_at, "" if isinstance(outcome, Snapshot) else outcome.message
    return [
        *_of_failing(account, before, after, at, text),
        *_of_list(account, before, after, at),
        *_of_guard(account, before, after, presence, at),
        *_of_muted(account, before.muted, after.muted, at),
    ]


def _of_failing(
    account: str, before: Conditions, after: Conditions, at: datetime, text: str
) -> Iterator[Entry]:
    about = Fingerprint(account, "")
    if after.failing and after.failing != before.failing:
        details = Details(after.failing, text=text[:_LONGEST], since=after.failing_since)
        yield Entry(at, What.POLL_FAILED, about, details=details)
    if before.failing and not after.failing:
        details = Details(before.failing, since=before.failing_since)
        yield Entry(at, What.POLLED, about, details=details)


def _of_list(account: str, before: Conditions, after: Conditions, at: datetime) -> Iterator[Entry]:
    if bool(before.incomplete) is not bool(after.incomplete):
        what = What.INCOMPLETE if after.incomplete else What.COMPLETE
        details = Details(text=after.incomplete[:_LONGEST])
        yield Entry(at, what, Fingerprint(account, ""), details=details)


def _of_guard(
    account: str, before: Conditions, after: Conditions, presence: Presence, at: datetime
) -> Iterator[Entry]:
    if before.guarded == after.guarded:
        return
    doubts = {doubt.subject: doubt for doubt in presence.doubts}
    for subject in doubts.keys() - before.guarded:
        doubt = doubts[subject]
        details = Details(
            _FLEET_LEFT,
            since=doubt.since,
            until=doubt.until,
            number=len(doubt.vms),
            among=doubt.among,
        )
        yield Entry(at, What.GUARDED, Fingerprint(account, "", subject), details=details)
    for subject in before.guarded - doubts.keys():
        yield Entry(at, What.UNGUARDED, Fingerprint(account, "", subject))


def _of_muted(
    account: str,
    before: Mapping[Pair, Fingerprint],
    after: Mapping[Pair, Fingerprint],
    at: datetime,
) -> Iterator[Entry]:
    if before == after:
        return
    for pair, by in after.items():
        if before.get(pair) != by:
            details = Details(by.rule, by.words)
            yield Entry(at, What.MUTED, Fingerprint(account, *pair), details=details)
    for pair in before.keys() - after.keys():
        yield Entry(at, What.UNMUTED, Fingerprint(account, *pair))


def conditions_in(entries: Iterable[Entry]) -> Conditions:
    """The conditions that these entries of one account, oldest first, leave."""
    lasting: dict[tuple[What, Fingerprint], Details] = {}
    for entry in entries:
        assert entry.about
        if entry.what in _END_OF:
            lasting.pop((_END_OF[entry.what], entry.about), None)
        else:
            lasting[entry.what, entry.about] = entry.details
    found = Conditions(
        guarded=frozenset(about.subject for what, about in lasting if what is What.GUARDED),
        muted={
            (about.rule, about.subject): _muter(about, details)
            for (what, about), details in lasting.items()
            if what is What.MUTED
        },
    )
    for (what, _), details in lasting.items():
        if what is What.POLL_FAILED:
            found = replace(found, failing=details.reason, failing_since=details.since)
        elif what is What.INCOMPLETE:
            found = replace(found, incomplete=details.text)
    return found


_END_OF = {
    What.POLLED: What.POLL_FAILED,
    What.COMPLETE: What.INCOMPLETE,
    What.UNGUARDED: What.GUARDED,
    What.UNMUTED: What.MUTED,
}


def _muter(about: Fingerprint, details: Details) -> Fingerprint:
    """What mutes it: a finding about the same subject. Its key, if any, ends its words."""
    muter = Fingerprint(about.account, details.reason, about.subject)
    return muter._replace(key=details.by.removeprefix(muter.words).strip())

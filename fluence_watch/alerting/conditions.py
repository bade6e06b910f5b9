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

END_OF = {
    What.POLLED: What.POLL_FAILED,
    What.COMPLETE: What.INCOMPLETE,
    What.UNGUARDED: What.GUARDED,
    What.UNMUTED: What.MUTED,
    What.READABLE: What.UNREADABLE,
}
"""What each of these entries ends. An entry that is not ended lasts."""

EVERY_VM = ""
"""The key of all VMs in `Conditions.unread`, if none of them can be read."""

_NAMELESS = "something in it cannot be read, and has no id"
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Conditions:
    """What lasts after a poll.

    `failing` is the reason of polls that fail, since `failing_since`. `incomplete` is why the list is
    not complete. `unread` are the keys of VMs that are listed and cannot be read, or `EVERY_VM` alone.
    `guarded` are the subjects of doubts. `muted` are findings, each with the words of the one that
    mutes it.
    """

    failing: str = ""
    failing_since: datetime | None = None
    incomplete: str = ""
    guarded: frozenset[str] = frozenset()
    muted: Mapping[Pair, str] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()


def conditions_after(
    before: Conditions, outcome: Outcome, presence: Presence, verdict: Verdict
) -> Conditions:
    """The conditions after a poll. One that failed changes only that polls fail."""
    if not isinstance(outcome, Snapshot):
        since = before.failing_since or outcome.taken_at
        return replace(before, failing=outcome.reason, failing_since=since)
    return Conditions(
        incomplete=outcome.incomplete_because or ("" if outcome.complete else _NAMELESS),
        guarded=frozenset(doubt.subject for doubt in presence.doubts),
        muted={pair: by.words for pair, by in verdict.muted.items()},
        unread=frozenset({EVERY_VM}) if outcome.unreadable else outcome.unread,
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
        *_of_unread(account, before.unread, after.unread, at),
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
            since=doubt.since,
            until=doubt.until,
            number=len(doubt.vms),
            among=doubt.among,
        )
        yield Entry(at, What.GUARDED, Fingerprint(account, "", subject), details=details)
    for subject in before.guarded - doubts.keys():
        yield Entry(at, What.UNGUARDED, Fingerprint(account, "", subject))


def _of_unread(
    account: str, before: frozenset[str], after: frozenset[str], at: datetime
) -> Iterator[Entry]:
    for what, keys in ((What.UNREADABLE, after - before), (What.READABLE, before - after)):
        for key in sorted(keys):
            yield Entry(at, what, Fingerprint(account, "", key))


def _of_muted(
    account: str,
    before: Mapping[Pair, str],
    after: Mapping[Pair, str],
    at: datetime,
) -> Iterator[Entry]:
    if before == after:
        return
    for pair, by in after.items():
        if before.get(pair) != by:
            about = Fingerprint(account, *pair)
            yield Entry(at, What.MUTED, about, details=Details(by=by))
    for pair in before.keys() - after.keys():
        yield Entry(at, What.UNMUTED, Fingerprint(account, *pair))


def conditions_in(entries: Iterable[Entry]) -> Conditions:
    """The conditions that these entries of one account, oldest first, leave."""
    lasting: dict[tuple[What, Fingerprint], Details] = {}
    for entry in entries:
        assert entry.about
        if entry.what in END_OF:
            lasting.pop((END_OF[entry.what], entry.about), None)
        else:
            lasting[entry.what, entry.about] = entry.details
    found = Conditions(
        guarded=frozenset(about.subject for what, about in lasting if what is What.GUARDED),
        muted={
            (about.rule, about.subject): details.by
            for (what, about), details in lasting.items()
            if what is What.MUTED
        },
        unread=frozenset(about.subject for what, about in lasting if what is What.UNREADABLE),
    )
    for (what, _), details in lasting.items():
        if what is What.POLL_FAILED:
            found = replace(found, failing=details.reason, failing_since=details.since)
        elif what is What.INCOMPLETE:
            found = replace(found, incomplete=details.text)
    return found

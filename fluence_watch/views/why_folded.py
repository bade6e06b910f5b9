"""Runs of polls that fail and work again, told as one: an account that flaps fills no page. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby

from fluence_watch.alerting.journal import Entry, What
from fluence_watch.model.duration import rough
from fluence_watch.model.moment import span
from fluence_watch.model.text import inert
from fluence_watch.views.why_others import LONGEST

_POLLS = frozenset({What.POLL_FAILED, What.POLLED})


def folded(entries: Iterable[Entry]) -> list[Entry]:
    """These entries of one account, oldest first; polls that failed and worked again twice or more in a row are one.

    It is the last `polled`, with the `number` of times, `since` the first of them failed, and the
    reason and the text of the last that did.
    """
    found: list[Entry] = []
    for are_polls, group in groupby(entries, lambda each: each.what in _POLLS):
        run = [*group]
        found += _folded(run) if are_polls else run
    return found


def _folded(polls: Sequence[Entry]) -> Sequence[Entry]:
    """A run without its beginning and end, where half of a failure may be missing, as one."""
    fails = [number for number, each in enumerate(polls) if each.what is What.POLL_FAILED]
    ends = [number for number, each in enumerate(polls) if each.what is What.POLLED]
    times = sum(each > fails[0] for each in ends) if fails else 0
    if times < 2:  # noqa: PLR2004 - one is told as it is
        return polls
    failed = polls[max(each for each in fails if each < ends[-1])].details
    details = replace(failed, since=polls[fails[0]].at, number=times)
    return [*polls[: fails[0]], replace(polls[ends[-1]], details=details), *polls[ends[-1] + 1 :]]


def polled(entry: Entry, now: datetime) -> str:
    """The end of a failure in words, or of many."""
    details = entry.details
    if not details.since:
        return "polls succeed again"
    if not details.number:
        return f"polls succeed again, after {rough(entry.at - details.since)}"
    often = f"{details.number} times from {span(details.since, entry.at, now)}"
    last = f"the last time ({details.reason}): {inert(details.text, LONGEST)}"
    return f"polls failed and succeeded again, {often}; {last}"

"""Runs of polls that fail and work again, told as one: an account that flaps fills no page. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby

from fluence_watch.alerting.journal import Entry, What
from fluence_watch.model.duration import rough
from fluence_watch.model.moment import span
from fluence_watch.model.text import inert
from fluence_watch.views.why_others import LONGEST

_POLLS = frozenset({What.POLL_FAILED, What.POLLED})


@dataclass(frozen=True, slots=True)
class Run(Entry):
    """Polls that failed and worked again several times in a row: the last `polled`.

    Its details have the `number` of times, `since` the first of them failed, and the reason and the
    text of the last that did. `reasons` says how often polls began to fail for each reason, the most
    frequent first.
    """

    reasons: Mapping[str, int] = field(default_factory=dict)


def folded(entries: Iterable[Entry]) -> list[Entry]:
    """These entries of one account, oldest first; polls that failed and worked again twice or more in a row are a run."""
    found: list[Entry] = []
    for are_polls, group in groupby(entries, lambda each: each.what in _POLLS):
        polls = [*group]
        found += _folded(polls) if are_polls else polls
    return found


def _folded(polls: Sequence[Entry]) -> Sequence[Entry]:
    """A run without its beginning and end, where half of a failure may be missing, as one."""
    fails = [number for number, each in enumerate(polls) if each.what is What.POLL_FAILED]
    ends = [number for number, each in enumerate(polls) if each.what is What.POLLED]
    times = sum(each > fails[0] for each in ends) if fails else 0
    if times < 2:  # noqa: PLR2004 - one is told as it is
        return polls
    first, last = fails[0], ends[-1]
    return [*polls[:first], _run(polls[first : last + 1], times), *polls[last + 1 :]]


def _run(polls: Sequence[Entry], times: int) -> Run:
    failed = [each.details for each in polls if each.what is What.POLL_FAILED]
    reasons = Counter(each.reason for each in failed).most_common()
    details = replace(failed[-1], since=polls[0].at, number=times)
    end = polls[-1]
    return Run(end.at, end.what, end.about, details=details, reasons=dict(reasons))


def polled(entry: Entry, now: datetime) -> str:
    """The end of a failure in words, or of many."""
    if isinstance(entry, Run):
        return _of_run(entry, now)
    since = entry.details.since
    return (
        f"polls succeed again, after {rough(entry.at - since)}" if since else "polls succeed again"
    )


def _of_run(run: Run, now: datetime) -> str:
    details, reasons = run.details, ""
    if len(run.reasons) > 1:
        reasons = f" ({', '.join(f'{why} {_often(n)}' for why, n in run.reasons.items())})"
    begin = details.since or run.at
    often = f"{_often(details.number or 1)} from {span(begin, run.at, now)}{reasons}"
    last = f"the last time ({details.reason}): {inert(details.text, LONGEST)}"
    return f"polls failed and succeeded again, {often}; {last}"


def _often(number: int) -> str:
    return "once" if number == 1 else f"{number} times"

"""The lines of a record: what a poll saw, as the difference to the one before.

The first line of a file is whole: it has `first`, and differs from nothing. In each later one, `+` is
how many microseconds after the line before it the poll was, and everything else is left out if it is
as before. So a poll that saw nothing new is `{"+":60000000}`.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from fluence_watch.model.note import Note
from fluence_watch.model.resource import Resource
from fluence_watch.model.snapshot import Outcome, PollFailure, Snapshot
from fluence_watch.model.vm import Vm
from fluence_watch.record.differences import all_applied, applied, difference, differences
from fluence_watch.record.plain import Rest, rest_of, with_rest
from fluence_watch.store.codec import Loader, dump

_FORMAT = 1
_TICK = timedelta(microseconds=1)


class First(msgspec.Struct):
    """The head of a file: its format, whose it is, and when its first poll was."""

    format: int
    account: str
    at: datetime


class Failed(NamedTuple):
    """Why a poll failed."""

    reason: str
    message: str


class Line(msgspec.Struct, omit_defaults=True, rename={"after": "+"}):
    """One poll. What holds of a later one if a poll failed is what the last good one saw."""

    first: First | None = None
    after: int = 0
    failed: Failed | None = None
    vms: Mapping[str, Mapping[str, Any] | None] = {}
    resources: Mapping[str, Mapping[str, Any] | None] = {}
    rest: Mapping[str, Any] = {}
    notes: tuple[Note, ...] | None = None


class Seen(NamedTuple):
    """What a poll saw, and what users had done until then.

    `is_same` is whether it is all as in the poll before, which succeeded, but for the time.
    """

    outcome: Outcome
    notes: tuple[Note, ...] = ()
    is_same: bool = False


class Tail(NamedTuple):
    """What the next line differs from: the time and the notes of the last poll, and the last good snapshot."""

    account: str
    at: datetime
    good: Snapshot | None = None
    notes: tuple[Note, ...] = ()
    has_failed: bool = False


_load = Loader(Line)


def encode(tail: Tail | None, seen: Seen) -> tuple[str, Tail]:
    """The line of a poll, whole if it is the first, and what the next one differs from."""
    outcome, now = seen.outcome, seen.outcome.taken_at
    line = Line()
    if tail is None:
        line.first = First(_FORMAT, outcome.account, now)
        tail = Tail(outcome.account, now)
    line.after = (now - tail.at) // _TICK
    if seen.notes != tail.notes:
        line.notes = seen.notes
    if isinstance(outcome, PollFailure):
        line.failed = Failed(outcome.reason, outcome.message)
        return dump(line), tail._replace(at=now, notes=seen.notes, has_failed=True)
    before = tail.good
    line.vms = differences(before.vms if before else {}, outcome.vms)
    line.resources = differences(before.resources if before else {}, outcome.resources)
    line.rest = difference(rest_of(before) if before else None, rest_of(outcome))
    return dump(line), Tail(tail.account, now, outcome, seen.notes)


def decode(tail: Tail | None, text: str) -> tuple[Seen, Tail]:
    """What the poll of a line saw, and what the next line differs from.

    Raises:
        ValueError: it is no such line, or of a later format.
    """
    line = _load(text)
    tail = _begun(tail, line.first)
    now = tail.at + line.after * _TICK
    notes = tail.notes if line.notes is None else line.notes
    if line.failed is not None:
        failure = PollFailure(tail.account, now, line.failed.reason, line.failed.message)
        return Seen(failure, notes), tail._replace(at=now, notes=notes, has_failed=True)
    good = _seen(tail.good or Snapshot(tail.account, now, {}), line, now)
    is_same = not (tail.has_failed or line.first or _is_news(line))
    return Seen(good, notes, is_same), Tail(tail.account, now, good, notes)


def _begun(tail: Tail | None, first: First | None) -> Tail:
    if first is not None:
        if first.format > _FORMAT:
            raise ValueError("a later version of fluence-watch wrote it")
        if first.at.tzinfo is None:
            raise ValueError("the time of its first poll has no zone")
        return Tail(first.account, first.at)
    if tail is None:
        raise ValueError("its first poll is not whole")
    return tail


def _is_news(line: Line) -> bool:
    return bool(line.vms or line.resources or line.rest or line.notes is not None)


def _seen(before: Snapshot, line: Line, now: datetime) -> Snapshot:
    vms = all_applied(before.vms, line.vms, Vm)
    resources = all_applied(before.resources, line.resources, Resource)
    after = replace(before, taken_at=now, vms=vms, resources=resources)
    return with_rest(after, applied(rest_of(before), line.rest, Rest)) if line.rest else after

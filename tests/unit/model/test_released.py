"""What returns to the account with VMs that the user deleted: each reserve once, and back with its VM."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.model.accounting import Seen, book_poll
from fluence_watch.model.billing import EPOCHS
from fluence_watch.model.known import Cause, KnownVm, track
from fluence_watch.model.ledger import Certainty, Entry, EntryKind
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.snapshot import build_snapshot
from fluence_watch.model.vm import Vm

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RESERVE = 359_440
LISTED, GONE = True, False


def polls(web: Vm, entry: KnownVm, *steps: tuple[bool, Cause | None]) -> list[Entry]:
    """The entries of polls with and without the VM, each with the cause that is settled then."""
    known: Mapping[str, KnownVm] = {web.key: entry}
    found: list[Entry] = []
    for number, (is_listed, cause) in enumerate(steps, 1):
        now = NOW + number * MINUTE
        snapshot = build_snapshot("main", now, [web] if is_listed else [])
        after = track(known, snapshot, now - MINUTE, timedelta(minutes=2))
        if cause and web.key in after:
            after[web.key] = replace(after[web.key], cause=cause)
        seen = (Seen(known, {}, now - MINUTE, None), Seen(after, {}, now, None))
        found += book_poll(*seen, snapshot, EPOCHS)[0].entries
        known = after
    return found


def moves(entries: list[Entry]) -> list[tuple[EntryKind, int, int]]:
    """Kind, amount and the minute to which each entry belongs, without openings."""
    assert all(each.certainty is Certainty.SPREAD for each in entries)
    minutes = [(each, (each.at - NOW) // MINUTE) for each in entries]
    return [(e.kind, e.amount, at) for e, at in minutes if e.kind is not EntryKind.OPENING]


RELEASE, TOP_UP = EntryKind.RELEASE, EntryKind.TOP_UP
USER, UNKNOWN = Cause.USER, Cause.UNKNOWN


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([(LISTED, None)], []),
        ([(GONE, None)] * 5, []),
        ([(GONE, UNKNOWN)] * 5, []),
        ([(GONE, USER)], [(RELEASE, RESERVE, 1)]),
        ([(GONE, None), (GONE, USER), (GONE, USER)], [(RELEASE, RESERVE, 1)]),
        ([(GONE, USER)] * 6, [(RELEASE, RESERVE, 1)]),
        ([(GONE, USER), (LISTED, None)], [(RELEASE, RESERVE, 1), (TOP_UP, RESERVE, 2)]),
        (
            [(GONE, USER), (LISTED, None), (GONE, USER)],
            [(RELEASE, RESERVE, 1), (TOP_UP, RESERVE, 2), (RELEASE, RESERVE, 3)],
        ),
    ],
)
def test_a_vm_that_goes_missing(
    web: Vm, steps: list[tuple[bool, Cause | None]], expected: list[tuple[EntryKind, int, int]]
) -> None:
    """Its reserve returns once, when a refund shows that the user deleted it."""
    assert expected == moves(polls(web, KnownVm(web, NOW), *steps))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [(RELEASE, RESERVE, 1)]),
        ({"missing_since": NOW, "cause": UNKNOWN}, [(RELEASE, RESERVE, 0)]),
        ({"missing_since": NOW, "cause": USER}, []),
    ],
)
def test_a_vm_that_was_asked_to_go(
    web: Vm, changes: dict, expected: list[tuple[EntryKind, int, int]]
) -> None:
    """It is forgotten at once, and its reserve returned, unless that is booked already."""
    asked = KnownVm(web, NOW, removal_asked_at=NOW, **changes)
    assert expected == moves(polls(web, asked, (GONE, None), (GONE, None), (LISTED, None)))


def test_the_last_known_reserve_counts(web: Vm) -> None:
    """If it is unknown when the VM goes; nothing is booked of one that never was known, or is empty."""
    unknown = replace(web, reserved=None)
    asked = KnownVm(unknown, NOW, removal_asked_at=NOW)
    assert [(RELEASE, RESERVE, 1)] == moves(
        polls(web, replace(asked, remembered=web), (GONE, None))
    )
    assert [] == moves(polls(web, asked, (GONE, None)))
    empty = replace(web, reserved=MicroUsdc(0))
    assert [] == moves(polls(web, replace(asked, vm=empty), (GONE, None)))

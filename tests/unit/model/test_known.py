from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.known import Cause, KnownVm, track
from fluence_watch.model.ports import SSH, port
from fluence_watch.model.snapshot import Rejected, Snapshot, build_snapshot
from fluence_watch.model.vm import Status, Vm

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)
IDS = ("0xa", "0xb", "0xc", "0xd")


class Poll(NamedTuple):
    """A list: the ids in it, those of them that cannot be read, and whether one has no id."""

    ids: frozenset[str]
    unread: frozenset[str] = frozenset()
    nameless: bool = False


ids = st.frozensets(st.sampled_from(IDS))
histories = st.lists(st.builds(Poll, ids, ids, st.booleans()), max_size=8)


def snapshot_of(web: Vm, poll: Poll, at: datetime) -> Snapshot:
    readable = [replace(web, id=vm_id) for vm_id in sorted(poll.ids - poll.unread)]
    refused = [Rejected("[0]", "bad", vm_id.upper()) for vm_id in sorted(poll.ids & poll.unread)]
    nameless = [Rejected("[9]", "bad")] if poll.nameless else []
    return build_snapshot("main", at, readable, [*refused, *nameless])


def listed(vms: Iterable[Vm], *rejected: Rejected, minute: int = 0) -> Snapshot:
    return build_snapshot("main", NOW + minute * MINUTE, vms, rejected)


@given(histories)
def test_missing_polls_count_complete_lists_in_a_row(web: Vm, history: list[Poll]) -> None:
    """A VM in the list, read or not, is not missing; an incomplete list counts no absence."""
    known: dict[str, KnownVm] = {}
    counts: dict[str, int] = {}
    for minute, poll in enumerate(history):
        at = NOW + minute * MINUTE
        known = track(known, snapshot_of(web, poll, at), at - MINUTE, WEEK)
        for vm_id in IDS:
            if vm_id in poll.ids - poll.unread or (vm_id in counts and vm_id in poll.ids):
                counts[vm_id] = 0
            elif vm_id in counts and not poll.nameless:
                counts[vm_id] += 1
        assert counts == {key: entry.missing_polls for key, entry in known.items()}
        assert all(bool(e.missing_polls) == bool(e.missing_since) for e in known.values())


@given(histories, st.builds(Poll, ids, ids, st.booleans()))
def test_an_unchanged_entry_is_the_same_object(web: Vm, history: list[Poll], last: Poll) -> None:
    """What the store compares by identity changes only if it says something else."""
    known: dict[str, KnownVm] = {}
    for minute, poll in enumerate([*history, last]):
        before = known
        known = track(before, snapshot_of(web, poll, NOW + minute * MINUTE), None, WEEK)
        same = {key for key in known if known[key] is before.get(key)}
        assert {key for key in known if known[key] == before.get(key)} == same


@given(histories)
def test_nothing_is_forgotten_before_its_time(web: Vm, history: list[Poll]) -> None:
    """Whatever polls bring within `forget_after`, a VM that was known stays known."""
    known: dict[str, KnownVm] = {}
    for minute, poll in enumerate(history):
        before = known
        known = track(before, snapshot_of(web, poll, NOW + minute * MINUTE), None, WEEK)
        assert before.keys() <= known.keys()


def test_a_new_vm(web: Vm) -> None:
    """What is seen first is remembered with its ports as the baseline."""
    known = track({}, listed([web]), None, WEEK)
    assert {web.key: KnownVm(web, first_seen_at=NOW, baseline=(SSH,))} == known


def test_the_baseline_stays(web: Vm) -> None:
    """Ports that change later do not change what they are compared with."""
    known = track({}, listed([web]), None, WEEK)
    opened = replace(web, ports=(SSH, port(80)))
    entry = track(known, listed([opened], minute=1), NOW, WEEK)[web.key]
    assert KnownVm(opened, first_seen_at=NOW, baseline=(SSH,)) == entry


@pytest.mark.parametrize(
    "first",
    [
        {"ports": None},
        {"status": Status.LAUNCHING, "ports": ()},
        {"status": Status.NEW, "ports": (SSH, port(80))},
    ],
)
def test_the_baseline_waits_for_a_vm_that_is_up(web: Vm, first: dict[str, object]) -> None:
    """Ports that the API does not tell, or that are still being opened, are no baseline."""
    known = track({}, listed([replace(web, **first)]), None, WEEK)
    assert known[web.key].baseline is None
    known = track(known, listed([web], minute=1), NOW, WEEK)
    assert KnownVm(web, first_seen_at=NOW, baseline=(SSH,)) == known[web.key]


def test_an_id_in_another_case_is_the_same_vm(web: Vm) -> None:
    """An endpoint that spells the id otherwise brings no new VM and loses none."""
    shouted = replace(web, id=web.id.upper())
    known = track(track({}, listed([web]), None, WEEK), listed([shouted], minute=1), NOW, WEEK)
    assert {web.key: KnownVm(shouted, first_seen_at=NOW, baseline=(SSH,))} == known


def test_what_is_noted_of_a_missing_vm(web: Vm) -> None:
    """Since when, when it was last seen, and of how many it was; later polls only count up."""
    other = replace(web, id="0xcd")
    known = track({}, listed([web, other]), None, WEEK)
    known = track(known, listed([other], minute=3), NOW + 2 * MINUTE, WEEK)
    gone = KnownVm(
        web,
        first_seen_at=NOW,
        baseline=(SSH,),
        missing_polls=1,
        missing_since=NOW + 3 * MINUTE,
        missing_among=2,
        last_seen_at=NOW + 2 * MINUTE,
    )
    assert gone == known[web.key]
    known = track(known, listed([], minute=4), NOW + 3 * MINUTE, WEEK)
    assert replace(gone, missing_polls=2) == known[web.key]
    assert known[other.key].missing_among == 1


def test_last_seen_without_an_earlier_poll(web: Vm) -> None:
    """Where no good poll is on record, it was seen when it was first seen."""
    known = track(track({}, listed([web]), None, WEEK), listed([], minute=1), None, WEEK)
    assert known[web.key].last_seen_at == NOW


def test_a_vm_that_comes_back(web: Vm) -> None:
    """It is what it was, with its first baseline, be it read or only named."""
    known = track({}, listed([web]), None, WEEK)
    lost = track(known, listed([], minute=1), NOW, WEEK)
    assert known == track(lost, listed([web], minute=2), NOW, WEEK)
    unread = Rejected("[0]", "bad", web.id.upper())
    assert known == track(lost, listed([], unread, minute=2), NOW, WEEK)


@pytest.mark.parametrize(
    ("hours", "forgotten"),
    [(-1, True), (0, True), (23.9, True), (24, False), (48, False), (-24, False)],
)
def test_a_removal_that_was_asked(web: Vm, hours: float, forgotten: bool) -> None:  # noqa: FBT001 - a column of the table
    """For a day the VM is forgotten as soon as a complete list lacks it; then it is missing."""
    asked = {web.key: KnownVm(web, NOW, (SSH,), removal_asked_at=NOW - hours * HOUR)}
    assert forgotten == (web.key not in track(asked, listed([]), None, WEEK))
    incomplete = build_snapshot("main", NOW, [], incomplete_because="a page changed")
    assert asked == track(asked, incomplete, None, WEEK)


@pytest.mark.parametrize("unread", [False, True])
@pytest.mark.parametrize(("hours", "stays"), [(0, True), (23.9, True), (24, False)])
def test_a_removal_that_was_asked_of_a_vm_that_is_still_listed(
    web: Vm,
    hours: float,
    stays: bool,  # noqa: FBT001 - a column of the table
    unread: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """It is remembered for a day, whatever else changes; an entry that says the same is the same."""
    entry = KnownVm(web, NOW, (SSH,), removal_asked_at=NOW - hours * HOUR)
    refused = [Rejected("[0]", "bad", web.id)] if unread else []
    after = track({web.key: entry}, listed([] if unread else [web], *refused), None, WEEK)[web.key]
    assert (entry if stays else replace(entry, removal_asked_at=None)) == after
    assert stays == (after is entry)
    if not unread:
        ending = replace(web, status=Status.TERMINATING)
        listed_ending = track({web.key: entry}, listed([ending]), None, WEEK)[web.key]
        assert replace(after, vm=ending) == listed_ending


def test_a_missing_vm_is_forgotten_in_the_end(web: Vm) -> None:
    """Lost and missing for `forget_after` it is still known, for longer it is not."""
    missing = track(track({}, listed([web]), None, WEEK), listed([]), None, WEEK)
    lost = {key: replace(entry, cause=Cause.UNKNOWN) for key, entry in missing.items()}
    last = NOW + WEEK
    assert web.key in track(lost, build_snapshot("main", last, []), None, WEEK)
    late = build_snapshot("main", last + MINUTE, [])
    assert track(lost, late, None, WEEK) == {}
    assert web.key in track(missing, late, None, WEEK)  # nobody was notified of it yet
    incomplete = build_snapshot("main", last + MINUTE, [], [Rejected("[0]", "bad")])
    assert lost == track(lost, incomplete, None, WEEK)


def test_what_is_unknown_now_is_remembered(web: Vm) -> None:
    """Field by field, as last known, over polls that do not read it; now it is still unknown."""
    blank = replace(web, price=None, public_ip=None, name=None, ports=None)
    partly = replace(blank, price=web.price * 2)  # type: ignore[operator] # it has a price
    known = track({}, listed([web]), None, WEEK)
    assert known[web.key].remembered is None
    unread = Rejected("[0]", "bad", web.id)
    polls = [listed([blank]), listed([], unread), listed([]), listed([partly]), listed([partly])]
    for minute, snapshot in enumerate(polls, 1):
        known = track(known, replace(snapshot, taken_at=NOW + minute * MINUTE), NOW, WEEK)
        expected = blank if minute < 4 else partly
        assert expected == known[web.key].vm
        assert replace(web, price=expected.price or web.price) == known[web.key].last_known
    known = track(known, listed([web], minute=9), NOW, WEEK)
    assert (web, None) == (known[web.key].vm, known[web.key].remembered)


def test_a_cause_goes_when_the_vm_is_back(web: Vm) -> None:
    """Read or not, it is there."""
    lost = {web.key: KnownVm(web, NOW, (SSH,), 3, NOW, 1, NOW, cause=Cause.FUNDS)}
    known = {web.key: KnownVm(web, NOW, (SSH,))}
    assert known == track(lost, listed([web]), None, WEEK)
    assert known == track(lost, listed([], Rejected("[0]", "bad", web.id)), None, WEEK)

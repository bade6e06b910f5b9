from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.model.known import KnownVm
from fluence_watch.model.note import Note, NoteAction, apply_notes, expected_changes, obsolete_notes
from fluence_watch.model.ports import SSH, Port, port
from fluence_watch.model.vm import Vm

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
PORTS = (SSH, port(443))


def note(action: NoteAction, subject: str = "0x00ab", ports: tuple[Port, ...] = ()) -> Note:
    return Note(1, LATER, action, subject, ports)


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        ([], {}),
        ([note(NoteAction.REMOVED)], {"removal_asked_at": LATER}),
        ([note(NoteAction.ACCEPTED, ports=PORTS)], {"baseline": PORTS}),
        ([note(NoteAction.ACCEPTED)], {"baseline": ()}),
        (
            [note(NoteAction.ACCEPTED, ports=PORTS), note(NoteAction.REMOVED)],
            {"removal_asked_at": LATER, "baseline": PORTS},
        ),
        (
            [note(NoteAction.ACCEPTED, ports=PORTS), note(NoteAction.ACCEPTED, ports=(SSH,))],
            {"baseline": (SSH,)},
        ),
        ([note(NoteAction.REMOVED), note(NoteAction.KEPT)], {}),
        (
            [note(NoteAction.REMOVED), note(NoteAction.KEPT), note(NoteAction.REMOVED)],
            {"removal_asked_at": LATER},
        ),
        ([note(NoteAction.KEY_ADDED), note(NoteAction.KEY_REMOVED)], {}),
    ],
)
def test_what_is_remembered_of_a_vm(
    web: Vm, notes: list[Note], expected: dict[str, object]
) -> None:
    """Each note changes its one thing, the last one counts; a note on a key is none on a VM."""
    before = KnownVm(web, NOW, (SSH,))
    changed = {"removal_asked_at": None, "baseline": (SSH,)} | expected
    after = apply_notes({web.key: before}, notes)[web.key]
    assert KnownVm(web, NOW, **changed) == after


def test_a_vm_that_was_kept(web: Vm) -> None:
    """A deletion that did not happen is no longer expected."""
    asked = apply_notes({web.key: KnownVm(web, NOW)}, [note(NoteAction.REMOVED)])
    assert {web.key: KnownVm(web, NOW)} == apply_notes(asked, [note(NoteAction.KEPT)])


def test_notes_on_others(web: Vm) -> None:
    """A VM that nobody knows is ignored, and one that no note is about is the same object."""
    known = {web.key: KnownVm(web, NOW, (SSH,))}
    after = apply_notes(
        known, [note(NoteAction.REMOVED, "0xcd"), note(NoteAction.ACCEPTED, "0xcd")]
    )
    assert known == after
    assert known[web.key] is after[web.key]
    assert known[web.key] is apply_notes(known, [note(NoteAction.KEY_ADDED)])[web.key]


@pytest.mark.parametrize(
    ("action", "minutes", "expected"),
    [
        (NoteAction.KEY_ADDED, 0, True),
        (NoteAction.KEY_REMOVED, 59, True),
        (NoteAction.KEY_ADDED, 60, False),
        (NoteAction.KEY_REMOVED, 300, False),
        (NoteAction.KEY_ADDED, -1, True),
        (NoteAction.KEY_ADDED, -60, False),
        (NoteAction.REMOVED, 24 * 60 - 1, True),
        (NoteAction.REMOVED, 24 * 60, False),
        (NoteAction.ACCEPTED, 0, False),
    ],
)
def test_how_long_a_change_is_expected(action: NoteAction, minutes: int, *, expected: bool) -> None:
    """For an hour, or a day if it is a deletion, the clocks a little apart or not; a note that tells no more of it is spent."""
    left, now = note(action, "SHA256:a"), LATER + timedelta(minutes=minutes)
    assert ({(action, "SHA256:a")} if expected else set()) == expected_changes([left], now)
    assert ([] if expected else [left]) == obsolete_notes([left], now)


def test_a_deletion_that_is_undone() -> None:
    """It is not expected, however often the notes of it are looked at; a later one is."""
    undone = [note(NoteAction.REMOVED), note(NoteAction.KEPT)]
    assert frozenset() == expected_changes(undone, LATER)
    assert [] == obsolete_notes(undone, LATER)
    again = [*undone, note(NoteAction.REMOVED)]
    assert {NoteAction.REMOVED} == {action for action, _ in expected_changes(again, LATER)}

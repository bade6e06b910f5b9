"""Changes that a user made with fluence-watch, stored for the next poll."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from fluence_watch.model.horizon import Horizon, expiry, next_of
from fluence_watch.model.known import REMOVAL_EXPECTED_FOR as VM_REMOVAL_EXPECTED_FOR
from fluence_watch.model.known import KnownVm
from fluence_watch.model.ports import Port

KEY_EXPECTED_FOR = timedelta(hours=1)
REMOVAL_EXPECTED_FOR = timedelta(days=2)  # longer than the end of a GPU instance is news


class NoteAction(StrEnum):
    """What the user did. `KEPT` undoes a `REMOVED` if the API did not delete the VM, or the resource."""

    REMOVED = "removed"
    KEPT = "kept"
    ACCEPTED = "accepted"
    KEY_ADDED = "key_added"
    KEY_REMOVED = "key_removed"
    RESOURCE_REMOVED = "resource_removed"
    RESOURCE_KEPT = "resource_kept"


@dataclass(frozen=True, slots=True)
class Note:
    """One action of a user.

    `subject` is a `Vm.key`, the fingerprint of an SSH key, or a `Resource.key`. `ports` are the accepted ports. `id` is assigned by the store.
    """

    id: int
    at: datetime
    action: NoteAction
    subject: str
    ports: tuple[Port, ...] = ()


def apply_notes(known: Mapping[str, KnownVm], notes: Iterable[Note]) -> dict[str, KnownVm]:
    """The known VMs after applying the notes in order.

    Notes about unknown VMs are ignored. An entry without a note is the same object.
    """
    after = dict(known)
    for note in notes:
        entry = after.get(note.subject)
        if entry is None:
            continue
        if note.action is NoteAction.REMOVED:
            after[note.subject] = replace(entry, removal_asked_at=note.at)
        elif note.action is NoteAction.KEPT:
            after[note.subject] = replace(entry, removal_asked_at=None)
        elif note.action is NoteAction.ACCEPTED:
            after[note.subject] = replace(entry, baseline=note.ports)
    return after


def expected_changes(notes: Iterable[Note], now: datetime) -> frozenset[tuple[NoteAction, str]]:
    """The changes to keys, VMs and resources that a poll may still see, with their subjects.

    Whether the request succeeded is unknown. So is whether the last list was read after it.
    """
    expected: set[tuple[NoteAction, str]] = set()
    for note in notes:
        if undone := _UNDOES.get(note.action):
            expected.discard((undone, note.subject))
        elif _is_expected(note, now):
            expected.add((note.action, note.subject))
    return frozenset(expected)


def obsolete_notes(notes: Iterable[Note], now: datetime) -> list[Note]:
    """The notes that later polls do not need."""
    return [note for note in notes if not _is_expected(note, now)]


def notes_hold_until(notes: Iterable[Note], now: datetime) -> Horizon:
    """Until when the same changes are expected."""
    return next_of(now, [each for note in notes for each in expiry(note.at, _lasts(note))])


_UNDOES = {
    NoteAction.KEPT: NoteAction.REMOVED,
    NoteAction.RESOURCE_KEPT: NoteAction.RESOURCE_REMOVED,
}

_EXPECTED_FOR = {
    NoteAction.REMOVED: VM_REMOVAL_EXPECTED_FOR,
    NoteAction.KEPT: VM_REMOVAL_EXPECTED_FOR,
    NoteAction.KEY_ADDED: KEY_EXPECTED_FOR,
    NoteAction.KEY_REMOVED: KEY_EXPECTED_FOR,
    NoteAction.RESOURCE_REMOVED: REMOVAL_EXPECTED_FOR,
    NoteAction.RESOURCE_KEPT: REMOVAL_EXPECTED_FOR,
}


def _is_expected(note: Note, now: datetime) -> bool:
    # the clock that wrote the note may run ahead of this one, so the age may be negative
    return abs(now - note.at) < _lasts(note)


def _lasts(note: Note) -> timedelta:
    return _EXPECTED_FOR.get(note.action, timedelta(0))

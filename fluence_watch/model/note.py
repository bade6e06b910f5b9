"""Changes that a user made with fluence-watch, stored for the next poll."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from fluence_watch.model.known import KnownVm
from fluence_watch.model.ports import Port

KEY_EXPECTED_FOR = timedelta(hours=1)


class NoteAction(StrEnum):
    """What the user did. `KEPT` undoes a `REMOVED` if the API did not delete the VM."""

    REMOVED = "removed"
    KEPT = "kept"
    ACCEPTED = "accepted"
    KEY_ADDED = "key_added"
    KEY_REMOVED = "key_removed"


@dataclass(frozen=True, slots=True)
class Note:
    """One action of a user. `subject` is a `Vm.key` or the fingerprint of an SSH key.

    `ports` are the accepted ports. `id` is assigned by the store.
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


def expected_keys(notes: Iterable[Note], now: datetime) -> frozenset[tuple[NoteAction, str]]:
    """The changes to SSH keys that a poll may still see, with the key's fingerprint.

    Whether the request succeeded is unknown. So is whether the last list was read after it.
    """
    return frozenset((note.action, note.subject) for note in notes if _expects_key(note, now))


def obsolete_notes(notes: Iterable[Note], now: datetime) -> list[Note]:
    """The notes that later polls do not need."""
    return [note for note in notes if not _expects_key(note, now)]


def _expects_key(note: Note, now: datetime) -> bool:
    # the clock that wrote the note may run ahead of this one, so the age may be negative
    on_key = note.action in {NoteAction.KEY_ADDED, NoteAction.KEY_REMOVED}
    return on_key and abs(now - note.at) < KEY_EXPECTED_FOR

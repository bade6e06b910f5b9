"""A change that a user made with fluence-watch, kept in the store for the next poll."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from fluence_watch.model.known import KnownVm
from fluence_watch.model.ports import Port

KEY_EXPECTED_FOR = timedelta(hours=1)


class NoteAction(StrEnum):
    """What was done; `KEPT` takes a `REMOVED` back, when the API did not delete the VM."""

    REMOVED = "removed"
    KEPT = "kept"
    ACCEPTED = "accepted"
    KEY_ADDED = "key_added"
    KEY_REMOVED = "key_removed"


@dataclass(frozen=True, slots=True)
class Note:
    """One action of a user. `subject` is a `Vm.key`, or the fingerprint of an SSH key.

    `ports` are those that were accepted; `id` is the store's.
    """

    id: int
    at: datetime
    action: NoteAction
    subject: str
    ports: tuple[Port, ...] = ()


def noted(known: Mapping[str, KnownVm], notes: Iterable[Note]) -> dict[str, KnownVm]:
    """What is remembered of VMs after what was done to them, in the order of the notes.

    Notes on unknown VMs are ignored; an entry that no note is about is the same object.
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
    """What may yet be seen to happen to which SSH keys, by fingerprint.

    Whether the request was granted, and whether a list was read before it or after, is not known.
    """
    return frozenset((note.action, note.subject) for note in notes if _expects_key(note, now))


def spent(notes: Iterable[Note], now: datetime) -> list[Note]:
    """The notes that are of no use to the polls after this one."""
    return [note for note in notes if not _expects_key(note, now)]


def _expects_key(note: Note, now: datetime) -> bool:
    # either way: the clock that wrote the note may be ahead of this one
    on_key = note.action in {NoteAction.KEY_ADDED, NoteAction.KEY_REMOVED}
    return on_key and abs(now - note.at) < KEY_EXPECTED_FOR

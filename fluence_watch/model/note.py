"""What a user did by hand, left in the store for the next poll to know of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from fluence_watch.model.known import KnownVm
from fluence_watch.model.ssh_key import SshKey
from fluence_watch.model.vm import Port


class NoteAction(StrEnum):
    """What was done."""

    REMOVED = "removed"
    ACCEPTED = "accepted"
    KEY_ADDED = "key_added"
    KEY_REMOVED = "key_removed"


@dataclass(frozen=True, slots=True)
class Note:
    """One deed. `subject` is a `Vm.key`, or the fingerprint of an SSH key.

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
        elif note.action is NoteAction.ACCEPTED:
            after[note.subject] = replace(entry, baseline=note.ports)
    return after


def noted_keys(keys: tuple[SshKey, ...] | None, notes: Iterable[Note]) -> tuple[SshKey, ...] | None:
    """The remembered SSH keys after what was done to them; `None` stays unknown.

    Of a key that was added only the fingerprint is known.
    """
    if keys is None:
        return None
    for note in notes:
        others = tuple(key for key in keys if key.fingerprint != note.subject)
        if note.action is NoteAction.KEY_REMOVED:
            keys = others
        elif note.action is NoteAction.KEY_ADDED and len(others) == len(keys):
            keys = (*keys, SshKey("", note.subject, ""))
    return keys

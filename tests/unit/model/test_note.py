from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.model.known import KnownVm
from fluence_watch.model.note import Note, NoteAction, noted, noted_keys
from fluence_watch.model.ssh_key import SshKey
from fluence_watch.model.vm import SSH, Port, Vm, port

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
PORTS = (SSH, port(443))
LAPTOP = SshKey("laptop", "SHA256:laptop", "ssh-ed25519 AAAA")
OLD = SshKey("old", "SHA256:old", "ssh-rsa BBBB")


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
        ([note(NoteAction.KEY_ADDED), note(NoteAction.KEY_REMOVED)], {}),
    ],
)
def test_what_is_remembered_of_a_vm(
    web: Vm, notes: list[Note], expected: dict[str, object]
) -> None:
    """Each note changes its one thing, the last one counts; a note on a key is none on a VM."""
    before = KnownVm(web, NOW, (SSH,))
    changed = {"removal_asked_at": None, "baseline": (SSH,)} | expected
    after = noted({web.key: before}, notes)[web.key]
    assert KnownVm(web, NOW, **changed) == after
    assert (after is before) == (not expected)


def test_notes_on_others(web: Vm) -> None:
    """A VM that nobody knows is ignored, and one that no note is about is the same object."""
    known = {web.key: KnownVm(web, NOW, (SSH,))}
    after = noted(known, [note(NoteAction.REMOVED, "0xcd"), note(NoteAction.ACCEPTED, "0xcd")])
    assert known == after
    assert known[web.key] is after[web.key]


@pytest.mark.parametrize(
    ("action", "subject", "expected"),
    [
        (NoteAction.KEY_ADDED, "SHA256:new", ["SHA256:laptop", "SHA256:old", "SHA256:new"]),
        (NoteAction.KEY_ADDED, "SHA256:old", ["SHA256:laptop", "SHA256:old"]),
        (NoteAction.KEY_REMOVED, "SHA256:laptop", ["SHA256:old"]),
        (NoteAction.KEY_REMOVED, "SHA256:new", ["SHA256:laptop", "SHA256:old"]),
        (NoteAction.REMOVED, "SHA256:laptop", ["SHA256:laptop", "SHA256:old"]),
    ],
)
def test_what_is_remembered_of_keys(action: NoteAction, subject: str, expected: list[str]) -> None:
    """A key that was added here is known from then on, one that was removed is not any more."""
    after = noted_keys((LAPTOP, OLD), [note(action, subject)])
    assert after is not None
    assert expected == [key.fingerprint for key in after]


def test_keys_that_were_never_listed_stay_unknown() -> None:
    """One key alone is not the account's list."""
    assert noted_keys(None, [note(NoteAction.KEY_ADDED, "SHA256:new")]) is None

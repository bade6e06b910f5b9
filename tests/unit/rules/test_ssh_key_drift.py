from collections.abc import Callable
from dataclasses import replace

import pytest

from fluence_watch.model.finding import Finding, Fingerprint, Severity
from fluence_watch.model.note import NoteAction
from fluence_watch.model.ssh_key import SshKey
from fluence_watch.rules.base import Judgement
from fluence_watch.rules.situation import Situation
from fluence_watch.rules.ssh_key_drift import (
    RULE,
    KeyChange,
    SshKeyDrift,
    SshKeyDriftSettings,
    judge,
)

SETTINGS = SshKeyDriftSettings()
A = SshKey("laptop", "SHA256:a", "ssh-ed25519 AAAA", "ssh-ed25519", "me@home")
B = SshKey("desk", "SHA256:b", "ssh-rsa BBBB")
C = SshKey("desk", "SHA256:c", "ssh-rsa CCCC")

See = Callable[..., Situation]
Keys = tuple[SshKey, ...]


def changes(see: See, before: Keys | None, after: Keys | None) -> list[str]:
    """What is found between two lists of keys, by the keys of the problems without their moment."""
    situation = see(keys_before=before, listed={"ssh_keys": after})
    return [each.fingerprint.key.split("@")[0] for each in judge(situation, SETTINGS).findings]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ((A,), (A,), []),
        ((A, B), (B, A), []),
        ((A,), (A, B), ["added:SHA256:b"]),
        ((), (A,), ["added:SHA256:a"]),
        ((A, B), (A,), ["removed:SHA256:b"]),
        ((A,), (), ["removed:SHA256:a"]),
        ((A, B), (A, C), ["added:SHA256:c", "removed:SHA256:b"]),
        ((A,), (replace(A, name="x", comment="y", active=False),), []),
        (None, (A,), []),
        ((A,), None, []),
        (None, None, []),
    ],
)
def test_which_keys_came_and_went(
    see: See, before: Keys | None, after: Keys | None, found: list[str]
) -> None:
    """The fingerprint is the key; at first sight, and where no list was read, nobody can say."""
    assert found == changes(see, before, after)


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ([], ["added:SHA256:c", "removed:SHA256:b"]),
        ([(NoteAction.KEY_ADDED, "SHA256:c")], ["removed:SHA256:b"]),
        ([(NoteAction.KEY_REMOVED, "SHA256:b")], ["added:SHA256:c"]),
        ([(NoteAction.KEY_ADDED, "SHA256:c"), (NoteAction.KEY_REMOVED, "SHA256:b")], []),
        ([(NoteAction.KEY_REMOVED, "SHA256:c")], ["added:SHA256:c", "removed:SHA256:b"]),
        ([(NoteAction.KEY_ADDED, "SHA256:b")], ["added:SHA256:c", "removed:SHA256:b"]),
        ([(NoteAction.KEY_ADDED, "SHA256:a")], ["added:SHA256:c", "removed:SHA256:b"]),
    ],
)
def test_what_users_do_by_hand(
    see: See, expected: list[tuple[NoteAction, str]], found: list[str]
) -> None:
    """Just that direction of just that key is no finding; where it did not happen, nothing is."""
    situation = see(
        keys_before=(A, B), listed={"ssh_keys": (A, C)}, expected_changes=frozenset(expected)
    )
    judged = judge(situation, SETTINGS).findings
    assert found == [each.fingerprint.key.split("@")[0] for each in judged]


def test_a_key_that_is_listed_twice_is_one(see: See) -> None:
    """The problem is found once, whatever the API repeats."""
    situation = see(keys_before=(), listed={"ssh_keys": (A, A)})
    found = judge(situation, SETTINGS).findings
    assert 1 == len({each.fingerprint for each in found})


def test_the_facts_of_a_key(see: See) -> None:
    """All that identifies the key. It fires at once, on the account, as a new problem each time."""
    found = Finding(
        Fingerprint("main", "ssh_key_drift", "", "added:SHA256:a@2025-04-16T12:00:00+00:00"),
        Severity.WARNING,
        SshKeyDrift(KeyChange.ADDED, "laptop", "SHA256:a", "ssh-ed25519", "me@home"),
        at_once=True,
    )
    situation = see(keys_before=(), listed={"ssh_keys": (A,)})
    assert [found] == judge(situation, SETTINGS).findings


def test_it_is_an_event(see: See) -> None:
    """Its end is no news, and after a failed poll there is nothing to find."""
    assert RULE.event
    assert not RULE.sends_resolved
    assert Judgement() == judge(replace(see(keys_before=(A,)), snapshot=None), SETTINGS)

"""An SSH key was added to the account or removed from it, but not with fluence-watch.

An added key gives access to every VM that is created afterwards.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity
from fluence_watch.model.note import NoteAction
from fluence_watch.model.ssh_key import SshKey
from fluence_watch.rules.base import EventSettings, Judgement, Level, Need, event_rule
from fluence_watch.rules.situation import Situation

NAME = "ssh_key_drift"


class SshKeyDriftSettings(EventSettings):
    """How an added or removed key is reported."""

    severity: Level = Severity.WARNING


class KeyChange(StrEnum):
    """What happened to a key."""

    ADDED = "added"
    REMOVED = "removed"


_BY_USER = {KeyChange.ADDED: NoteAction.KEY_ADDED, KeyChange.REMOVED: NoteAction.KEY_REMOVED}


@dataclass(frozen=True, slots=True)
class SshKeyDrift:
    """One key. Its name and comment come from outside."""

    direction: KeyChange
    name: str
    fingerprint: str
    algorithm: str | None
    comment: str | None


def judge(situation: Situation, settings: SshKeyDriftSettings) -> Judgement:
    """Report every key that is in only one of the two lists, unless the user made that change.

    Report nothing if either list is unknown.
    """
    before = situation.keys_before
    after = situation.snapshot.ssh_keys if situation.snapshot else None
    if before is None or after is None:
        return Judgement()
    changes = [(KeyChange.ADDED, key) for key in _only_in(after, before)]
    changes += [(KeyChange.REMOVED, key) for key in _only_in(before, after)]
    return Judgement(
        [
            _finding(situation, settings, direction, key)
            for direction, key in changes
            if (_BY_USER[direction], key.fingerprint) not in situation.expected_changes
        ]
    )


def _only_in(some: Iterable[SshKey], others: Iterable[SshKey]) -> Iterable[SshKey]:
    elsewhere = {key.fingerprint for key in others}
    return (key for key in some if key.fingerprint not in elsewhere)


def _finding(
    situation: Situation, settings: SshKeyDriftSettings, direction: KeyChange, key: SshKey
) -> Finding:
    what = f"{direction}:{key.fingerprint}@{situation.now.isoformat()}"
    facts = SshKeyDrift(direction, key.name, key.fingerprint, key.algorithm, key.comment)
    fingerprint = Fingerprint(situation.account, NAME, key=what)
    return Finding(fingerprint, settings.severity, facts, at_once=True)


RULE = event_rule(
    NAME,
    SshKeyDriftSettings,
    (SshKeyDrift,),
    judge,
    needs=frozenset({Need.KEYS}),
    impact=Impact.ACCESS,
)

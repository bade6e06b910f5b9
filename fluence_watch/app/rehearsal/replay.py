"""What would have been told of the polls in a record, by given settings."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from fluence_watch.app.rehearsal.engine import Rehearsal
from fluence_watch.app.rehearsal.sent import Sent
from fluence_watch.garbage import garbage_collection_paused
from fluence_watch.model.finding import WATCHER
from fluence_watch.record.reading import Reading
from fluence_watch.record.wire import Seen
from fluence_watch.settings import WatchSettings

_EVER = datetime.max.replace(tzinfo=UTC)


class Wanted(NamedTuple):
    """What of it is wanted: from when on, until when, and of which account and receiver, if not of all.

    Polls before are evaluated too: what was known then is what rules compare with.
    """

    since: datetime = datetime.min.replace(tzinfo=UTC)
    until: datetime = _EVER
    account: str | None = None
    receiver: str | None = None

    def has(self, sent: Sent) -> bool:
        """Whether the message is wanted. Those about the watcher are of all accounts."""
        account = self.account is None or sent.account in {self.account, WATCHER}
        receiver = self.receiver in {None, sent.receiver}
        return account and receiver and self.since <= sent.at < self.until


@dataclass(slots=True)
class Replayed:
    """The messages in the order of time, and what they come from.

    `polls` were read, and `evaluated` of them could change anything. `unwatched` are the accounts of the
    record that the settings do not have; `flaws` says what of the record cannot be read.
    """

    messages: list[Sent] = field(default_factory=list)
    polls: int = 0
    evaluated: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    unwatched: set[str] = field(default_factory=set)
    flaws: Sequence[str] = ()

    def reached(self, at: datetime) -> None:
        """A poll of that time was read."""
        self.first_at, self.last_at = self.first_at or at, at


def replay(settings: WatchSettings, folder: Path, wanted: Wanted = Wanted()) -> Replayed:  # noqa: B008 - it cannot change
    """Live through the record by the settings.

    Raises:
        OSError: a file cannot be read.
    """
    found, reading = Replayed(), Reading(folder)

    def tell(sent: Sent) -> None:
        if wanted.has(sent):
            found.messages.append(sent)

    with garbage_collection_paused(), Rehearsal(settings, tell) as rehearsal:
        polls = reading.polls(_read(settings, wanted))
        for seen in takewhile(lambda each: each.outcome.taken_at < wanted.until, polls):
            _poll(rehearsal, seen, found)
        if found.last_at is not None:
            rehearsal.pass_until(found.last_at)
    found.flaws = reading.flaws
    return found


def _poll(rehearsal: Rehearsal, seen: Seen, found: Replayed) -> None:
    """Evaluate a poll of the record, if its account is watched."""
    account = seen.outcome.account
    found.reached(seen.outcome.taken_at)
    if account not in rehearsal.accounts:
        found.unwatched.add(account)
        return
    decision = rehearsal.poll(seen.outcome, seen.notes, is_same=seen.is_same)
    found.polls += 1
    found.evaluated += decision is not None


def _read(settings: WatchSettings, wanted: Wanted) -> frozenset[str]:
    """The accounts to read, all if none: a budget may be of others too."""
    one = wanted.account is not None and not settings.budgets
    return frozenset({wanted.account}) if one and wanted.account else frozenset()

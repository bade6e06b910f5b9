"""A cycle: every account was polled since the last one ended. Pure; `heartbeat` acts on it."""

from collections.abc import Collection, Iterator

from fluence_watch.app.polled import Polled
from fluence_watch.model.snapshot import PollFailure, Snapshot


class Cycle:
    """The current cycle over these accounts.

    A poll that half worked counts until the cycle ends, even if a later one of it is whole.
    """

    def __init__(self) -> None:
        self.has_begun = False
        self._accounts: frozenset[str] = frozenset()
        self._flaws: dict[str, dict[str, None]] = {}  # in order, each once

    def expect(self, accounts: Collection[str]) -> None:
        """Set the accounts: removed ones are forgotten, new ones have not been polled yet."""
        self._accounts = frozenset(accounts)
        self._flaws = {name: flaws for name, flaws in self._flaws.items() if name in accounts}

    def polled(self, polled: Polled) -> None:
        """A poll ended, of whatever account."""
        account = polled.policy.account
        if account in self._accounts:
            self._flaws.setdefault(account, {}).update(dict.fromkeys(flaws_of(polled)))

    @property
    def is_over(self) -> bool:
        """Whether every account was polled."""
        return bool(self._accounts) and self._flaws.keys() == self._accounts

    def end(self) -> list[str]:
        """Begin the next cycle. Returns what did not work in this one, by account."""
        found = sorted(self._flaws.items())
        flaws = [f"account {name}: {flaw}" for name, flaws in found for flaw in flaws]
        self._flaws, self.has_begun = {}, False
        return flaws


def flaws_of(polled: Polled) -> Iterator[str]:
    """What did not work in a poll: nothing, if all that it requested arrived and was committed."""
    if polled.store_error:
        yield f"not committed: {polled.store_error}"
    elif polled.month_to_date is None or polled.charged is None:
        yield "the ledger cannot be read"
    match polled.outcome:
        case PollFailure(message=message):
            yield message
        case Snapshot() as snapshot:
            yield from _gaps(snapshot)


def _gaps(snapshot: Snapshot) -> Iterator[str]:
    if snapshot.incomplete_because:
        yield f"the list is not complete: {snapshot.incomplete_because}"
    if snapshot.rejected:
        first = snapshot.rejected[0]
        yield f"cannot be read in the list: {len(snapshot.rejected)}, first {first.where}: {first.why}"
    for what, why in snapshot.unknown.items():
        yield f"{what}: {why}"

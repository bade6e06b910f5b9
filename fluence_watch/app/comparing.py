"""Compare: what is known after a poll, who is missing, and what it books. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from fluence_watch.alerting.state import AccountState
from fluence_watch.app.books import Books, keep_books
from fluence_watch.model.account import AccountBalance
from fluence_watch.model.billing import Billing
from fluence_watch.model.debt import removes
from fluence_watch.model.finding import Fingerprint
from fluence_watch.model.known import KnownVm, follow_boundaries, track
from fluence_watch.model.known_resource import (
    KnownResources,
    Missing,
    missing_resources,
    settle_resources,
    track_resources,
)
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.note import NoteAction
from fluence_watch.model.presence import Presence, PresenceLimits, presence_of, settle
from fluence_watch.model.resource import Kind
from fluence_watch.model.snapshot import Outcome, Snapshot
from fluence_watch.rules import debt

Changes = frozenset[tuple[NoteAction, str]]
"""What users did: the action and its subject."""

_REMOVALS = frozenset({NoteAction.REMOVED, NoteAction.RESOURCE_REMOVED})


@dataclass(frozen=True, slots=True)
class Compared:
    """A poll beside what was known before. `changes` are expected, for users made them."""

    known: Mapping[str, KnownVm]
    presence: Presence
    resources: KnownResources
    missing: Missing
    books: Books
    billing: Billing
    changes: Changes


def compare(
    before: AccountState,
    outcome: Outcome,
    limits: PresenceLimits,
    billing: Billing,
    *,
    account: str,
    changes: Changes,
) -> Compared:
    """What is known after a poll. A failed one changes nothing of it."""
    known, resources = before.known, before.resources
    if isinstance(outcome, Snapshot):
        unpaid = _removed(before, outcome, account)
        known = _known_after(before, outcome, limits, billing, unpaid)
        resources = _resources_after(before, outcome, limits, changes, unpaid)
    presence, missing = presence_of(known, limits, billing), missing_resources(resources, limits)
    removed = frozenset(key for action, key in changes if action in _REMOVALS)
    things, absent = (known, resources), (presence, missing)
    books = keep_books(before, outcome, billing, things, absent, removed=removed)
    return Compared(known, presence, resources, missing, books, billing, changes)


def _known_after(
    before: AccountState,
    snapshot: Snapshot,
    limits: PresenceLimits,
    billing: Billing,
    unpaid: frozenset[Kind | None],
) -> Mapping[str, KnownVm]:
    now, rise = snapshot.taken_at, _rise(before, snapshot)
    known: Mapping[str, KnownVm]
    known = track(before.known, snapshot, before.last_good_at, limits.forget_after)
    if billing.prepaid:
        last_at, unread = before.last_good_at, snapshot.unread
        known = follow_boundaries(before.known, known, billing, now, unread, last_at=last_at)
    if not snapshot.complete:
        return known
    return settle(known, limits, now, billing, rise, unpaid=not billing.prepaid and None in unpaid)


def _resources_after(
    before: AccountState,
    snapshot: Snapshot,
    limits: PresenceLimits,
    changes: Changes,
    unpaid: frozenset[Kind | None],
) -> KnownResources:
    deleted = {subject for action, subject in changes if action is NoteAction.RESOURCE_REMOVED}
    known = track_resources(
        before.resources, snapshot, before.last_good_at, deleted, limits.forget_after
    )
    return settle_resources(known, limits, snapshot.taken_at, unpaid)


def _removed(before: AccountState, snapshot: Snapshot, account: str) -> frozenset[Kind | None]:
    """What is removed for a debt by now; if the balance is unknown, by what was last known of it."""
    alert = before.alerts.get(Fingerprint(account, debt.NAME))
    balance = snapshot.balance
    if balance is None and alert is not None and isinstance(alert.facts, debt.Debt):
        balance = AccountBalance(MicroUsdc(-alert.facts.owed))
    since = alert.active_at if alert else None
    return removes(balance, snapshot.taken_at, since) if balance else frozenset()


def _rise(before: AccountState, snapshot: Snapshot) -> int | None:
    """By how much the balance rose since it was last known."""
    if before.balance is None or snapshot.balance is None:
        return None
    return snapshot.balance.balance - before.balance

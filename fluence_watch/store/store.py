"""The store. Every public operation is one transaction and may be called from any thread."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sqlalchemy import Connection, delete, select, text

from fluence_watch.alerting.attempts import Attempts
from fluence_watch.alerting.journal import Entry
from fluence_watch.alerting.lifecycle import Alert, Episode
from fluence_watch.alerting.state import AccountState, Change, Stored
from fluence_watch.alerting.telling import Notified
from fluence_watch.garbage import garbage_collection_paused
from fluence_watch.model.note import Note, NoteAction
from fluence_watch.model.ports import Port
from fluence_watch.model.vm import Vm
from fluence_watch.store import journal, journal_bounds, ledger, notes, telling
from fluence_watch.store.accounts import advance_account, forget_absent, load_absent, mark_absent
from fluence_watch.store.accounts import rename as rename_accounts
from fluence_watch.store.alerts import (
    load_alert,
    load_history,
    load_open,
    load_unsettled,
    save_alerts,
)
from fluence_watch.store.codec import load_balance, load_day_costs, load_keys
from fluence_watch.store.database import Database
from fluence_watch.store.known import load_known, save_known
from fluence_watch.store.ledger_reads import LedgerReads
from fluence_watch.store.resources import load_resources, save_resources
from fluence_watch.store.schema import accounts, alerts, digests, is_open
from fluence_watch.store.silences import SilenceStore, end_outgrown

if TYPE_CHECKING:
    from fluence_watch.store.digests import DigestStore


class Store(LedgerReads):
    """The persistent state. If a method raises `StoreError`, it changed nothing.

    A returned commit is on disk. It survives a kill and a power cut.
    """

    @classmethod
    def open(
        cls, url: str, *, exclusive: bool = True, notes: bool = False, durable: bool = True
    ) -> Self:
        """Open the store at a `sqlite:///` URL.

        An exclusive store is created or migrated if needed.
        The process owns it until it is closed or the process dies.
        A non-exclusive store is read-only. With `notes`, it can also leave notes for the daemon.
        One that is not `durable` is for a while only: a power cut may lose all of it.

        Raises:
            StoreLockedError: another process owns the store.
            StoreError: the store cannot be opened, or another version created it.
        """
        read_only = not (exclusive or notes)
        return cls(Database.open(url, own=exclusive, read_only=read_only, durable=durable))

    def close(self) -> None:
        """Wait for running operations, close all connections and release the store.

        Later operations fail. A second call does nothing.
        """
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def digests(self) -> "DigestStore":
        """What digests need of it."""
        from fluence_watch.store.digests import DigestStore  # noqa: PLC0415 - only with digests

        return DigestStore(self._database)

    @property
    def silences(self) -> SilenceStore:
        """The silences, and the alerts that somebody takes care of."""
        return SilenceStore(self._database)

    @property
    def journal(self) -> journal.JournalStore:
        """Why receivers were notified, and why they were not."""
        return journal.JournalStore(self._database)

    def forget_digests(self) -> None:
        """Forget how far all digests are, because there are none in the settings."""
        with self._write() as connection:
            connection.execute(delete(digests))

    def check(self) -> None:
        """Raise `StoreError` if the store is not writable. The daemon's readiness needs it."""
        with self._write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = version_num"))

    def accounts(self) -> list[str]:
        """The names of the accounts that have state and are not absent."""
        query = select(accounts.c.name).where(accounts.c.absent_since.is_(None))
        with self._read() as connection:
            return list(connection.scalars(query.order_by(accounts.c.name)))

    def watch_only(self, watched: Collection[str], now: datetime) -> dict[str, datetime]:
        """Record that only these accounts are watched. The state of others is kept.

        Returns the other accounts with state, and when each of them became absent.
        """
        with self._write() as connection:
            mark_absent(connection, watched, now)
            return load_absent(connection)

    def forget_absent(self, before: datetime) -> list[str]:
        """Forget the accounts that became absent before that time. Returns their names."""
        with self._write() as connection:
            return forget_absent(connection, before)

    def present(self, account: str) -> list[Vm]:
        """The VMs of the account that are not missing."""
        query = select(accounts.c.id).where(accounts.c.name == account)
        with self._read() as connection:
            known = [
                entry
                for account_id in connection.scalars(query)
                for entry in load_known(connection, account_id).values()
            ]
        return [entry.vm for entry in known if entry.missing_since is None]

    def load(self, account: str) -> Stored:
        """All that is stored of the account. Empty if there was no commit.

        Unreadable VMs and alerts are logged and skipped. The next poll finds them again.
        """
        query = select(accounts).where(accounts.c.name == account)
        with garbage_collection_paused(), self._read() as connection:
            row = connection.execute(query).one_or_none()
            if row is None:
                return Stored()
            state = AccountState(
                load_known(connection, row.id),
                load_open(connection, row.id),
                row.last_poll_at,
                row.last_good_at,
                load_keys.readable(row.ssh_keys, account),
                load_balance.readable(row.balance, account),
                load_resources(connection, row.id),
                load_day_costs.readable(row.costs, account) or (),
                row.whole_at,
                row.counted_at,
                row.settled_day,
                row.begun_at,
                journal.load_conditions(connection, row.id),
            )
            unsettled = load_unsettled(connection, row.id)
            return Stored(state, row.version, unsettled, telling.load_notified(connection, row.id))

    def commit(self, account: str, change: Change, *, version: int) -> int:
        """Store what one poll changed, all of it or nothing. Returns the version after it.

        `version` is that of the state that the change began from.

        Raises:
            StoreConflictError: another commit came between.
        """
        with self._write() as connection:
            account_id = advance_account(connection, account, change.after, version)
            save_known(connection, account_id, change)
            save_resources(connection, account_id, change)
            save_alerts(connection, account_id, change)
            end_outgrown(connection, change)
            ledger.save_ledger(connection, account_id, change)
            notes.remove(connection, change.applied)
            journal.save(connection, change.entries)
        return version + 1

    def rename(self, names: Mapping[str, str]) -> None:
        """Rename accounts.

        `names` maps old names to new names. Accounts may swap names.
        The state of an earlier account with a new name is removed.
        Notes under a new name stay, because they were meant for this account.
        """
        if not names:
            return
        with self._write() as connection:
            rename_accounts(connection, names)
            notes.rename(connection, names)

    def leave_note(
        self,
        account: str,
        action: NoteAction,
        subject: str,
        *,
        at: datetime,
        ports: tuple[Port, ...] = (),
    ) -> None:
        """Leave a note about a user's change for the next poll of the account."""
        with self._write() as connection:
            notes.append(connection, account, action, subject, at=at, ports=ports)

    def notes(self, account: str) -> list[Note]:
        """The notes that no poll has applied yet, oldest first."""
        with self._read() as connection:
            return notes.load(connection, account)

    def history(self, account: str | None = None, limit: int = 100) -> list[Alert]:
        """The resolved alerts of one account or of all accounts, newest first."""
        with self._read() as connection:
            return load_history(connection, account, limit)

    def alert(self, alert_id: str) -> Alert | None:
        """The alert with this id, as `alerts` lists it, open or over; `None` if there is none."""
        with self._read() as connection:
            return load_alert(connection, alert_id)

    def prune_ledger(self, before: datetime) -> int:
        """Remove entries of the ledger from before that time; the costs of their days stay."""
        with self._write() as connection:
            return ledger.prune_entries(connection, before)

    def prune(self, before: datetime) -> int:
        """Remove resolved alerts that ended before that time, with the journal. Returns their number."""
        old = delete(alerts).where(~is_open, alerts.c.ends_at < before)
        with self._write() as connection:
            journal_bounds.prune(connection, before)
            return connection.execute(old).rowcount

    def settle(self, episodes: Collection[Episode], entries: Sequence[Entry] = ()) -> None:
        """Record that no receiver is due anything of these ended alerts any more, and why."""
        with self._write() as connection:
            journal.save(connection, entries)
            telling.settle(connection, episodes)

    def receivers(self) -> dict[str, Attempts]:
        """Every receiver that is or was in the settings, with its attempts."""
        with self._read() as connection:
            return telling.load_receivers(connection)

    def add_receivers(self, names: Collection[str], now: datetime) -> None:
        """Add receivers to those that are stored."""
        with self._write() as connection:
            for name in names:
                telling.add_receiver(connection, name, now)

    def remove_receiver(self, name: str) -> None:
        """Forget a receiver and what it was notified of."""
        with self._write() as connection:
            telling.remove_receiver(connection, name)

    def save_attempts(
        self,
        receiver: str,
        attempts: Attempts,
        told: Mapping[Episode, Notified],
        entries: Sequence[Entry] = (),
    ) -> None:
        """Record the begin or the outcome of an attempt, what the receiver is notified of, and entries.

        If this raises before an attempt, do not make it.
        """
        with self._write() as connection:
            telling.save_notified(connection, receiver, told)
            telling.save_attempts(connection, receiver, attempts)
            journal.save(connection, entries)

    def last_entries(self, receiver: str) -> list[Entry]:
        """The last entry of the journal of a receiver about each alert that is not settled."""
        return self.journal.last_of(receiver)

    def _read(self) -> AbstractContextManager[Connection]:
        return self._database.read()

    def _write(self) -> AbstractContextManager[Connection]:
        return self._database.write()

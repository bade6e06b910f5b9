"""What the watcher on this machine knows, and notes to it about changes made here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import typer

from fluence_watch.app.wiring import Setup
from fluence_watch.cli.manage.choose import Target
from fluence_watch.errors import StoreError
from fluence_watch.model.known import KnownVm
from fluence_watch.model.note import NoteAction
from fluence_watch.model.ports import Port
from fluence_watch.rules.port_drift import expected_ports
from fluence_watch.rules.situation import Expectation

Memory = Mapping[tuple[str, str], KnownVm]
"""What is remembered of each VM, by account and key."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The ports that a VM should have; `entry` is the `[[expect]]` that says so, counted from 1."""

    ports: tuple[Port, ...] | None
    entry: int | None = None

    @property
    def source(self) -> str:
        """Where the expectation comes from, for people."""
        if self.entry is not None:
            return f"[[expect]] entry {self.entry}"
        return "unknown" if self.ports is None else "first seen or accepted"


def has_store(setup: Setup) -> bool:
    """Whether a watcher ever ran with these settings.

    Raises:
        StoreError: the store URL is not valid.
    """
    from fluence_watch.store.backends import backend_of

    return backend_of(setup.settings.store.url).exists


def recall(setup: Setup, accounts: Iterable[str]) -> Memory:
    """The stored state of the accounts, with what users accepted since the last poll.

    Nothing where no watcher ever ran.

    Raises:
        StoreError: it cannot be read.
    """
    from fluence_watch.store import Store

    if not has_store(setup):
        return {}
    memory: dict[tuple[str, str], KnownVm] = {}
    with Store.open(setup.settings.store.url, exclusive=False) as store:
        for account in sorted(set(accounts)):
            memory |= {(account, key): vm for key, vm in store.load(account).state.known.items()}
            for note in store.notes(account):
                place = (account, note.subject)
                if note.action is NoteAction.ACCEPTED and place in memory:
                    memory[place] = replace(memory[place], baseline=note.ports)
    return memory


def recall_or_note(setup: Setup, accounts: Iterable[str]) -> Memory:
    """The same where it is optional: a store that cannot be read is a note on stderr."""
    try:
        return recall(setup, accounts)
    except StoreError as error:
        typer.echo(f"fluence-watch: note: ports first seen are unknown: {error}", err=True)
        return {}


def expected_of(
    target: Target, memory: Memory, expectations: tuple[Expectation, ...], now: datetime
) -> Expected:
    """The ports that the VM should have."""
    vm, account = target.vm, target.account
    entry = (memory.get((account, vm.key)) or KnownVm(vm, first_seen_at=now)).updated(vm)
    ports, configured = expected_ports(account, entry, expectations)
    if not configured:
        return Expected(ports)
    named = entry.last_known
    covering = (n for n, each in enumerate(expectations, 1) if each.covers(account, named))
    return Expected(ports, next(covering))


def leave_note(
    setup: Setup, account: str, action: NoteAction, subject: str, *, at: datetime
) -> None:
    """Leave a note for the watcher, where there is one; a failure is no error."""
    try:
        if has_store(setup):
            write_note(setup, account, action, subject, at=at)
    except StoreError as error:
        typer.echo(f"fluence-watch: note: the watcher does not know of this: {error}", err=True)


def write_note(
    setup: Setup,
    account: str,
    action: NoteAction,
    subject: str,
    *,
    at: datetime,
    ports: tuple[Port, ...] = (),
) -> None:
    """Leave a note for the watcher.

    Raises:
        StoreError: the note cannot be left.
    """
    from fluence_watch.store import Store

    with Store.open(setup.settings.store.url, exclusive=False, notes=True) as store:
        store.leave_note(account, action, subject, at=at, ports=ports)

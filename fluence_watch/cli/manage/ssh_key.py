"""`ssh-key ls|add|rm`."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from fluence_watch import eventloop
from fluence_watch.cli.common.help import CommandGroup
from fluence_watch.cli.common.options import AccountOption, ConfigOption, FormatOption
from fluence_watch.cli.common.output import Column, OutputFormat, print_rows
from fluence_watch.cli.manage.choose import ambiguous
from fluence_watch.cli.manage.confirm import (
    FAILED,
    REFUSED,
    USAGE,
    DryRunOption,
    YesOption,
    ask,
    difference,
    stop,
)
from fluence_watch.cli.manage.public_key import PrivateKeyError, PublicKey, read_public_key
from fluence_watch.errors import ApiError
from fluence_watch.model.note import NoteAction
from fluence_watch.model.ssh_key import SshKey
from fluence_watch.model.text import inert

if TYPE_CHECKING:
    from fluence_watch.app.wiring import Setup
    from fluence_watch.fluence import FluenceClient

T = TypeVar("T")
_LONGEST_KEY = 65_536
_STDIN = "-"
_HASH = "SHA256:"

_COLUMNS = (
    Column("account", "ACCOUNT"),
    Column("name", "NAME"),
    Column("fingerprint", "FINGERPRINT"),
)


@dataclass(frozen=True, slots=True)
class AccountKey:
    """A key and the account that it belongs to."""

    account: str
    key: SshKey


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = CommandGroup(no_args_is_help=True, help="See and manage the SSH keys of new VMs.")
    group.command("ls")(ls)
    # a private key begins with dashes too, and must be refused as a key, not as an option
    group.command("add", context_settings={"ignore_unknown_options": True})(add)
    group.command("rm")(rm)
    app.add_typer(group, name="ssh-key")


def ls(
    *,
    config: ConfigOption = None,
    account: AccountOption = None,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """List the SSH keys of all accounts."""
    from fluence_watch.cli.common.accounts import prepared

    setup, failed, rows = prepared(config, account), False, []
    for name in setup.clients:
        try:
            rows += [_row(name, key) for key in _keys(setup, name)]
        except ApiError as error:
            typer.echo(f"fluence-watch: account {name}: {error}", err=True)
            failed = True
    if rows or form is OutputFormat.JSON:
        print_rows(_COLUMNS, rows, form)
    elif not failed:
        typer.echo("no SSH keys")
    if failed:
        raise typer.Exit(FAILED)


def _row(account: str, key: SshKey) -> dict[str, object]:
    return {
        "account": account,
        "name": key.name,
        "fingerprint": key.fingerprint,
        "algorithm": key.algorithm,
        "comment": key.comment,
        "active": key.active,
        "created_at": key.created_at,
        "public_key": key.public_key,
    }


def add(
    key: Annotated[
        str | None, typer.Argument(metavar="KEY", help='The public key, or "-" for stdin.')
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What to call it.", show_default="the key's comment"),
    ] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="PATH", help='The file with the public key, or "-".')
    ] = None,
    *,
    config: ConfigOption = None,
    account: AccountOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Add a public key, for VMs that are deployed from now on."""
    from fluence_watch.cli.common.accounts import prepared

    public = _read(_text(key, file))
    called = inert(name or public.comment)
    if not called:
        stop("the key has no comment to call it by: give --name", USAGE)
    setup = prepared(config, account)
    owner = _only_account(setup)
    known = {each.fingerprint: each for each in _asked(lambda: _keys(setup, owner))}
    if public.fingerprint in known:
        there = inert(known[public.fingerprint].name)
        typer.echo(f"nothing to do: {owner} has that key already, as {there}")
        return
    difference(f"{owner}: SSH keys", added=[f"{called}  {public.fingerprint}"])
    ask(f"Add the key to {owner}?", yes=yes, dry_run=dry_run)
    _add(setup, owner, called, public)


def _add(setup: "Setup", account: str, name: str, public: PublicKey) -> None:
    _tell_the_watcher(setup, account, NoteAction.KEY_ADDED, public.fingerprint)
    added = _asked(lambda: _with(setup, account, lambda c: c.add_ssh_key(name, public.line)))
    what = "added" if added.is_new else "was there already"
    typer.echo(f"{inert(added.key.name)}  {inert(added.key.fingerprint)}: {what}")


def rm(
    key: Annotated[
        str,
        typer.Argument(metavar="KEY", help="Its fingerprint, the beginning of it, or its name."),
    ],
    *,
    config: ConfigOption = None,
    account: AccountOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Remove an SSH key; VMs that run keep what they have."""
    from fluence_watch.cli.common.accounts import prepared

    setup = prepared(config, account)
    owned = [
        AccountKey(name, each)
        for name in setup.clients
        for each in _asked(lambda name=name: _keys(setup, name))  # type: ignore[misc] # mypy cannot type a default in a lambda
    ]
    chosen = _only(key, meant(key, owned))
    shown = f"{inert(chosen.key.name)}  {inert(chosen.key.fingerprint)}"
    difference(f"{chosen.account}: SSH keys", removed=[shown])
    ask(f"Remove the key from {chosen.account}?", yes=yes, dry_run=dry_run)
    _tell_the_watcher(setup, chosen.account, NoteAction.KEY_REMOVED, chosen.key.fingerprint)
    _asked(lambda: _with(setup, chosen.account, lambda c: c.delete_ssh_key(chosen.key)))
    typer.echo(f"{shown}: removed")


def meant(reference: str, keys: Sequence[AccountKey]) -> list[AccountKey]:
    """The keys that the reference may mean; one, when it is clear. Pure."""
    exact = [each for each in keys if reference == each.key.fingerprint]
    beginning = reference if reference.startswith(_HASH) else _HASH + reference
    return exact or [
        each
        for each in keys
        if reference and (each.key.name == reference or each.key.fingerprint.startswith(beginning))
    ]


def _only(reference: str, found: Sequence[AccountKey]) -> AccountKey:
    quoted = f"SSH key {inert(reference, 60)!r}"
    if not found:
        stop(f"there is no {quoted}: `fluence-watch ssh-key ls` lists what there is", USAGE)
    if len(found) > 1:
        rows = [(each.account, inert(each.key.name), inert(each.key.fingerprint)) for each in found]
        stop(ambiguous(quoted, rows), USAGE)
    return found[0]


def _text(key: str | None, file: Path | None) -> str:
    if (key is None) == (file is None):
        stop("give the public key, or --file PATH, and not both", USAGE)
    if _STDIN in (key, str(file)):
        return sys.stdin.read(_LONGEST_KEY)
    if key is not None:
        return key
    assert file is not None
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            return opened.read(_LONGEST_KEY)
    except OSError as error:
        stop(f"{file}: {error.strerror}", USAGE)


def _read(text: str) -> PublicKey:
    try:
        return read_public_key(text)
    except PrivateKeyError as error:
        stop(str(error), REFUSED)
    except ValueError as error:
        stop(str(error), USAGE)


def _only_account(setup: "Setup") -> str:
    if len(setup.clients) > 1:
        stop(f"which account? give --account, one of: {', '.join(setup.clients)}", USAGE)
    return next(iter(setup.clients))


def _tell_the_watcher(setup: "Setup", account: str, action: NoteAction, fingerprint: str) -> None:
    from fluence_watch.app.clock import utc_now
    from fluence_watch.cli.manage.memory import leave_note

    # before the request: a poll in between must not report drift
    leave_note(setup, account, action, fingerprint, at=utc_now())


def _asked(call: Callable[[], T]) -> T:
    try:
        return call()
    except ApiError as error:
        stop(str(error), FAILED)


def _keys(setup: "Setup", account: str) -> tuple[SshKey, ...]:
    return _with(setup, account, lambda client: client.list_ssh_keys())


def _with(setup: "Setup", account: str, call: "Callable[[FluenceClient], Awaitable[T]]") -> T:
    from fluence_watch.app.clock import utc_now
    from fluence_watch.app.wiring import connect

    async def ask() -> T:
        async with connect(account, setup.clients[account], utc_now) as client:
            return await call(client)

    return eventloop.run(ask())

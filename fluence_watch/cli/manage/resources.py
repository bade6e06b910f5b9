"""`disk ls|rm` and `ip ls|rm`: what is billed by itself, beside VMs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from fluence_watch import eventloop
from fluence_watch.cli.common.help import CommandGroup
from fluence_watch.cli.common.options import AccountOption, ConfigOption, FormatOption
from fluence_watch.cli.common.output import Column, OutputFormat, print_json, print_rows
from fluence_watch.cli.manage.choose import ambiguous, is_glob, matching, meant, nearest
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
from fluence_watch.errors import ApiError
from fluence_watch.model.funding import resources_burn
from fluence_watch.model.money import usdc
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.snapshot import PollFailure, Snapshot
from fluence_watch.model.text import inert
from fluence_watch.views.resource import resource_view
from fluence_watch.views.vm import vm_title

if TYPE_CHECKING:
    from fluence_watch.app.wiring import Setup

_COMMANDS = {Kind.DISK: "disk", Kind.PUBLIC_IP: "ip"}
_DETAIL = {
    Kind.DISK: Column("detail", "SIZE", right=True),
    Kind.PUBLIC_IP: Column("detail", "ADDRESS"),
}

ReferencesArgument = Annotated[
    list[str],
    typer.Argument(metavar="REFERENCE", help="Id, beginning of an id, name, or a glob on names."),
]


@dataclass(frozen=True, slots=True)
class Rented:
    """A resource, its account, and the names of the VMs that it is attached to."""

    account: str
    resource: Resource
    vms: tuple[str, ...]

    @property
    def key(self) -> str:
        """The id in lower case."""
        return self.resource.id.lower()

    @property
    def name(self) -> str | None:
        """The name."""
        return self.resource.name

    @property
    def title(self) -> str:
        """The resource for people: its name with the first characters of its id, inert."""
        return vm_title(self.resource.id, self.resource.name)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for kind, name in _COMMANDS.items():
        group = CommandGroup(
            no_args_is_help=True,
            help=f"See and delete {kind.words} that are billed by themselves.",
        )
        group.command("ls", help=f"List the {kind.words} of all accounts.")(_ls(kind))
        group.command("rm", help=_rm_help(kind))(_rm(kind))
        app.add_typer(group, name=name)


def _rm_help(kind: Kind) -> str:
    lost = " and all that is on them" if kind is Kind.DISK else ""
    return f"Delete {kind.words}{lost}. One that is attached to a VM is refused."


def _ls(kind: Kind) -> Callable[..., None]:
    def ls(
        reference: Annotated[
            list[str] | None,
            typer.Argument(
                metavar="REFERENCE", help="Ids, beginnings of ids, names, or globs on names."
            ),
        ] = None,
        *,
        idle: Annotated[
            bool, typer.Option("--idle", help="Only those that are attached to nothing.")
        ] = False,
        config: ConfigOption = None,
        account: AccountOption = None,
        form: FormatOption = OutputFormat.TABLE,
    ) -> None:
        from fluence_watch.app.clock import utc_now
        from fluence_watch.cli.common.accounts import poll_all, prepared

        outcomes = poll_all(prepared(config, account))
        found = list(_rented(outcomes, kind))
        if reference:
            chosen = [each for text in reference for each in _any(text, found)]
            found = list(dict.fromkeys(chosen))
        shown = [each for each in found if each.resource.is_idle or not idle]
        _print(kind, shown, form, utc_now())
        _end(outcomes, kind)

    return ls


def _rm(kind: Kind) -> Callable[..., None]:
    def rm(
        reference: ReferencesArgument,
        *,
        config: ConfigOption = None,
        account: AccountOption = None,
        yes: YesOption = False,
        dry_run: DryRunOption = False,
    ) -> None:
        from fluence_watch.cli.common.accounts import poll_all, prepared

        setup = prepared(config, account)
        outcomes = poll_all(setup)
        for each in outcomes.values():
            if isinstance(each, PollFailure):
                stop(f"account {each.account}: {each.message}", FAILED)
            if kind.words in each.unknown:
                stop(
                    f"account {each.account}: {kind.words}: {inert(each.unknown[kind.words])}",
                    FAILED,
                )
        found = list(_rented(outcomes, kind))
        chosen = list(dict.fromkeys(e for text in reference for e in _meant(kind, text, found)))
        _refuse_attached(kind, chosen)
        _show(kind, chosen)
        ask(_question(kind, chosen), yes=yes, dry_run=dry_run)
        raise typer.Exit(_delete_all(setup, kind, chosen))

    return rm


def _rented(outcomes: Mapping[str, Snapshot | PollFailure], kind: Kind) -> Iterable[Rented]:
    for account, outcome in outcomes.items():
        if isinstance(outcome, Snapshot):
            names = {vm.key: vm_title(vm.id, vm.name) for vm in outcome.vms.values()}
            for each in outcome.resources.values():
                if each.kind is kind:
                    vms = tuple(names.get(vm_id, vm_id) for vm_id in each.attached_to)
                    yield Rented(account, each, vms)


def _any(reference: str, found: Sequence[Rented]) -> Sequence[Rented]:
    return meant(reference, found) or (matching(reference, found) if is_glob(reference) else ())


def _meant(kind: Kind, reference: str, found: Sequence[Rented]) -> Sequence[Rented]:
    """The resources that a reference means; ends the command where that is not clear."""
    exact, quoted = meant(reference, found), f"{kind.word} {inert(reference, 60)!r}"
    if len(exact) > 1:
        rows = [(e.account, inert(e.name or "unknown", 40), inert(e.resource.id)) for e in exact]
        stop(ambiguous(quoted, rows), USAGE)
    chosen = exact or (matching(reference, found) if is_glob(reference) else ())
    if not chosen:
        near = ", ".join(nearest(reference, found))
        hint = f"did you mean {near}? " if near else ""
        command = f"`fluence-watch {_COMMANDS[kind]} ls` lists what there is"
        stop(f"there is no {quoted}: {hint}{command}", USAGE)
    return chosen


def _refuse_attached(kind: Kind, chosen: Sequence[Rented]) -> None:
    lines = [f"{each.title} is attached to {', '.join(each.vms)}" for each in chosen if each.vms]
    if lines:
        option = "--with-disks" if kind is Kind.DISK else "--with-ips"
        how = f"delete the VM with `fluence-watch vm rm … {option}`, or detach it in the console"
        stop("\n".join([*lines, how]), REFUSED)


def _show(kind: Kind, chosen: Sequence[Rented]) -> None:
    lost = ", all on it is lost" if kind is Kind.DISK else ""
    lines = [
        f"{each.title}  {each.account}  {each.resource.ref.detail or 'unknown'}{lost}; {_cost(each)}"
        for each in chosen
    ]
    difference(f"{kind.words} to be deleted", removed=lines)
    if len(chosen) > 1:
        burn = resources_burn(each.resource for each in chosen)
        typer.echo(f"{len(chosen)} {kind.words}: {usdc(burn)} a day less")


def _cost(rented: Rented) -> str:
    if rented.resource.price is None:
        return "its price is unknown"
    return f"{usdc(resources_burn([rented.resource]))} a day until it is deleted"


def _question(kind: Kind, chosen: Sequence[Rented]) -> str:
    if len(chosen) == 1:
        return f"Delete {kind.word} {chosen[0].title}?"
    return f"Delete these {len(chosen)} {kind.words}?"


def _delete_all(setup: "Setup", kind: Kind, chosen: Sequence[Rented]) -> int:
    """Delete each and read it back; a failure does not stop the next. Returns the exit code."""
    code = 0
    for each in chosen:
        error = eventloop.run(_delete(setup, kind, each))
        if error is None:
            typer.echo(f"{each.title}: deleted")
        else:
            typer.echo(f"fluence-watch: {each.title}: {error}", err=True)
            code = FAILED
    return code


async def _delete(setup: "Setup", kind: Kind, rented: Rented) -> str | None:
    """Why it is not deleted, if so."""
    from fluence_watch.app.clock import utc_now
    from fluence_watch.app.wiring import connect
    from fluence_watch.cli.manage.leftovers import delete_resource

    async with connect(rented.account, setup.clients[rented.account], utc_now) as client:
        try:
            return await delete_resource(client, kind, rented.resource.id)
        except ApiError as error:
            return str(error)


def _print(kind: Kind, found: Sequence[Rented], form: OutputFormat, now: datetime) -> None:
    views = [resource_view(each.account, each.resource, now) for each in found]
    if form is OutputFormat.JSON:
        print_json(views)
        return
    if not found:
        typer.echo(f"no {kind.words}")
        return
    rows = [
        {
            "title": each.title,
            "account": each.account,
            "status": each.resource.status_word,
            "detail": each.resource.ref.detail,
            "attached": ", ".join(each.vms) or "nothing",
            "burn_per_day": view.burn_per_day,
        }
        for each, view in zip(found, views, strict=True)
    ]
    columns = [
        Column("title", kind.word.upper()),
        Column("account", "ACCOUNT", drop=1 if len({e.account for e in found}) > 1 else 3),
        Column("status", "STATUS", drop=2),
        _DETAIL[kind],
        Column("attached", "ATTACHED TO"),
        Column("burn_per_day", "A DAY", right=True),
    ]
    print_rows(columns, rows, form)


def _end(outcomes: Mapping[str, Snapshot | PollFailure], kind: Kind) -> None:
    """Print on stderr which lists are not complete; exit with 3 for them."""
    failed = False
    for account, outcome in outcomes.items():
        why = (
            outcome.message if isinstance(outcome, PollFailure) else outcome.unknown.get(kind.words)
        )
        if why:
            typer.echo(f"fluence-watch: account {account}: {kind.words}: {inert(why)}", err=True)
            failed = True
    if failed:
        raise typer.Exit(FAILED)

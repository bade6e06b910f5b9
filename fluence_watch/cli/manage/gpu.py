"""`gpu ls|show|rename|rm`: the instances of the GPU cloud."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from fluence_watch import eventloop
from fluence_watch.cli.common.help import CommandGroup
from fluence_watch.cli.common.options import AccountOption, ConfigOption, FormatOption
from fluence_watch.cli.common.output import (
    UNKNOWN,
    Column,
    OutputFormat,
    cell,
    lasting,
    print_json,
    print_rows,
)
from fluence_watch.cli.manage.confirm import (
    FAILED,
    REFUSED,
    USAGE,
    DryRunOption,
    YesOption,
    ask,
    difference,
    facts,
    stop,
)
from fluence_watch.cli.manage.rented import (
    INSTANCES,
    ReferenceArgument,
    ReferencesArgument,
    Rented,
    end,
    named,
    pick,
    rented,
    whole,
)
from fluence_watch.cli.manage.rented_rm import confirm, delete_all
from fluence_watch.errors import ApiError
from fluence_watch.model.resource import Kind
from fluence_watch.model.text import inert
from fluence_watch.views.resource import ResourceView, resource_view

if TYPE_CHECKING:
    from fluence_watch.app.wiring import Setup

_LONGEST_NAME = 128
_COLUMNS = (
    Column("account", "ACCOUNT", drop=3),
    Column("title", "GPU INSTANCE"),
    Column("kind", "KIND", drop=2),
    Column("status", "STATUS"),
    Column("gpu", "GPU", drop=1),
    Column("reserved", "RESERVE", right=True),
    Column("lasts", "FUNDED"),
    Column("price_per_hour", "AN HOUR", right=True),
    Column("burn_per_day", "A DAY", right=True),
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = CommandGroup(
        no_args_is_help=True,
        help="See and manage GPU instances, of accounts with `gpu = true`.",
    )
    for command in (ls, show, rename, rm):
        group.command(command.__name__)(command)
    app.add_typer(group, name=INSTANCES.name)


def ls(
    reference: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="REFERENCE", help="Ids, beginnings of ids, names, or globs on names."
        ),
    ] = None,
    *,
    over: Annotated[
        bool, typer.Option("--all", help="Also those that have ended or failed.")
    ] = False,
    config: ConfigOption = None,
    account: AccountOption = None,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """List the GPU instances of all accounts."""
    from fluence_watch.app.clock import utc_now
    from fluence_watch.cli.common.accounts import poll_all, prepared

    setup, now = prepared(config, account), utc_now()
    outcomes = poll_all(setup)
    found = [each for each in rented(outcomes, INSTANCES) if over or each.resource.is_billed]
    views = [resource_view(each.account, each.resource, now) for each in named(reference, found)]
    if form is OutputFormat.JSON:
        print_json(views)
    elif views:
        print_rows(_COLUMNS, [_row(view, now) for view in views], form)
    else:
        typer.echo(_none(setup))
    end(outcomes, INSTANCES)


def _none(setup: "Setup") -> str:
    if any(config.gpu for config in setup.clients.values()):
        return "no GPU instances"
    return "no account has `gpu = true`: GPU instances are not read"


def _row(view: ResourceView, now: datetime) -> dict[str, object]:
    return {
        "account": view.account,
        "title": view.title,
        "kind": view.kind.word,
        "status": view.status_word.lower() + ("" if view.running is not False else ", not started"),
        "gpu": view.gpu,
        "reserved": view.reserved,
        "lasts": lasting(view.funded_until, now) if view.billed else "not billed",
        "price_per_hour": view.price_per_hour,
        "burn_per_day": view.burn_per_day,
    }


def show(
    reference: ReferenceArgument,
    *,
    config: ConfigOption = None,
    account: AccountOption = None,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """Show all that is known of a GPU instance."""
    from fluence_watch.app.clock import utc_now
    from fluence_watch.cli.common.accounts import prepared

    setup, now = prepared(config, account), utc_now()
    chosen = _one(reference, whole(setup, INSTANCES))
    view = resource_view(chosen.account, chosen.resource, now)
    if form is OutputFormat.JSON:
        print_json(view)
    else:
        facts(chosen.title, list(_facts(view, now)))


def _one(reference: str, found: Sequence[Rented]) -> Rented:
    chosen = pick(INSTANCES, [reference], found)
    if len(chosen) > 1:
        stop(f"{reference!r:.60} stands for {len(chosen)} GPU instances: name one", USAGE)
    return chosen[0]


def _facts(view: ResourceView, now: datetime) -> Iterator[tuple[str, str]]:
    running = {None: "", True: ", runs", False: ", its program has not started"}
    yield "id", view.id
    yield "name", cell(view.name)
    yield "account", view.account
    yield "kind", view.kind.word
    yield "status", view.status_word.lower() + running[view.running]
    yield "GPU", cell(view.gpu)
    yield "location", cell(view.location)
    yield "address", cell(view.address)
    yield "ports", ", ".join(view.forwards or ()) or (UNKNOWN if view.forwards is None else "none")
    yield "created", _moment(view.created_at, now)
    yield "price", UNKNOWN if view.price_per_hour is None else f"{view.price_per_hour} USDC an hour"
    yield "reserve", UNKNOWN if view.reserved is None else f"{view.reserved} USDC"
    yield "spent", UNKNOWN if view.spent is None else f"{view.spent} USDC"
    yield "next billing", _moment(view.next_billing_at, now) if view.billed else "none"
    yield "funded until", _moment(view.funded_until, now) if view.billed else "not billed"


def _moment(moment: datetime | None, now: datetime) -> str:
    return cell(moment) if moment is None else f"{cell(moment)}, {lasting(moment, now)}"


def rename(
    reference: ReferenceArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new name.")],
    *,
    config: ConfigOption = None,
    account: AccountOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Give a GPU VM or a GPU server another name. The API cannot rename containers."""
    from fluence_watch.cli.common.accounts import prepared

    if not name.strip() or name != inert(name, _LONGEST_NAME).strip():
        stop("the name is empty, too long, or has characters that cannot be shown", USAGE)
    setup = prepared(config, account)
    chosen = _one(reference, whole(setup, INSTANCES))
    if chosen.resource.kind is Kind.GPU_CONTAINER:
        stop(f"{chosen.title}: the API cannot rename a GPU container", REFUSED)
    difference(chosen.title, removed=[cell(chosen.name)], added=[name])
    ask(f"Rename {chosen.title}?", yes=yes, dry_run=dry_run)
    error = eventloop.run(_rename(setup, chosen, name))
    if error:
        stop(f"{chosen.title}: {error}", FAILED)
    typer.echo(f"{chosen.title}: renamed to {inert(name)}")


async def _rename(setup: "Setup", chosen: Rented, name: str) -> str | None:
    """Why it is not renamed, if so."""
    from fluence_watch.app.clock import utc_now
    from fluence_watch.app.wiring import connect

    resource = chosen.resource
    async with connect(chosen.account, setup.clients[chosen.account], utc_now) as client:
        try:
            await client.rename_gpu(resource.kind, resource.id, name)
            listed = (await client.list_resources(resource.kind)).found
        except ApiError as error:
            return str(error)
    if not any(each.id == resource.id and each.name == name for each in listed):
        return "accepted, but read back with another name"
    return None


def rm(
    reference: ReferencesArgument,
    *,
    config: ConfigOption = None,
    account: AccountOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """End GPU instances. They are deleted, with all that is on them; their reserve is released."""
    from fluence_watch.cli.common.accounts import prepared

    setup = prepared(config, account)
    billed = [each for each in whole(setup, INSTANCES) if each.resource.is_billed]
    chosen = pick(INSTANCES, reference, billed)
    confirm(INSTANCES, chosen, yes=yes, dry_run=dry_run)
    raise typer.Exit(delete_all(setup, chosen))

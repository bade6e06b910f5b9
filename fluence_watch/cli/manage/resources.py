"""`disk ls|rm` and `ip ls|rm`: what is billed by itself, beside VMs."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated

import typer

from fluence_watch.cli.common.help import CommandGroup
from fluence_watch.cli.common.options import AccountOption, ConfigOption, FormatOption
from fluence_watch.cli.common.output import Column, OutputFormat, print_json, print_rows
from fluence_watch.cli.manage.confirm import REFUSED, DryRunOption, YesOption, stop
from fluence_watch.cli.manage.rented import (
    ADDRESSES,
    DISKS,
    Group,
    ReferencesArgument,
    Rented,
    end,
    named,
    pick,
    rented,
    whole,
)
from fluence_watch.cli.manage.rented_rm import confirm, delete_all
from fluence_watch.views.resource import resource_view

_DETAIL = {"disk": Column("detail", "SIZE", right=True), "ip": Column("detail", "ADDRESS")}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for group in (DISKS, ADDRESSES):
        commands = CommandGroup(
            no_args_is_help=True,
            help=f"See and delete {group.words} that are billed by themselves.",
        )
        commands.command("ls", help=f"List the {group.words} of all accounts.")(_ls(group))
        lost = " and all that is on them" if group is DISKS else ""
        text = f"Delete {group.words}{lost}. One that is attached to a VM is refused."
        commands.command("rm", help=text)(_rm(group))
        app.add_typer(commands, name=group.name)


def _ls(group: Group) -> Callable[..., None]:
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
        found = named(reference, rented(outcomes, group))
        shown = [each for each in found if each.resource.is_idle or not idle]
        _print(group, shown, form, utc_now())
        end(outcomes, group)
        if not shown and form is not OutputFormat.JSON:
            what = "match" if reference else "are billed by themselves"
            typer.echo(f"no {'idle ' if idle else ''}{group.words} {what}")

    return ls


def _rm(group: Group) -> Callable[..., None]:
    def rm(
        reference: ReferencesArgument,
        *,
        config: ConfigOption = None,
        account: AccountOption = None,
        yes: YesOption = False,
        dry_run: DryRunOption = False,
    ) -> None:
        from fluence_watch.cli.common.accounts import prepared

        setup = prepared(config, account)
        chosen = pick(group, reference, whole(setup, group))
        _refuse_attached(group, chosen)
        confirm(group, chosen, yes=yes, dry_run=dry_run)
        raise typer.Exit(delete_all(setup, chosen))

    return rm


def _refuse_attached(group: Group, chosen: Sequence[Rented]) -> None:
    lines = [f"{each.title} is attached to {', '.join(each.vms)}" for each in chosen if each.vms]
    if lines:
        option = "--with-disks" if group is DISKS else "--with-ips"
        how = f"delete the VM with `fluence-watch vm rm … {option}`, or detach it in the console"
        stop("\n".join([*lines, how]), REFUSED)


def _print(group: Group, found: Sequence[Rented], form: OutputFormat, now: datetime) -> None:
    views = [resource_view(each.account, each.resource, now) for each in found]
    if form is OutputFormat.JSON:
        print_json(views)
        return
    if not found:
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
        Column("title", group.word.upper()),
        Column("account", "ACCOUNT", drop=1 if len({e.account for e in found}) > 1 else 3),
        Column("status", "STATUS", drop=2),
        _DETAIL[group.name],
        Column("attached", "ATTACHED TO"),
        Column("burn_per_day", "A DAY", right=True),
    ]
    print_rows(columns, rows, form)

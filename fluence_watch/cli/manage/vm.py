"""`vm`, and `vm rename`."""

from typing import TYPE_CHECKING, Annotated

import typer

from fluence_watch.cli.common.completion import complete_vm
from fluence_watch.cli.common.help import CommandGroup
from fluence_watch.cli.common.options import AccountOption, ConfigOption
from fluence_watch.cli.common.output import (
    cell,
)
from fluence_watch.cli.manage import ls, ports, rm, show
from fluence_watch.cli.manage.choose import Target, can_rename, is_glob, namesakes, new_names, taken
from fluence_watch.cli.manage.confirm import (
    REFUSED,
    USAGE,
    DryRunOption,
    YesOption,
    ask,
    difference,
    stop,
)
from fluence_watch.model.text import inert

if TYPE_CHECKING:
    from fluence_watch.cli.manage.carry_out import Job
    from fluence_watch.fluence import FluenceClient

_LONGEST_NAME = 128
_GIB = 2**30
_ONE_STAR = (
    "several VMs cannot have one name: VM and NAME need one * each, as in "
    "`vm rename 'old-*' 'new-*'`; one VM whose name has such characters is named by its id"
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = CommandGroup(no_args_is_help=True, help="See and manage VMs.")
    ls.register(group)
    show.register(group)
    group.command("rename")(rename)
    rm.register(group)
    ports.register(group)
    app.add_typer(group, name="vm")


def rename(
    vm: Annotated[
        str,
        typer.Argument(
            metavar="VM",
            help="Its id, the beginning of it, or its name; or 'old-*'.",
            autocompletion=complete_vm,
        ),
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new name; or 'new-*'.")],
    *,
    config: ConfigOption = None,
    account: AccountOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Give a VM another name, or several VMs.

    With 'old-*' 'new-*' each keeps what the * stands for.
    """
    from fluence_watch.cli.common.accounts import prepared
    from fluence_watch.cli.manage.carry_out import carry_out
    from fluence_watch.cli.manage.fleet import among, whole

    _check_name(name)
    if is_glob(vm) and not can_rename(vm, name):
        stop(_ONE_STAR, USAGE)
    setup = prepared(config, account)
    fleet = whole(setup)
    if is_glob(vm):
        names = new_names(vm, name, among(fleet, [vm], several=True))
    else:
        names = {among(fleet, [vm])[0]: name}
    changes = _changes(names)
    for new, holder in taken(changes, fleet.targets):
        text = f"another VM of account {holder.account} has the name {new} already: {holder.title}"
        typer.echo(f"fluence-watch: warning: {text}", err=True)
    _ask_to_rename(changes, yes=yes, dry_run=dry_run)
    carry_out(setup, [_renaming(target, new) for target, new in changes.items()])


def _check_name(name: str, of: str = "") -> None:
    if not name.strip() or inert(name, _LONGEST_NAME) != name:
        rule = f"no control characters or outer blanks, and 1 to {_LONGEST_NAME} characters"
        stop(f"{of}a name has {rule}", USAGE)


def _changes(names: dict[Target, str]) -> dict[Target, str]:
    """Those that change; the command ends here when none does, or one is impossible."""
    changes = {target: name for target, name in names.items() if name != target.vm.name}
    if not changes:
        one = f"{next(iter(names)).title}: nothing to do, that is its name"
        typer.echo(one if len(names) == 1 else "nothing to do, these are their names")
        raise typer.Exit
    for target, name in changes.items():
        _check_name(name, f"{target.title}: ")
    if same := ", ".join(target.title for target in namesakes(changes)):
        stop(f"nothing was changed, these would have the same name: {same}", REFUSED)
    return changes


def _ask_to_rename(changes: dict[Target, str], *, yes: bool, dry_run: bool) -> None:
    for target, name in changes.items():
        difference(f"{target.title}: name", removed=[cell(target.vm.name)], added=[name])
    what = next(iter(changes)).title
    if len(changes) > 1:
        what = f"these {len(changes)} VMs"
        typer.echo(f"{len(changes)} VMs get another name")
    ask(f"Rename {what}?", yes=yes, dry_run=dry_run)


def _renaming(target: Target, name: str) -> "Job":
    from fluence_watch.cli.manage.carry_out import Job

    shown = target.vm

    async def write(client: "FluenceClient") -> None:
        await client.update_vm(shown.id, name=name)

    return Job(
        target,
        done=f"its name is now {name}",
        write=write,
        stale=lambda vm: None if vm.name == shown.name else "it was renamed meanwhile",
        differs=lambda vm: None if vm.name == name else f"its name is {cell(vm.name)}",
    )

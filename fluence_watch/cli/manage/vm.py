"""`vm show|rename`."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from fluence_watch.cli.common.completion import complete_vm
from fluence_watch.cli.common.options import AccountOption, ConfigOption, FormatOption
from fluence_watch.cli.common.output import (
    UNKNOWN,
    OutputFormat,
    cell,
    lasting,
    print_json,
)
from fluence_watch.cli.manage import ls, ports, rm
from fluence_watch.cli.manage.choose import Target, can_rename, is_glob, namesakes, new_names, taken
from fluence_watch.cli.manage.confirm import (
    REFUSED,
    USAGE,
    DryRunOption,
    YesOption,
    ask,
    difference,
    facts,
    stop,
)
from fluence_watch.cli.manage.port_changes import words
from fluence_watch.model.funding import FOREVER, HOUR, funded_until
from fluence_watch.model.money import MicroUsdc, usdc
from fluence_watch.model.ports import Port, compared
from fluence_watch.model.text import inert
from fluence_watch.model.vm import Vm
from fluence_watch.views.as_json import fields_of

if TYPE_CHECKING:
    from fluence_watch.cli.manage.carry_out import Job
    from fluence_watch.cli.manage.memory import Expected
    from fluence_watch.fluence import FluenceClient

_LONGEST_NAME = 128
_GIB = 2**30
_ONE_STAR = (
    "several VMs cannot have one name: VM and NAME need one * each, as in "
    "`vm rename 'old-*' 'new-*'`; one VM whose name has such characters is named by its id"
)

VmArgument = Annotated[
    str,
    typer.Argument(
        metavar="VM",
        help="Its id, the beginning of it, or its name.",
        autocompletion=complete_vm,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="See and manage VMs.")
    ls.register(group)
    group.command("show")(show)
    group.command("rename")(rename)
    rm.register(group)
    ports.register(group)
    app.add_typer(group, name="vm")


def show(
    vm: VmArgument,
    *,
    config: ConfigOption = None,
    account: AccountOption = None,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """Show all that is known of a VM."""
    from fluence_watch.app.clock import utc_now
    from fluence_watch.cli.common.accounts import prepared
    from fluence_watch.cli.manage.fleet import pick_one
    from fluence_watch.cli.manage.memory import expected_of, recall_or_note

    setup, now = prepared(config, account), utc_now()
    target = pick_one(setup, vm)
    memory = recall_or_note(setup, [target.account])
    expected = expected_of(target, memory, setup.settings.expectations, now)
    if form is OutputFormat.JSON:
        more = {"expected_ports": _texts(expected.ports), "expected_by": expected.source}
        print_json(fields_of(target.view(now)) | more)
    else:
        lines = [*_identity(target), *_money(target, now)]
        facts(target.title, [*lines, *_ports(target.vm, expected)])


def _identity(target: Target) -> Iterable[tuple[str, str]]:
    vm = target.vm
    word = f" ({inert(vm.status_word)})" if vm.status_word else ""
    yield "id", vm.id
    yield "name", cell(vm.name)
    yield "account", target.account
    yield "status", f"{vm.status.value}{word}"
    tier = vm.datacenter and vm.datacenter.tier
    place = vm.datacenter.name if vm.datacenter else UNKNOWN
    yield "datacenter", f"{place}, tier {tier}" if tier else place
    yield "public IP", cell(vm.public_ip)
    yield "OS image", UNKNOWN if vm.os_image is None else inert(vm.os_image)
    yield "vCPUs", cell(vm.vcpus)
    yield "memory", gib(vm.memory_bytes)
    yield "disk", gib(vm.storage_bytes)


def _money(target: Target, now: datetime) -> Iterable[tuple[str, str]]:
    vm, period = target.vm, "an hour" if target.epoch == HOUR else "an epoch"
    yield "created", _moment(vm.created_at, now)
    yield "price", UNKNOWN if vm.price is None else f"{usdc(vm.price)} {period}"
    yield "reserve", _usdc(vm.reserved)
    yield "spent", _usdc(vm.spent)
    yield "next billing", _moment(vm.next_billing_at, now) if vm.is_billed else "none"
    until = funded_until(vm, target.epoch)
    yield "funded until", _moment(until, now) if vm.is_billed else "not billed"


def _ports(vm: Vm, expected: "Expected") -> Iterable[tuple[str, str]]:
    yield "open ports", words(vm.ports)
    if expected.ports is None:
        yield "expected", UNKNOWN
        return
    yield "expected", f"{words(expected.ports)} ({expected.source})"
    if vm.ports is None:
        return
    opened, closed = compared(vm.ports, expected.ports)
    drift = [*(f"{port} is open" for port in opened), *(f"{port} is closed" for port in closed)]
    yield "drift", ", ".join(drift) or "none"


def gib(size: int | None) -> str:
    """A size in bytes for people."""
    return UNKNOWN if size is None else f"{size / _GIB:.4g} GiB"


def _usdc(micro: MicroUsdc | None) -> str:
    return UNKNOWN if micro is None else usdc(micro)


def _moment(moment: datetime | None, now: datetime) -> str:
    if moment is None or moment == FOREVER:
        return cell(moment)
    return f"{cell(moment)}, {lasting(moment, now)}"


def _texts(ports: tuple[Port, ...] | None) -> list[str] | None:
    return None if ports is None else list(map(str, ports))


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
    """Give a VM another name, or several: 'old-*' 'new-*' keeps what the * stands for."""
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
    """Those that change; the command ends here when none does, or one cannot."""
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

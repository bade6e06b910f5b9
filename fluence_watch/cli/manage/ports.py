"""`vm ports ls|open|close|set|accept|restore`."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from fluence_watch.cli.common.completion import complete_vm
from fluence_watch.cli.common.help import CommandGroup
from fluence_watch.cli.common.options import AccountOption, ConfigOption, FormatOption
from fluence_watch.cli.common.output import Column, OutputFormat, print_rows
from fluence_watch.cli.manage.choose import Target
from fluence_watch.cli.manage.confirm import (
    REFUSED,
    DryRunOption,
    YesOption,
    ask,
    stop,
)
from fluence_watch.cli.manage.port_changes import (
    Change,
    apply,
    changes_of,
    chosen,
    expected_by_target,
    question,
    show,
    to_do,
    words,
)
from fluence_watch.model.note import NoteAction
from fluence_watch.model.ports import (
    Port,
    Ports,
    parse_port,
    with_closed,
    with_open,
)

if TYPE_CHECKING:
    from fluence_watch.app.wiring import Setup
    from fluence_watch.cli.manage.memory import Expected

_ACCOUNT = Column("account", "ACCOUNT")
_COLUMNS = (
    Column("vm", "VM", wraps=16),
    Column("ports", "OPEN", wraps=16),
    Column("expected", "EXPECTED", wraps=16),
    Column("source", "EXPECTED BY", drop=1),
)


def _port(text: str) -> Port:
    try:
        return parse_port(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


VmArgument = Annotated[
    str,
    typer.Argument(
        metavar="VM",
        help="Its id, the beginning of it, its name, or a glob.",
        autocompletion=complete_vm,
    ),
]
PortsArgument = Annotated[
    list[Port],
    typer.Argument(parser=_port, metavar="PORT", help="443/tcp, 8000-8100/udp."),
]
LockoutOption = Annotated[
    bool, typer.Option("--allow-lockout", help="Even when that closes 22/tcp.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = CommandGroup(no_args_is_help=True, help="See and change which ports are open.")
    group.command("ls")(ls)
    group.command("open")(open_ports)
    group.command("close", help="Close ports and leave the others as they are.")(
        _closing(with_closed)
    )
    group.command("set", help="Open these ports and close all others.")(
        _closing(lambda _, ports: ports)
    )
    group.command("accept")(accept)
    group.command("restore")(restore)
    app.add_typer(group, name="ports")


def ls(
    vm: Annotated[
        list[str] | None,
        typer.Argument(metavar="VM", help="All when none.", autocompletion=complete_vm),
    ] = None,
    *,
    config: ConfigOption = None,
    account: AccountOption = None,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """List open ports beside those that are expected."""
    from fluence_watch.app.clock import utc_now
    from fluence_watch.cli.common.accounts import prepared
    from fluence_watch.cli.manage.fleet import load, pick

    setup = prepared(config, account)
    fleet = None if vm else load(setup)
    targets = pick(setup, vm or [], several=True) if fleet is None else fleet.targets
    expected = expected_by_target(setup, targets, utc_now())
    rows = [_row(target, expected[target], form) for target in targets]
    if rows or form is OutputFormat.JSON:
        alone = len({target.account for target in targets}) == 1
        account_column = replace(_ACCOUNT, drop=2 if alone else 0)
        print_rows([account_column, *_COLUMNS], rows, form)
    if fleet is not None:
        fleet.end()


def _row(target: Target, expected: "Expected", form: OutputFormat) -> Mapping[str, object]:
    vm = target.vm
    if form is not OutputFormat.JSON:
        return {
            "account": target.account,
            "vm": target.title,
            "ports": words(vm.ports),
            "expected": words(expected.ports),
            "source": expected.source,
        }
    return {
        "account": target.account,
        "vm_id": vm.id,
        "vm_name": vm.name,
        "ports": _texts(vm.ports),
        "expected_ports": _texts(expected.ports),
        "expected_by": expected.source,
    }


def _texts(ports: Ports | None) -> list[str] | None:
    return None if ports is None else list(map(str, ports))


def open_ports(
    vm: VmArgument,
    ports: PortsArgument,
    *,
    config: ConfigOption = None,
    account: AccountOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Open ports and leave the others as they are."""
    from fluence_watch.cli.common.accounts import prepared

    setup = prepared(config, account)
    changes = changes_of(chosen(setup, vm), lambda _, before: with_open(before, ports))
    apply(setup, changes, allow_lockout=False, yes=yes, dry_run=dry_run)


def _closing(wanted: Callable[[Ports, Ports], Ports]) -> Callable[..., None]:
    """A command that may close ports; `wanted` gives the new set from the open ports and PORTs."""

    def change(
        vm: VmArgument,
        ports: PortsArgument,
        *,
        config: ConfigOption = None,
        account: AccountOption = None,
        allow_lockout: LockoutOption = False,
        yes: YesOption = False,
        dry_run: DryRunOption = False,
    ) -> None:
        from fluence_watch.cli.common.accounts import prepared

        setup, given = prepared(config, account), tuple(sorted(set(ports)))
        changes = changes_of(chosen(setup, vm), lambda _, before: wanted(before, given))
        apply(setup, changes, allow_lockout=allow_lockout, yes=yes, dry_run=dry_run)

    return change


def restore(
    vm: VmArgument,
    *,
    config: ConfigOption = None,
    account: AccountOption = None,
    allow_lockout: LockoutOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Put back the ports that are expected.

    By [[expect]], else those first seen or accepted.
    """
    from fluence_watch.app.clock import utc_now
    from fluence_watch.cli.common.accounts import prepared

    setup = prepared(config, account)
    targets = chosen(setup, vm)
    expected = expected_by_target(setup, targets, utc_now())

    def wanted(target: Target, _: Ports) -> Ports:
        ports = expected[target].ports
        if ports is None:
            raise ValueError(
                "it is not known which ports are expected: no [[expect]] covers it, and the "
                "watcher has not seen its ports"
            )
        return ports

    changes = changes_of(targets, wanted)
    apply(setup, changes, allow_lockout=allow_lockout, yes=yes, dry_run=dry_run)


def accept(
    vm: VmArgument,
    *,
    config: ConfigOption = None,
    account: AccountOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Expect the ports that are open now; no VM is changed."""
    from fluence_watch.app.clock import utc_now
    from fluence_watch.cli.common.accounts import prepared
    from fluence_watch.cli.manage.memory import has_store

    setup, now = prepared(config, account), utc_now()
    if not has_store(setup):
        stop("there is no watcher to accept them: start `fluence-watch run` first", REFUSED)
    targets = chosen(setup, vm)
    expected = expected_by_target(setup, targets, now)
    changes = changes_of(targets, lambda target, before: _acceptable(expected[target], before))
    # here the expected ports change, to the open ones
    changes = [Change(c.target, expected[c.target].ports or (), c.before) for c in changes]
    changes = to_do(changes, "expected already")
    for change in changes:
        show(change, f"{change.target.title}: expected ports")
    ask(question("Accept the ports of", changes), yes=yes, dry_run=dry_run)
    _accept(setup, changes, now)


def _acceptable(expected: "Expected", ports: Ports) -> Ports:
    if expected.entry is not None:
        raise ValueError(
            f"the configuration decides: [[expect]] entry {expected.entry} says "
            f"{words(expected.ports)}; change that instead"
        )
    if expected.ports is None:
        raise ValueError("the watcher has not seen its ports yet: it takes those it sees first")
    return ports


def _accept(setup: "Setup", changes: Iterable[Change], now: datetime) -> None:
    from fluence_watch.cli.manage.memory import write_note

    for change in changes:
        target = change.target
        write_note(
            setup, target.account, NoteAction.ACCEPTED, target.vm.key, at=now, ports=change.after
        )
        typer.echo(f"{target.title}: accepted {words(change.after)}")

"""`vm rm`."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from fluence_watch.cli.common.completion import complete_vm
from fluence_watch.cli.common.options import AccountOption, ConfigOption
from fluence_watch.cli.common.output import (
    UNKNOWN,
    Column,
    OutputFormat,
    cell,
    lasting,
    print_rows,
)
from fluence_watch.cli.manage.choose import Target
from fluence_watch.cli.manage.confirm import (
    REFUSED,
    USAGE,
    DryRunOption,
    YesOption,
    ask,
    facts,
    stop,
)
from fluence_watch.cli.manage.removal import about_money, changed, default_margin, released, removal
from fluence_watch.errors import ApiError, OutcomeUnknownError
from fluence_watch.model.duration import parse_duration, rough, short
from fluence_watch.model.money import in_usdc, usdc
from fluence_watch.model.note import NoteAction
from fluence_watch.model.text import inert
from fluence_watch.model.vm import Vm

if TYPE_CHECKING:
    from fluence_watch.app.wiring import Setup
    from fluence_watch.cli.manage.carry_out import Job
    from fluence_watch.fluence import FluenceClient

_GIB = 2**30
_MOST_IN_FULL = 3

_COLUMNS = (
    Column("vm", "VM"),
    Column("status", "STATUS"),
    Column("disk", "DISK", right=True),
    Column("public_ip", "PUBLIC IP"),
    Column("reserved", "RESERVE", right=True),
    Column("paid", "PAID"),
)


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("rm")(rm)


def rm(
    vm: Annotated[
        list[str],
        typer.Argument(
            metavar="VM",
            help="Id, beginning of an id, name, or a glob on names.",
            autocompletion=complete_vm,
        ),
    ],
    *,
    config: ConfigOption = None,
    account: AccountOption = None,
    at_epoch_end: Annotated[
        bool,
        typer.Option("--at-epoch-end", help="Wait, and delete shortly before the next charge."),
    ] = False,
    margin: Annotated[
        timedelta | None,
        typer.Option(
            parser=_duration,
            metavar="DURATION",
            help="How long before the charge.",
            show_default="60s, or a hundredth of the epoch",
        ),
    ] = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Delete VMs and all that is on their disks."""
    from fluence_watch.app.clock import utc_now
    from fluence_watch.cli.common.accounts import prepared
    from fluence_watch.cli.manage.carry_out import carry_out
    from fluence_watch.cli.manage.fleet import pick

    if margin is not None and not at_epoch_end:
        stop("--margin says how long before the end of the epoch: give --at-epoch-end too", USAGE)
    setup, now = prepared(config, account), utc_now()
    targets = pick(setup, vm, several=True)
    if at_epoch_end:
        targets = _with_an_end(targets, now, margin)
    _show(targets, now)
    if at_epoch_end:
        _say_when(targets, margin, now)
    ask(_question(targets, at_epoch_end), yes=yes, dry_run=dry_run)
    if at_epoch_end:
        _wait_and_delete(setup, targets, margin)
    carry_out(setup, [_job(setup, target, _renamed(target.vm)) for target in targets])


def _with_an_end(
    targets: Iterable[Target], now: datetime, margin: timedelta | None
) -> tuple[Target, ...]:
    """The VMs in the order of the ends of their epochs; each must have one in the future.

    A margin longer than the rest of the epoch would delete at once, and waste what is paid.
    """
    ends = {target: removal(target.vm, now).paid_until for target in targets}
    refused = [
        f"{target.title}: no end of an epoch is known" for target in ends if not ends[target]
    ]
    refused += [
        f"{target.title}: its next charge is nearer than the margin: {rough(end - now)}"
        for target, end in ends.items()
        if end and margin is not None and end - now <= margin
    ]
    if refused:
        stop("\n".join([*refused, "delete without --at-epoch-end"]), REFUSED)
    return tuple(sorted(ends, key=lambda target: ends[target] or now))


def _show(targets: Sequence[Target], now: datetime) -> None:
    if len(targets) <= _MOST_IN_FULL:
        for target in targets:
            facts(f"delete {target.title}", _lost(target, now))
    else:
        print_rows(_COLUMNS, [_row(target, now) for target in targets], OutputFormat.TABLE)
    if len(targets) > 1:
        total, unknown = released(target.vm for target in targets)
        more = f", and that of {unknown} which is not known" if unknown else ""
        typer.echo(f"{len(targets)} VMs: {usdc(total)} of reserve are released{more}")


def _say_when(targets: Iterable[Target], margin: timedelta | None, now: datetime) -> None:
    from fluence_watch.cli.manage.epoch_end import boundary_of

    for target in targets:
        before = _margin(target, margin)
        at = boundary_of(target) - before
        typer.echo(
            f"{target.title} is to be deleted at {at:%Y-%m-%d %H:%M:%S} UTC, "
            f"{lasting(max(at, now), now)}, {short(before)} before its next charge"
        )


def _margin(target: Target, margin: timedelta | None) -> timedelta:
    return default_margin(target.billing.period) if margin is None else margin


def _lost(target: Target, now: datetime) -> list[tuple[str, str]]:
    vm = target.vm
    return [
        ("id", vm.id),
        ("name", cell(vm.name)),
        ("account", target.account),
        ("status", vm.status.value),
        ("disk", f"{_disk(vm)}, all on it is lost"),
        ("public IP", cell(vm.public_ip)),
        ("spent", UNKNOWN if vm.spent is None else f"{usdc(vm.spent)} so far"),
        *zip(["money", ""], about_money(vm, now), strict=False),
    ]


def _row(target: Target, now: datetime) -> dict[str, object]:
    vm = target.vm
    until = removal(vm, now).paid_until
    return {
        "vm": target.title,
        "status": vm.status.value,
        "disk": _disk(vm),
        "public_ip": vm.public_ip,
        "reserved": in_usdc(vm.reserved),
        "paid": lasting(until, now) if vm.is_billed else "not billed",
    }


def _disk(vm: Vm) -> str:
    return UNKNOWN if vm.storage_bytes is None else f"{vm.storage_bytes / _GIB:.4g} GiB"


def _question(targets: Sequence[Target], at_epoch_end: bool) -> str:
    what = targets[0].title if len(targets) == 1 else f"these {len(targets)} VMs"
    return f"Delete {what} at the end of the epoch?" if at_epoch_end else f"Delete {what}?"


def _job(setup: "Setup", target: Target, stale: Callable[[Vm], str | None]) -> "Job":
    from fluence_watch.app.clock import utc_now
    from fluence_watch.cli.manage.carry_out import Job
    from fluence_watch.cli.manage.memory import leave_note

    vm = target.vm

    def tell_the_watcher(action: NoteAction) -> None:
        leave_note(setup, target.account, action, vm.key, at=utc_now())

    async def write(client: "FluenceClient") -> None:
        # before the request: a poll in between must not report the VM as vanished
        tell_the_watcher(NoteAction.REMOVED)
        try:
            await client.delete_vm(vm.id)
        except OutcomeUnknownError:
            raise
        except ApiError:
            tell_the_watcher(NoteAction.KEPT)
            raise

    return Job(target, done="deleted", write=write, stale=stale)


def _renamed(shown: Vm) -> Callable[[Vm], str | None]:
    return lambda vm: None if vm.name == shown.name else f"its name is now {inert(vm.name or '')}"


def _wait_and_delete(setup: "Setup", targets: Sequence[Target], margin: timedelta | None) -> None:
    """Delete each shortly before its charge; the command ends here."""
    from fluence_watch.cli.manage.carry_out import do_all
    from fluence_watch.cli.manage.epoch_end import grouped

    def margin_of(target: Target) -> timedelta:
        return _margin(target, margin)

    code, left = 0, len(targets)
    for group in grouped(targets, margin_of):
        _wait(group, margin_of(group[0]), left)
        code = max(code, do_all(setup, [_last_moment_job(setup, target) for target in group]))
        left -= len(group)
    raise typer.Exit(code)


def _wait(group: Sequence[Target], margin: timedelta, left: int) -> None:
    from fluence_watch.cli.manage.epoch_end import boundary_of, wait_until

    boundary, first = boundary_of(group[0]), group[0].title
    title = first if len(group) == 1 else f"{first} and {len(group) - 1} more"
    kept = "it" if left == 1 else f"the {left} that are left"
    typer.echo(
        f"{title}: waits until {short(margin)} before {cell(boundary)}. Ctrl-C cancels and keeps {kept}"
    )
    try:
        wait_until(boundary - margin, title)
    except KeyboardInterrupt:
        what = f"{first} was" if left == 1 else f"{left} VMs, {first} first, were"
        stop(f"interrupted: {what} not deleted", REFUSED)


def _last_moment_job(setup: "Setup", target: Target) -> "Job":
    from fluence_watch.app.clock import utc_now

    return _job(setup, target, lambda vm: changed(target.vm, vm, utc_now()))

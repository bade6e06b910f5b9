"""`vm rm`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from fluence_watch.cli.manage.at_epoch_end import in_order, say_when, wait_and_delete
from fluence_watch.cli.manage.choose import Target
from fluence_watch.cli.manage.confirm import (
    FAILED,
    REFUSED,
    USAGE,
    DryRunOption,
    YesOption,
    ask,
    facts,
    stop,
)
from fluence_watch.cli.manage.removal import about_money, changed, deleted_with, removal, totals
from fluence_watch.errors import ApiError, OutcomeUnknownError
from fluence_watch.model.duration import parse_duration
from fluence_watch.model.money import in_usdc, usdc
from fluence_watch.model.note import NoteAction
from fluence_watch.model.resource import Kind, Resource
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
    with_disks: Annotated[
        bool,
        typer.Option("--with-disks", help="Delete their disks too, where these are billed alone."),
    ] = False,
    with_ips: Annotated[
        bool,
        typer.Option(
            "--with-ips", help="Delete their public IPs too, where these are billed alone."
        ),
    ] = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Delete VMs. What becomes of their disks and of the money is shown before."""
    from fluence_watch.app.clock import utc_now
    from fluence_watch.cli.common.accounts import prepared
    from fluence_watch.cli.manage.carry_out import carry_out
    from fluence_watch.cli.manage.fleet import pick

    if margin is not None and not at_epoch_end:
        stop("--margin says how long before the end of the epoch: give --at-epoch-end too", USAGE)
    setup, now = prepared(config, account), utc_now()
    targets = pick(setup, vm, several=True)
    kinds = [Kind.DISK] * with_disks + [Kind.PUBLIC_IP] * with_ips
    _check_can_go_too(targets, kinds)
    if at_epoch_end:
        targets = in_order(targets, now, margin)
    also = deleted_with(targets, kinds)
    _show(also, now)
    if at_epoch_end:
        say_when(targets, margin, now)
    ask(_question(also, at_epoch_end), yes=yes, dry_run=dry_run)
    if at_epoch_end:
        wait_and_delete(targets, margin, lambda group: _delete_as_shown(setup, group))
    jobs = [_job(setup, each, _renamed(each.vm), also[each]) for each in targets]
    carry_out(setup, jobs)


def _check_can_go_too(targets: Sequence[Target], kinds: Sequence[Kind]) -> None:
    """End the command where disks and addresses are part of their VM, or are not known."""
    prepaid = [target.title for target in targets if target.billing.prepaid]
    if kinds and prepaid:
        stop(
            f"{', '.join(prepaid)}: the disk and the public IP are part of the VM and are deleted "
            "with it: leave --with-disks and --with-ips out",
            REFUSED,
        )
    unknown = [kind.words for kind in kinds if any(kind in target.unlisted for target in targets)]
    if unknown:
        what = " and ".join(unknown)
        stop(f"the {what} of the VMs could not be listed: nothing was deleted", FAILED)


def _show(also: Mapping[Target, Sequence[Resource]], now: datetime) -> None:
    if len(also) <= _MOST_IN_FULL:
        for target, gone in also.items():
            facts(f"delete {target.title}", _lost(target, now, gone))
    else:
        print_rows(
            _COLUMNS, [_row(target, now, also[target]) for target in also], OutputFormat.TABLE
        )
    if len(also) > 1:
        for line in totals(also):
            typer.echo(line)


def _lost(target: Target, now: datetime, gone: Sequence[Resource]) -> list[tuple[str, str]]:
    vm = target.vm
    part = [("disk", f"{_disk(vm)}, all on it is lost"), ("public IP", cell(vm.public_ip))]
    spent = UNKNOWN if vm.spent is None else f"{usdc(vm.spent)} so far"
    return [
        ("id", vm.id),
        ("name", cell(vm.name)),
        ("account", target.account),
        ("status", vm.status.value),
        *(part if target.billing.prepaid else _attached(target, gone)),
        ("spent", spent),
        *zip(["money", *[""] * 20], about_money(target, now, gone), strict=False),
    ]


def _attached(target: Target, gone: Sequence[Resource]) -> Iterator[tuple[str, str]]:
    for each in target.rented:
        if each not in gone:
            end = "stays"
        else:
            end = "deleted, all on it is lost" if each.kind is Kind.DISK else "deleted"
        yield each.kind.word, f"{each.ref.detail or UNKNOWN}, {end}"
    for kind in sorted(target.unlisted):
        yield kind.words, UNKNOWN


def _row(target: Target, now: datetime, gone: Sequence[Resource]) -> dict[str, object]:
    vm = target.vm
    until = removal(vm, now, target.billing).paid_until
    return {
        "vm": target.title,
        "status": vm.status.value,
        "disk": _disk(vm) if target.billing.prepaid else _disks(target, gone),
        "public_ip": vm.public_ip,
        "reserved": in_usdc(vm.reserved),
        "paid": lasting(until, now) if vm.is_billed else "not billed",
    }


def _disk(vm: Vm) -> str:
    return UNKNOWN if vm.storage_bytes is None else f"{vm.storage_bytes / _GIB:.4g} GiB"


def _disks(target: Target, gone: Sequence[Resource]) -> str:
    disks = [each in gone for each in target.rented if each.kind is Kind.DISK]
    counts = ((disks.count(True), "deleted"), (disks.count(False), "kept"))
    return ", ".join(f"{count} {word}" for count, word in counts if count) or "none"


def _question(also: Mapping[Target, Sequence[Resource]], at_epoch_end: bool) -> str:
    first, more = next(iter(also)), sum(map(len, also.values()))
    what = first.title if len(also) == 1 else f"these {len(also)} VMs"
    if more:
        resources = "disk or public IP" if more == 1 else "disks and public IPs"
        what += f" and {more} {resources}"
    return f"Delete {what} at the end of the epoch?" if at_epoch_end else f"Delete {what}?"


def _job(
    setup: "Setup",
    target: Target,
    stale: Callable[[Vm], str | None],
    also: Sequence[Resource] = (),
) -> "Job":
    from fluence_watch.app.clock import utc_now
    from fluence_watch.cli.manage.carry_out import Job
    from fluence_watch.cli.manage.leftovers import delete_leftovers
    from fluence_watch.cli.manage.memory import leave_note

    vm = target.vm

    def tell_the_watcher(action: NoteAction, subject: str = vm.key) -> None:
        leave_note(setup, target.account, action, subject, at=utc_now())

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
        await delete_leftovers(client, also, tell_the_watcher)

    done = ", ".join(
        ["deleted", *(f"{each.kind.word} {each.name or each.id} too" for each in also)]
    )
    return Job(target, done=inert(done, 500), write=write, stale=stale)


def _renamed(shown: Vm) -> Callable[[Vm], str | None]:
    return lambda vm: None if vm.name == shown.name else f"its name is now {inert(vm.name or '')}"


def _delete_as_shown(setup: "Setup", group: Sequence[Target]) -> int:
    """Delete the VMs that are still as they were confirmed. Returns the exit code."""
    from fluence_watch.app.clock import utc_now
    from fluence_watch.cli.manage.carry_out import do_all

    def stale(target: Target) -> Callable[[Vm], str | None]:
        return lambda vm: changed(target.vm, vm, utc_now())

    return do_all(setup, [_job(setup, target, stale(target)) for target in group])

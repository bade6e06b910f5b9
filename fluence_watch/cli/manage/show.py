"""`vm show`."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from fluence_watch.cli.common.completion import complete_vm
from fluence_watch.cli.common.options import AccountOption, ConfigOption
from fluence_watch.cli.common.output import UNKNOWN, cell, lasting, print_json
from fluence_watch.cli.manage.choose import Target, meant
from fluence_watch.cli.manage.confirm import facts
from fluence_watch.cli.manage.port_changes import words
from fluence_watch.cli.manage.vm_ledger import ledger_lines, ledger_of
from fluence_watch.model.billing import HOUR
from fluence_watch.model.funding import FOREVER
from fluence_watch.model.known import Cause, KnownVm
from fluence_watch.model.money import MicroUsdc, usdc
from fluence_watch.model.ports import Port, compared
from fluence_watch.model.text import inert
from fluence_watch.model.vm import Vm
from fluence_watch.views.as_json import fields_of

if TYPE_CHECKING:
    from fluence_watch.app.wiring import Setup
    from fluence_watch.cli.manage.fleet import Fleet
    from fluence_watch.cli.manage.memory import Expected, Memory

_GIB = 2**30
_CAUSES = {
    Cause.PROVIDER: "its provider ended it",
    Cause.FUNDS: "it ran out of money",
    Cause.USER: "it was deleted",
    Cause.UNKNOWN: UNKNOWN,
}

VmArgument = Annotated[
    str,
    typer.Argument(
        metavar="VM",
        help="Its id, the beginning of it, or its name.",
        autocompletion=complete_vm,
    ),
]


class ShownAs(StrEnum):
    """What `--format` takes where one thing is shown."""

    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class _Missing:
    """A VM that is not in the list of its account, as far as the watcher on this machine knows.

    `since` is unknown until the watcher itself has missed it.
    """

    since: datetime | None = None
    last_seen_at: datetime | None = None
    cause: Cause | None = None


def register(group: typer.Typer) -> None:
    """Add the command."""
    group.command("show")(show)


def show(
    vm: VmArgument,
    *,
    config: ConfigOption = None,
    account: AccountOption = None,
    form: Annotated[ShownAs, typer.Option("--format", "-o", help="How to print.")] = ShownAs.TABLE,
) -> None:
    """Show all that is known of a VM, and what it was charged.

    Of one that is missing: what was last known, from the store of the daemon on this machine.
    """
    from fluence_watch.app.clock import utc_now
    from fluence_watch.cli.common.accounts import prepared
    from fluence_watch.cli.manage.memory import expected_of

    setup = prepared(config, account)
    target, memory, missing = _found(setup, vm)
    now = utc_now()  # after all that is shown: nothing of it is in the future
    ledger = ledger_of(setup, target, memory, now)
    expected = expected_of(target, memory, setup.settings.expectations, now)
    if form is ShownAs.JSON:
        more = {"expected_ports": _texts(expected.ports), "expected_by": expected.source}
        listed = {"listed": missing is None, "missing_since": missing and missing.since}
        print_json(fields_of(target.view(now)) | more | listed | {"ledger": ledger})
        return
    lines = [*_identity(target), *_money(target, now), *ledger_lines(ledger, now)]
    if missing is None:
        facts(target.title, [*lines, *_ports(target.vm, expected)])
        return
    lines = [*_absence(missing, now), *lines, ("open ports", words(target.vm.ports))]
    facts(f"{target.title} is missing; this was last known:", lines)


def _found(setup: "Setup", reference: str) -> "tuple[Target, Memory, _Missing | None]":
    """The VM that the user names, what is remembered, and what of it if the VM is missing."""
    from fluence_watch.cli.manage.fleet import among, whole
    from fluence_watch.cli.manage.memory import recall_or_note

    fleet = whole(setup)
    if meant(reference, fleet.targets):
        (target,) = among(fleet, [reference])
        return target, recall_or_note(setup, [target.account]), None
    memory = recall_or_note(setup, setup.policies)
    absent = _absent(fleet, memory)
    if not meant(reference, absent):
        among(fleet, [reference])  # it ends the command, and says why
    (target,) = among(replace(fleet, targets=tuple(absent)), [reference])
    entry = absent[target]
    return target, memory, _Missing(entry.missing_since, entry.last_seen_at, entry.cause)


def _absent(fleet: "Fleet", memory: "Memory") -> dict[Target, KnownVm]:
    """The remembered VMs that no list has now, as they were last known."""
    listed = {(target.account, target.vm.key) for target in fleet.targets}
    unread = {(each.vm_id or "").lower() for each in fleet.unread}
    return {
        Target(account, entry.last_known, fleet.billings[account]): entry
        for (account, key), entry in memory.items()
        if (account, key) not in listed and key not in unread
    }


def _absence(missing: _Missing, now: datetime) -> Iterable[tuple[str, str]]:
    since = "now; the watcher has not missed it yet"
    yield "missing since", since if missing.since is None else _moment(missing.since, now)
    if missing.last_seen_at is not None:
        yield "last seen", _moment(missing.last_seen_at, now)
    if missing.cause is not None:
        yield "why", _CAUSES[missing.cause]


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
    vm, period = target.vm, "an hour" if target.billing.price_is_for == HOUR else "an epoch"
    yield "created", _moment(vm.created_at, now)
    yield "price", UNKNOWN if vm.price is None else f"{usdc(vm.price)} {period}"
    yield "reserve", _usdc(vm.reserved)
    yield "spent", _usdc(vm.spent)
    yield "next billing", _moment(vm.next_billing_at, now) if vm.is_billed else "none"
    until = target.view(now).funded_until
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

"""`vm ls`."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from fluence_watch.cli.common.completion import complete_vm
from fluence_watch.cli.common.options import AccountOption, ConfigOption, FormatOption
from fluence_watch.cli.common.output import (
    Column,
    OutputFormat,
    Row,
    lasting,
    print_json,
    print_rows,
)
from fluence_watch.model.billing import HOUR
from fluence_watch.views.vm import VmView


class SortKey(StrEnum):
    """What `--sort` takes."""

    NAME = "name"
    ACCOUNT = "account"
    STATUS = "status"
    DATACENTER = "datacenter"
    PRICE = "price"
    RESERVE = "reserve"
    FUNDED_UNTIL = "funded-until"
    CREATED = "created"


_SORTED_BY: dict[SortKey, Callable[[VmView], object]] = {
    SortKey.NAME: lambda vm: None if vm.vm_name is None else _natural(vm.vm_name),
    SortKey.ACCOUNT: lambda vm: vm.account,
    SortKey.STATUS: lambda vm: vm.status,
    SortKey.DATACENTER: lambda vm: vm.datacenter,
    SortKey.PRICE: lambda vm: vm.burn_per_day,
    SortKey.RESERVE: lambda vm: vm.reserved,
    SortKey.FUNDED_UNTIL: lambda vm: vm.funded_until,
    SortKey.CREATED: lambda vm: vm.created_at,
}
_HOUR = HOUR // timedelta(seconds=1)

# The price goes in between. The name of a single account is left out first.
_IDENTITY = (
    Column("account", "ACCOUNT", drop=7),
    Column("title", "VM", wraps=30),
    Column("status", "STATUS"),
    Column("datacenter", "DATACENTER", drop=3),
    Column("public_ip", "PUBLIC IP", drop=1),
    Column("ports", "PORTS", drop=5),
)
_MONEY = (
    Column("reserved", "RESERVE", right=True, drop=2),
    Column("lasts", "FUNDED"),
    Column("funded_until", "UNTIL", drop=6),
)


def register(group: typer.Typer) -> None:
    """Add the command."""
    group.command("ls")(ls)


def ls(
    vm: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="VM",
            help="Only these: ids, beginnings of an id, names, or globs on names.",
            autocompletion=complete_vm,
        ),
    ] = None,
    *,
    config: ConfigOption = None,
    account: AccountOption = None,
    sort: Annotated[
        SortKey | None,
        typer.Option(
            "--sort", help="What to sort by, unknown last.", show_default="the API's order"
        ),
    ] = None,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """List the VMs of all accounts, or those that are named.

    On a narrow terminal these are left out, in this order: the account if it is the only one,
    until when a VM is funded as a date, its ports, its datacenter, its reserve, its public IP.
    Columns without any known value are left out before these.
    """
    from fluence_watch.app.clock import utc_now
    from fluence_watch.cli.common.accounts import prepared
    from fluence_watch.cli.manage.fleet import load

    setup, now = prepared(config, account), utc_now()
    fleet = load(setup)
    views = [target.view(now) for target in fleet.named(vm or [])]
    if sort is not None:
        views.sort(key=_order(sort))
    if form is OutputFormat.JSON:
        print_json(views)
    elif views:
        print_rows(_columns(views), [_row(view, now) for view in views], form)
    elif not (fleet.failures or vm):
        typer.echo("no VMs")
    fleet.end(vm or [])


def _order(sort: SortKey) -> Callable[[VmView], tuple[object, ...]]:
    value = _SORTED_BY[sort]

    def key(vm: VmView) -> tuple[object, ...]:
        what = value(vm)
        return (what is None, what, _natural(vm.vm_name or ""), vm.vm_id)

    return key


def _natural(name: str) -> list[tuple[int, str]]:
    """Numbers in a name sort as numbers: `web-9` comes before `web-10`."""
    pieces = re.findall(r"[0-9]{1,18}|[^0-9]+", name)
    return [
        (int(piece), "") if piece[0].isdigit() and piece.isascii() else (-1, piece)
        for piece in pieces
    ]


def _columns(views: Sequence[VmView]) -> list[Column]:
    """The price is per day where some VMs are charged by the hour and others by the epoch."""
    hourly = {view.epoch_seconds == _HOUR for view in views}
    title = "PRICE/DAY" if len(hourly) > 1 else "PRICE/HOUR" if True in hourly else "PRICE"
    price = Column("burn_per_day" if len(hourly) > 1 else "price_per_epoch", title, right=True)
    identity = list(_IDENTITY)
    if len({view.account for view in views}) > 1:
        identity[0] = replace(identity[0], drop=0)
    return [*identity, price, *_MONEY]


def _row(vm: VmView, now: datetime) -> Row:
    return {
        "account": vm.account,
        "title": vm.title,
        "status": vm.status,
        "datacenter": vm.datacenter,
        "public_ip": vm.public_ip,
        "ports": None if vm.ports is None else ", ".join(vm.ports) or "none",
        "price_per_epoch": vm.price_per_epoch,
        "burn_per_day": vm.burn_per_day,
        "reserved": vm.reserved,
        "lasts": lasting(vm.funded_until, now) if vm.billed else "not billed",
        "funded_until": vm.funded_until if vm.billed else "",
    }

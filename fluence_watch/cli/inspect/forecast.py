"""`forecast`: how long the money lasts, and what the rest of the month costs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from fluence_watch.cli.common.options import AccountOption, ConfigOption, FormatOption
from fluence_watch.cli.common.output import (
    Column,
    OutputFormat,
    Row,
    lasting,
    print_json,
    print_rows,
)
from fluence_watch.model.funding import FOREVER
from fluence_watch.model.moment import exact
from fluence_watch.model.resource import GPUS
from fluence_watch.model.snapshot import Outcome, PollFailure, Snapshot
from fluence_watch.model.text import inert
from fluence_watch.views.resource import resource_title
from fluence_watch.views.vm import vm_title

if TYPE_CHECKING:
    from fluence_watch.app.wiring import Setup
    from fluence_watch.views.account import AccountOverview
    from fluence_watch.views.resource import ResourceView
    from fluence_watch.views.vm import VmView

UNKNOWN = 3
_FREE = frozenset({"SSH keys", "permissions", "charges", "market"})
"""What costs nothing, so that sums are whole without it."""

_COSTS = (
    Column("burn_per_day", "A DAY", right=True),
    Column("to_month_end", "TO MONTH'S END", right=True),
)
_ACCOUNTS = (
    Column("account", "ACCOUNT"),
    Column("vms", "VMS", right=True, drop=2),
    Column("balance", "BALANCE", right=True),
    Column("lasts", "LASTS"),
    Column("first_vm_out", "FIRST VM OUT", drop=1),
    *_COSTS,
)
_VMS = (
    Column("title", "VM"),
    Column("account", "ACCOUNT", drop=1),
    Column("reserved", "RESERVE", right=True, drop=2),
    Column("lasts", "FUNDED"),
    *_COSTS,
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(forecast)


def forecast(
    config: ConfigOption = None,
    account: AccountOption = None,
    form: FormatOption = OutputFormat.TABLE,
    what_if: Annotated[
        list[str] | None,
        typer.Option(
            "--what-if",
            metavar="CHANGE",
            help="Compare with what would be after 'rm VM' (id, name or glob), 'rm disk DISK', 'rm ip IP', 'rm gpu GPU' or 'add N at PRICE' (USDC an epoch, or a day where it is charged by the second). May be given several times, in order.",
        ),
    ] = None,
) -> None:
    """Print how long money lasts, and costs to the month's end.

    Amounts are USDC. The balance is that of the account, where the API tells it. A VM is funded by its reserve. Disks, public IPs and GPU instances that are billed by themselves are listed below the VMs. REMOVED is when what is charged by the second is removed, unless its account is topped up.
    """
    from fluence_watch.app.clock import utc_now
    from fluence_watch.cli.common.accounts import poll_all, prepared
    from fluence_watch.cli.inspect.overview import overview
    from fluence_watch.cli.inspect.what_if import read_steps, show_what_if

    setup, now = prepared(config, account), utc_now()
    steps = read_steps(what_if or [], list(setup.policies))
    outcomes = poll_all(setup)
    lists = {name: each for name, each in outcomes.items() if isinstance(each, Snapshot)}
    if steps:
        complete = _say_unknown(outcomes)
        if lists:
            show_what_if(setup, lists, steps, now, form)
        raise typer.Exit(0 if complete else UNKNOWN)
    accounts = [overview(setup, each, now) for each in lists.values()]
    vms = [view for each in lists.values() for view in _vms(setup, each, now)]
    resources = [view for each in lists.values() for view in _resources(setup, each, now)]
    if form is OutputFormat.JSON:
        print_json({"accounts": accounts, "vms": vms, "resources": resources})
    else:
        _print_tables(accounts, vms, now, form)
        _print_resources(resources, lists, now, form)
        _print_removals(accounts, now)
    raise typer.Exit(0 if _say_unknown(outcomes) else UNKNOWN)


def _vms(setup: "Setup", snapshot: Snapshot, now: datetime) -> "list[VmView]":
    from fluence_watch.model.debt import removal_in
    from fluence_watch.views.vm import vm_view

    billing = setup.policies[snapshot.account].billing_of(snapshot)
    removal = removal_in(snapshot, billing)
    removed_at = removal.vms_at if removal else None
    return [vm_view(snapshot.account, vm, now, billing, removed_at) for vm in snapshot.vms.values()]


def _resources(setup: "Setup", snapshot: Snapshot, now: datetime) -> "list[ResourceView]":
    from fluence_watch.model.debt import removal_in
    from fluence_watch.views.resource import resource_view

    removal = removal_in(snapshot, setup.policies[snapshot.account].billing_of(snapshot))
    return [
        resource_view(snapshot.account, each, now, removal.of(each.kind) if removal else None)
        for each in snapshot.resources.values()
    ]


def _print_resources(
    resources: "Sequence[ResourceView]",
    lists: Mapping[str, Snapshot],
    now: datetime,
    form: OutputFormat,
) -> None:
    if not resources:
        return
    typer.echo()
    names = {
        (snapshot.account, vm.key): vm_title(vm.id, vm.name)
        for snapshot in lists.values()
        for vm in snapshot.vms.values()
    }
    rows = [
        {
            "what": resource_title(each),
            "account": each.account,
            "attached": ", ".join(names.get((each.account, i), i) for i in each.attached_to)
            or "nothing",
            "lasts": _lasts(
                each.funded_until, now, billed=each.billed, metered=each.kind not in GPUS
            ),
            "burn_per_day": each.burn_per_day,
            "to_month_end": each.to_month_end,
        }
        for each in resources
    ]
    columns = _resource_columns(resources)
    shown = columns if len(lists) > 1 else [c for c in columns if c.key != "account"]
    print_rows(shown, rows, form)


def _resource_columns(resources: "Sequence[ResourceView]") -> Sequence[Column]:
    gpus = {each.kind in GPUS for each in resources}
    what = "DISK, IP OR GPU" if len(gpus) > 1 else "GPU" if True in gpus else "DISK OR IP"
    lasts = _lasts_title({not gpu for gpu in gpus})
    return (
        Column("what", what),
        Column("account", "ACCOUNT", drop=1),
        Column("attached", "ATTACHED TO", drop=2),
        Column("lasts", lasts),
        *_COSTS,
    )


def _lasts_title(metered: set[bool]) -> str:
    """What is prepaid is funded by its reserve; what is metered is removed if it is not paid."""
    if len(metered) > 1:
        return "FUNDED OR REMOVED"
    return "REMOVED" if True in metered else "FUNDED"


def _lasts(until: datetime | None, now: datetime, *, billed: bool, metered: bool) -> str:
    if not billed:
        return "not billed"
    return "never" if metered and until == FOREVER else lasting(until, now)


def _print_removals(accounts: "Sequence[AccountOverview]", now: datetime) -> None:
    """When unpaid resources are removed, where the account is metered."""
    for each in accounts:
        vms_at, disks_at = each.vms_removed_at, each.disks_removed_at
        if vms_at is None or disks_at is None or vms_at == FOREVER:
            continue
        typer.echo(
            f"\n{inert(each.account)}: unless it is topped up, VMs and public IPs are removed"
            f" {exact(vms_at, now)}, disks {exact(disks_at, now)}, at the latest"
        )


def _print_tables(
    accounts: "list[AccountOverview]", vms: "list[VmView]", now: datetime, form: OutputFormat
) -> None:
    if accounts:
        print_rows(_ACCOUNTS, [_account_row(each, now) for each in accounts], form)
    if vms:
        typer.echo()
        metered = {each.account for each in accounts if each.vms_removed_at}
        title = _lasts_title({vm.account in metered for vm in vms})
        named = [replace(c, title=title) if c.key == "lasts" else c for c in _VMS]
        shown = named if len(accounts) > 1 else [c for c in named if c.key != "account"]
        rows = [_vm_row(each, now, metered=each.account in metered) for each in vms]
        print_rows(shown, rows, form)


def _account_row(account: "AccountOverview", now: datetime) -> Row:
    return {
        "account": account.account,
        "vms": account.vms,
        "balance": account.balance,
        "lasts": lasting(account.funded_until, now),
        "first_vm_out": lasting(account.first_vm_out, now),
        "burn_per_day": account.burn_per_day,
        "to_month_end": account.to_month_end,
    }


def _vm_row(vm: "VmView", now: datetime, *, metered: bool) -> Row:
    return {
        "title": vm.title,
        "account": vm.account,
        "reserved": vm.reserved,
        "lasts": _lasts(vm.funded_until, now, billed=vm.billed, metered=metered),
        "burn_per_day": vm.burn_per_day,
        "to_month_end": vm.to_month_end,
    }


def _say_unknown(outcomes: Mapping[str, Outcome]) -> bool:
    """Print on stderr what is not in the sums. Returns whether every account is."""
    failures = [each for each in outcomes.values() if isinstance(each, PollFailure)]
    for failure in failures:
        typer.echo(f"fluence-watch: account {failure.account}: {failure.message}", err=True)
    for each in outcomes.values():
        if isinstance(each, Snapshot) and each.rejected:
            _note(each.account, f"VMs that cannot be read: {len(each.rejected)}")
        for what, why in each.unknown.items() if isinstance(each, Snapshot) else ():
            if what not in _FREE:
                _note(each.account, f"not known in full: {what}: {inert(why)}")
    return not failures


def _note(account: str, text: str) -> None:
    typer.echo(f"fluence-watch: note: account {account}: {text}", err=True)

"""What the status page shows: pure data, worst first, and bounded."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import nsmallest
from itertools import chain

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.model.finding import Fingerprint, Severity, VmRef
from fluence_watch.model.funding import EPOCH, FOREVER, HOUR, burn_per_day, funded_until
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.snapshot import Rejected
from fluence_watch.model.text import inert
from fluence_watch.model.vm import Vm
from fluence_watch.web.words import counted, short_id

Brief = Callable[[object, datetime], str]
"""Puts the facts of a finding into one line of words, as of a time."""

MOST_VMS = 200
MOST_ALERTS = 100
MOST_REJECTED = 10

_NAME = 80
_WHAT = 300
_PORTS = 4


@dataclass(frozen=True, slots=True)
class AccountReport:
    """An account as the daemon knows it.

    `up` tells whether the last poll was complete, `None` before the first one; `trouble` says why
    it was not. `vms` and `rejected` are those of the last list that was read.
    """

    name: str
    up: bool | None = None
    trouble: str = ""
    last_good_at: datetime | None = None
    vms: Mapping[str, Vm] = field(default_factory=dict)
    rejected: tuple[Rejected, ...] = ()
    epoch: timedelta = EPOCH


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert that fires; `vm` and `vm_id` are `""` where it is about the account."""

    severity: Severity
    silenced: bool
    rule: str
    account: str
    vm: str
    vm_id: str
    what: str
    since: datetime


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account; `vms` and `burn` (micro-USDC a day) are `None` as long as no list was read.

    `burn_is_partial` when the price of a VM is unknown, so that it is more.
    """

    name: str
    up: bool | None
    trouble: str
    last_good_at: datetime | None
    vms: int | None
    burn: MicroUsdc | None
    burn_is_partial: bool
    rejected: tuple[Rejected, ...]
    rejected_count: int


@dataclass(frozen=True, slots=True)
class VmRow:
    """A VM; amounts in micro-USDC, `None` is unknown.

    `severity` is that of the worst alert that fires for it. `funded_until` is `FOREVER` for a VM
    that costs nothing; `billed` is false for one that has ended.
    """

    account: str
    name: str
    id: str
    short_id: str
    severity: Severity | None
    datacenter: str | None
    status: str
    billed: bool
    price: MicroUsdc | None
    hourly: bool
    reserved: MicroUsdc | None
    funded_until: datetime | None
    next_billing_at: datetime | None
    ports: str | None
    public_ip: str | None


@dataclass(frozen=True, slots=True)
class StatusView:
    """The page. `level` is `ok`, `unknown`, or the severity of the worst alert that fires."""

    now: datetime
    level: str
    headline: str
    alerts: tuple[AlertRow, ...]
    more_alerts: int
    pending: int
    accounts: tuple[AccountRow, ...]
    vms: tuple[VmRow, ...]
    more_vms: int


def build_status(
    accounts: Collection[AccountReport],
    alerts: Collection[Alert],
    now: datetime,
    brief: Brief,
    silenced: Collection[Fingerprint] = (),
) -> StatusView:
    """The page of these accounts and their open alerts, whose facts `brief` puts into words."""
    firing = [alert for alert in alerts if alert.state is State.FIRING]
    loud = [alert for alert in firing if alert.fingerprint not in silenced]
    level, headline = _overall(accounts, loud)
    worst = _worst_by_vm(loud)
    rows = chain.from_iterable(_vm_rows(account, worst) for account in accounts)
    shown = [_alert_row(alert, brief(alert.facts, now), silenced) for alert in firing]
    return StatusView(
        now=now,
        level=level,
        headline=headline,
        alerts=tuple(nsmallest(MOST_ALERTS, shown, key=_alert_urgency)),
        more_alerts=max(0, len(firing) - MOST_ALERTS),
        pending=sum(1 for alert in alerts if alert.state is State.PENDING),
        accounts=tuple(map(_account_row, accounts)),
        vms=tuple(nsmallest(MOST_VMS, rows, key=_vm_urgency)),
        more_vms=max(0, sum(len(account.vms) for account in accounts) - MOST_VMS),
    )


def _overall(accounts: Collection[AccountReport], firing: Collection[Alert]) -> tuple[str, str]:
    dark = [account for account in accounts if account.up is False]
    if firing:
        worst = max((alert.severity for alert in firing), key=lambda severity: severity.rank)
        number = sum(1 for alert in firing if alert.severity is worst)
        fire = f"{counted(len(firing), 'alert fires', 'alerts fire')}, {number} {worst}"
        return worst.value, fire if len(firing) > 1 else f"1 {worst} alert fires"
    if dark:
        return "unknown", f"Nothing fires, but {_share(dark, accounts)} cannot be read whole"
    if not accounts:
        return "unknown", "No account is configured"
    waiting = [account for account in accounts if account.up is None]
    if waiting:
        return "unknown", f"Nothing fires; {_share(waiting, accounts)} not polled yet"
    unread = sum(len(account.rejected) for account in accounts)
    if unread:
        return "unknown", f"Nothing fires, but {counted(unread, 'element')} cannot be read"
    return "ok", "All is well"


def _share(some: Collection[object], of: Collection[object]) -> str:
    return f"{len(some)} of {counted(len(of), 'account')}"


def _worst_by_vm(alerts: Iterable[Alert]) -> dict[tuple[str, str], Severity]:
    worst: dict[tuple[str, str], Severity] = {}
    for alert in alerts:
        vm = (alert.fingerprint.account, alert.fingerprint.subject)
        if vm not in worst or worst[vm].rank < alert.severity.rank:
            worst[vm] = alert.severity
    return worst


def _alert_row(alert: Alert, what: str, silenced: Collection[Fingerprint]) -> AlertRow:
    about = getattr(alert.facts, "vm", None)
    vm = about if isinstance(about, VmRef) else None
    return AlertRow(
        severity=alert.severity,
        silenced=alert.fingerprint in silenced,
        rule=alert.fingerprint.rule,
        account=alert.fingerprint.account,
        vm=inert(vm.name or "", _NAME) if vm else "",
        vm_id=short_id(vm.id) if vm else "",
        what=inert(what, _WHAT),
        since=alert.starts_at or alert.active_at,
    )


def _alert_urgency(row: AlertRow) -> tuple[object, ...]:
    return (row.silenced, -row.severity.rank, row.rule, row.account, row.vm, row.vm_id, row.what)


def _account_row(account: AccountReport) -> AccountRow:
    known = account.last_good_at is not None
    vms = account.vms.values()
    return AccountRow(
        name=account.name,
        up=account.up,
        trouble=inert(account.trouble),
        last_good_at=account.last_good_at,
        vms=len(vms) if known else None,
        burn=burn_per_day(vms, account.epoch) if known else None,
        burn_is_partial=any(vm.price is None for vm in vms if vm.is_billed),
        rejected=tuple(map(_readable, account.rejected[:MOST_REJECTED])),
        rejected_count=len(account.rejected),
    )


def _readable(element: Rejected) -> Rejected:
    return Rejected(inert(element.where, _NAME), inert(element.why), element.vm_id)


def _vm_rows(account: AccountReport, worst: Mapping[tuple[str, str], Severity]) -> Iterable[VmRow]:
    for key, vm in account.vms.items():
        yield _vm_row(account, vm, worst.get((account.name, key)))


def _vm_row(account: AccountReport, vm: Vm, severity: Severity | None) -> VmRow:
    return VmRow(
        account=account.name,
        name=inert(vm.name or "", _NAME),
        id=inert(vm.id),
        short_id=short_id(vm.id),
        severity=severity,
        datacenter=inert(vm.datacenter.name, 40) if vm.datacenter else None,
        status=vm.status.value.replace("_", " "),
        billed=vm.is_billed,
        price=vm.price,
        hourly=account.epoch == HOUR,
        reserved=vm.reserved,
        funded_until=funded_until(vm, account.epoch),
        next_billing_at=vm.next_billing_at,
        ports=_ports(vm),
        public_ip=inert(vm.public_ip, 60) if vm.public_ip else None,
    )


def _ports(vm: Vm) -> str | None:
    if vm.ports is None:
        return None
    if not vm.ports:
        return "none"
    text = ", ".join(inert(str(port), 40) for port in vm.ports[:_PORTS])
    more = len(vm.ports) - _PORTS
    return f"{text} and {more} more" if more > 0 else text


def _vm_urgency(row: VmRow) -> tuple[object, ...]:
    """What fires, then who runs dry first, then who may, then who never will, then who is over."""
    alarm = -row.severity.rank if row.severity else 1
    until = row.funded_until or FOREVER
    doubt = 1 if row.funded_until is None else 2 if until == FOREVER else 0
    return (alarm, not row.billed, doubt, until, row.account, row.name, row.id)

"""The data of the status page: pure, worst first, and bounded."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import nsmallest
from itertools import chain
from types import MappingProxyType

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.muting import Mute, Mutes
from fluence_watch.model.billing import HOUR
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.model.funding import FOREVER, funded_until, resources_burn
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.snapshot import Rejected
from fluence_watch.model.text import counted
from fluence_watch.model.vm import Vm
from fluence_watch.views.account import AccountOverview, account_overview
from fluence_watch.views.alert import AlertView, Brief, alert_view
from fluence_watch.views.resource import ResourceView, resource_view
from fluence_watch.views.vm import VmView, vm_title, vm_view
from fluence_watch.web.query import EVERYTHING, Query
from fluence_watch.web.reports import AccountReport, ReceiverReport

MOST_VMS = 200
MOST_RESOURCES = 100
MOST_ALERTS = 100
MOST_REJECTED = 10

_RELOAD = timedelta(seconds=30)
_NOTHING = Mutes(inhibits=())

_Ranked = tuple[AccountReport, Vm, Severity | None]


@dataclass(frozen=True, slots=True)
class AlertRow:
    """A firing alert, and whether nobody is notified of it now: `alert.muted` says why."""

    alert: AlertView
    silenced: bool


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account, the result of its last poll, its first few unreadable elements, and what is unknown."""

    overview: AccountOverview
    up: bool | None
    error: str
    last_good_at: datetime | None
    rejected: tuple[Rejected, ...]
    unknown: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class VmRow:
    """A VM; `severity` is that of its worst firing alert. One that is not `prepaid` has no reserve."""

    vm: VmView
    severity: Severity | None
    hourly: bool
    prepaid: bool


@dataclass(frozen=True, slots=True)
class ResourceRow:
    """A resource, whether no VM uses it, its `ResourceRef.detail`, and the VMs that use it."""

    resource: ResourceView
    idle: bool
    detail: str | None
    vms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StatusView:
    """The page. `level` is `ok`, `unknown`, or the severity of the worst alert that is not silenced.

    `alerts` are those that match the `query`, of `firing` in all.
    `absent` has the accounts that are missing from the settings, and until when their state is
    kept.
    """

    now: datetime
    reload_seconds: int
    level: str
    headline: str
    alerts: tuple[AlertRow, ...]
    more_alerts: int
    firing: int
    pending: int
    accounts: tuple[AccountRow, ...]
    vms: tuple[VmRow, ...]
    more_vms: int
    resources: tuple[ResourceRow, ...]
    more_resources: int
    absent: tuple[tuple[str, datetime], ...] = ()
    receivers: tuple[ReceiverReport, ...] = ()
    query: Query = EVERYTHING


def build_status(
    accounts: Collection[AccountReport],
    alerts: Collection[Alert],
    now: datetime,
    brief: Brief,
    *,
    mutes: Mutes = _NOTHING,
    query: Query = EVERYTHING,
    absent: Mapping[str, datetime] = MappingProxyType({}),
    receivers: Iterable[ReceiverReport] = (),
    reload_after: timedelta = _RELOAD,
) -> StatusView:
    """The page of these accounts and their open alerts; `brief` words the facts of an alert.

    The query chooses alerts, and nothing else: level and headline are those of all.
    A browser reloads it as often as accounts are polled, at most once a second.
    """
    firing = [alert for alert in alerts if alert.state is State.FIRING]
    muted = mutes.by_account(alerts)
    silenced = {each.fingerprint: mute for each in firing if (mute := muted(each, now))}
    loud = [alert for alert in firing if alert.fingerprint not in silenced]
    chosen = [alert for alert in firing if query.matches(alert)]
    level, headline = _overall(accounts, loud, len(silenced))
    worst = _worst_by_vm(loud)
    vms = chain.from_iterable(_vms(account, worst) for account in accounts)
    rows = {account.name: _account_row(account, now) for account in accounts}
    rented = [(account, each) for account in accounts for each in account.resources.values()]
    return StatusView(
        now=now,
        reload_seconds=max(1, round(reload_after.total_seconds())),
        level=level,
        headline=headline,
        alerts=tuple(
            _alert_row(alert, silenced.get(alert.fingerprint), mutes, now, brief)
            for alert in nsmallest(MOST_ALERTS, chosen, key=_alert_urgency(silenced))
        ),
        more_alerts=max(0, len(chosen) - MOST_ALERTS),
        firing=len(firing),
        pending=sum(1 for alert in alerts if alert.state is State.PENDING),
        accounts=tuple(rows.values()),
        vms=tuple(
            _vm_row(each, rows[each[0].name].overview, now)
            for each in nsmallest(MOST_VMS, vms, key=_vm_urgency)
        ),
        resources=tuple(
            _resource_row(account, each, rows[account.name].overview, now)
            for account, each in nsmallest(MOST_RESOURCES, rented, key=_resource_urgency)
        ),
        more_resources=max(0, len(rented) - MOST_RESOURCES),
        more_vms=max(0, sum(len(account.vms) for account in accounts) - MOST_VMS),
        absent=tuple(sorted(absent.items())),
        receivers=tuple(receivers),
        query=query,
    )


def _alert_row(
    alert: Alert, mute: Mute | None, mutes: Mutes, now: datetime, brief: Brief
) -> AlertRow:
    muted = mute or mutes.acknowledgement(alert, now)
    return AlertRow(alert_view(alert, now, brief, muted), mute is not None)


def _overall(
    accounts: Collection[AccountReport], firing: Collection[Alert], silenced: int
) -> tuple[str, str]:
    if firing:
        worst = max((alert.severity for alert in firing), key=lambda severity: severity.rank)
        number = sum(1 for alert in firing if alert.severity is worst)
        fire = f"{counted(len(firing), 'alert fires', 'alerts fire')}, {number} {worst}"
        return worst.value, fire if len(firing) > 1 else f"1 {worst} alert fires"
    doubt = _doubt(accounts)
    but = f" but for {counted(silenced, 'silenced alert')}" if silenced else ""
    return ("unknown", doubt) if doubt else ("ok", f"All is well{but}")


def _doubt(accounts: Collection[AccountReport]) -> str | None:
    """Why it is not known that all is well."""
    if not accounts:
        return "No account is configured"
    if dark := [account for account in accounts if account.up is False]:
        return f"Nothing fires, but {_share(dark, accounts)} cannot be read in full"
    if waiting := [account for account in accounts if account.up is None]:
        return f"Nothing fires; {_share(waiting, accounts)} not polled yet"
    if unread := sum(len(account.rejected) for account in accounts):
        return f"Nothing fires, but {counted(unread, 'element')} cannot be read"
    if unlisted := sorted({kind.words for account in accounts for kind in account.unlisted}):
        return f"Nothing fires, but {' and '.join(unlisted)} are not known in full"
    return None


def _share(some: Collection[object], of: Collection[object]) -> str:
    return f"{len(some)} of {counted(len(of), 'account')}"


def _worst_by_vm(alerts: Iterable[Alert]) -> dict[tuple[str, str], Severity]:
    worst: dict[tuple[str, str], Severity] = {}
    for alert in alerts:
        vm = (alert.fingerprint.account, alert.fingerprint.subject)
        if vm not in worst or worst[vm].rank < alert.severity.rank:
            worst[vm] = alert.severity
    return worst


def _alert_urgency(silenced: Collection[Fingerprint]) -> Callable[[Alert], tuple[object, ...]]:
    def urgency(alert: Alert) -> tuple[object, ...]:
        place = alert.fingerprint
        return (place in silenced, -alert.severity.rank, place.rule, place)

    return urgency


def _account_row(account: AccountReport, now: datetime) -> AccountRow:
    return AccountRow(
        overview=account_overview(
            account.name,
            account.vms.values() if account.last_good_at is not None else None,
            now,
            account.billing,
            balance=account.balance,
            unread=len(account.rejected),
            complete=account.up is True,
            resources=account.resources.values(),
            kinds=account.kinds,
            unlisted=account.unlisted,
            removal=account.removal,
        ),
        up=account.up,
        error=account.error,
        last_good_at=account.last_good_at,
        rejected=account.rejected[:MOST_REJECTED],
        unknown=tuple(account.unknown.items()),
    )


def _vms(account: AccountReport, worst: Mapping[tuple[str, str], Severity]) -> Iterable[_Ranked]:
    for key, vm in account.vms.items():
        yield account, vm, worst.get((account.name, key))


def _vm_row(ranked: _Ranked, overview: AccountOverview, now: datetime) -> VmRow:
    account, vm, severity = ranked
    view = vm_view(account.name, vm, now, account.billing, overview.vms_removed_at)
    hourly = account.billing.price_is_for == HOUR
    return VmRow(view, severity, hourly=hourly, prepaid=account.billing.prepaid)


def _resource_row(
    account: AccountReport, resource: Resource, overview: AccountOverview, now: datetime
) -> ResourceRow:
    is_disk = resource.kind is Kind.DISK
    removed_at = overview.disks_removed_at if is_disk else overview.vms_removed_at
    known = (account.vms.get(vm_id) for vm_id in resource.attached_to)
    names = zip(known, resource.attached_to, strict=True)
    return ResourceRow(
        resource_view(account.name, resource, now, removed_at),
        resource.is_idle,
        resource.ref.detail,
        tuple(vm_title(vm.id, vm.name) if vm else vm_title(vm_id, None) for vm, vm_id in names),
    )


def _resource_urgency(rented: tuple[AccountReport, Resource]) -> tuple[object, ...]:
    """Order: what no VM uses, then the most expensive; what is not billed any more is last."""
    account, resource = rented
    unpriced = resource.price is None
    cost = -resources_burn([resource])
    return (
        not resource.is_billed,
        not resource.is_idle,
        not unpriced,
        cost,
        account.name,
        resource.key,
    )


def _vm_urgency(ranked: _Ranked) -> tuple[object, ...]:
    """Order: firing alerts, then the next reserve to run out, then unknown, never ending, ended."""
    account, vm, severity = ranked
    alarm = -severity.rank if severity else 1
    known = funded_until(vm, account.billing)
    until = known or FOREVER
    doubt = 1 if known is None else 2 if until == FOREVER else 0
    return (alarm, not vm.is_billed, doubt, until, account.name, vm.name or "", vm.id)

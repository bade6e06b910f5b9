"""The metrics of an account as a table from the model to samples. See `families.py`."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fluence_watch.metrics.labels import identity, label_value, place_labels
from fluence_watch.metrics.numbers import count, timestamp, usdc
from fluence_watch.metrics.view import AccountView
from fluence_watch.model.bill import WATCHED
from fluence_watch.model.charge import OTHER
from fluence_watch.model.funding import account_burn, funded_until, resources_burn, unpriced
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, Resource


@dataclass(frozen=True, slots=True)
class AccountFamily:
    """A metric of an account. `samples` yields pairs of labels and value.

    The labels come in addition to `account`. They are `""` if there are none.
    """

    name: str
    help: str
    samples: Callable[[AccountView], Iterable[tuple[str, str]]]


def _per_account(name: str, text: str, value: Callable[[AccountView], str | None]) -> AccountFamily:
    def samples(view: AccountView) -> Iterable[tuple[str, str]]:
        number = value(view)
        return () if number is None else (("", number),)

    return AccountFamily(name, text, samples)


def _population(view: AccountView) -> Iterable[tuple[str, str]]:
    counts: Counter[str] = Counter()
    groups = Counter((vm.datacenter, vm.status) for vm in view.vms.values())
    for (datacenter, status), number in groups.items():
        counts[f'{place_labels(datacenter)},status="{status}"'] += number
    return [(labels, str(number)) for labels, number in sorted(counts.items())]


def _removal(view: AccountView) -> Iterable[tuple[str, str]]:
    if view.removal:
        times = {"vm": view.removal.vms_at}
        times |= {kind.value: view.removal.of(kind) for kind in (Kind.DISK, Kind.PUBLIC_IP)}
        yield from ((f'kind="{kind}"', timestamp(at) or "") for kind, at in sorted(times.items()))


def _burn(view: AccountView) -> str | None:
    vms, rented = view.vms.values(), view.resources.values()
    if not view.up or view.rejected or view.unlisted or unpriced(vms) or unpriced(rented):
        return None
    return usdc(account_burn(vms, rented, view.billing))


def _listed_kinds(view: AccountView) -> list[Kind]:
    """The kinds of which all are known."""
    return [kind for kind in Kind if kind in view.kinds - view.unlisted]


def _rented(view: AccountView) -> Iterable[tuple[str, str]]:
    billed = [each for each in view.resources.values() if each.is_billed]
    counts = Counter((each.kind, not each.is_idle) for each in billed)
    for kind in _listed_kinds(view):
        for attached in (True, False):
            yield f'kind="{kind}",attached="{attached}"'.lower(), str(counts[kind, attached])


def _rented_burn(view: AccountView) -> Iterable[tuple[str, str]]:
    for kind in _listed_kinds(view):
        of_kind = [each for each in view.resources.values() if each.kind is kind]
        if not unpriced(of_kind):
            yield f'kind="{kind}"', usdc(resources_burn(of_kind)) or ""


def _per_gpu(name: str, text: str, value: Callable[[Resource], str | None]) -> AccountFamily:
    """A number of each GPU instance that is billed."""

    def samples(view: AccountView) -> Iterable[tuple[str, str]]:
        for each in view.resources.values():
            number = value(each) if each.is_gpu and each.is_billed else None
            if number is not None:
                yield _gpu_labels(each), number

    return AccountFamily(name, text, samples)


def _gpu_labels(each: Resource) -> str:
    name, gpu = label_value(each.name or ""), label_value(each.gpu or "")
    return f'kind="{each.kind}",gpu_id="{identity(each.id)}",gpu_name="{name}",gpu="{gpu}"'


def _billed(view: AccountView) -> Iterable[tuple[str, str]]:
    charged = view.bill.charged
    if charged is not None:
        other = sum(charged.values()) - view.bill.sum
        amounts = {kind: charged.get(kind, MicroUsdc(0)) for kind in WATCHED}
        for kind, amount in sorted({**amounts, OTHER: MicroUsdc(other)}.items()):
            yield f'kind="{kind}"', usdc(amount) or ""


def _all_charged(view: AccountView) -> str | None:
    return None if view.charged is None else usdc(MicroUsdc(sum(view.charged.values())))


def _expected_charge(view: AccountView) -> Iterable[tuple[str, str]]:
    for kind, span in sorted((view.bill.expected or {}).items()):
        for bound, amount in span._asdict().items():
            yield f'kind="{kind}",bound="{bound}"', usdc(amount) or ""


ACCOUNT_FAMILIES: tuple[AccountFamily, ...] = (
    _per_account(
        "fluence_up",
        "Whether the last poll was complete: every VM has an id, and the list is readable.",
        lambda view: str(int(view.up)),
    ),
    _per_account(
        "fluence_last_successful_poll_timestamp_seconds",
        "Time of the last successful poll of the account.",
        lambda view: timestamp(view.last_good_at),
    ),
    AccountFamily("fluence_vms", "Number of virtual machines by location and status.", _population),
    _per_account(
        "fluence_rejected_vms",
        "Number of elements of the last list that could not be read.",
        lambda view: count(view.rejected),
    ),
    _per_account(
        "fluence_account_balance_usdc",
        "Balance of the account in USDC.",
        lambda view: usdc(view.balance),
    ),
    _per_account(
        "fluence_account_funded_until_timestamp_seconds",
        "Time until which the account's balance pays for everything that it rents.",
        lambda view: timestamp(view.funded_until),
    ),
    _per_account(
        "fluence_account_overage_usdc",
        "What the account owes beyond its balance, in USDC.",
        lambda view: usdc(view.overage),
    ),
    _per_account(
        "fluence_account_burn_usdc_per_day",
        "What everything that the account rents costs per day in USDC. Absent while unknown.",
        _burn,
    ),
    _per_account(
        "fluence_account_charged_usdc_total",
        "What was charged for everything that the account rents or rented, since it is watched, in USDC.",
        _all_charged,
    ),
    _per_account(
        "fluence_account_month_to_date_usdc",
        "What was charged this month (UTC), since the account is watched, in USDC.",
        lambda view: usdc(view.month_to_date),
    ),
    _per_account(
        "fluence_account_month_forecast_usdc",
        "What this month (UTC) costs by its end if all that runs is kept, in USDC. Absent while unknown.",
        lambda view: usdc(view.month_forecast) if view.up else None,
    ),
    AccountFamily(
        "fluence_account_removal_timestamp_seconds",
        "Time at which unpaid resources are removed at the latest, unless the account is topped up.",
        _removal,
    ),
    AccountFamily(
        "fluence_resources",
        "Number of disks, public IPs and GPU instances that are billed, by whether they are used.",
        _rented,
    ),
    AccountFamily(
        "fluence_resources_burn_usdc_per_day",
        "What disks, public IPs and GPU instances cost per day in USDC.",
        _rented_burn,
    ),
    AccountFamily(
        "fluence_account_billed_usdc",
        "What the API charged for the last settled day (UTC), by kind, in USDC.",
        _billed,
    ),
    AccountFamily(
        "fluence_account_expected_charge_usdc",
        "What that day should have cost at least (low) and at most (high), by kind, in USDC.",
        _expected_charge,
    ),
    AccountFamily(
        "fluence_account_permission",
        "Whether the key has a permission that a poll needs.",
        lambda view: [
            (f'permission="{label_value(name)}"', str(int(has)))
            for name, has in sorted(view.permissions.items())
        ],
    ),
    _per_gpu(
        "fluence_gpu_price_per_hour_usdc",
        "Price of an hour of the GPU instance in USDC.",
        lambda each: usdc(each.price),
    ),
    _per_gpu(
        "fluence_gpu_reserved_balance_usdc",
        "Reserve for the next hours in USDC.",
        lambda each: usdc(each.reserved),
    ),
    _per_gpu(
        "fluence_gpu_total_spent_usdc",
        "Total spent on the GPU instance in USDC.",
        lambda each: usdc(each.spent),
    ),
    _per_gpu(
        "fluence_gpu_funded_until_timestamp_seconds",
        "Time until which the GPU instance is paid for, including its reserve.",
        lambda each: timestamp(funded_until(each, each.billing)),
    ),
    _per_gpu(
        "fluence_gpu_running",
        "Whether the program of the GPU container has started.",
        lambda each: None if each.is_running is None else str(int(each.is_running)),
    ),
)


def account_label(view: AccountView) -> str:
    """The label of every series of an account."""
    return f'account="{identity(view.account)}"'

"""The account's balance and charges.

A metered world keeps its books. Another one keeps no journal, so a VM's charges are derived from
its epochs and its total.
The account's money is one entitlement, and its `usage` is everything that ever left the balance.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from starlette.datastructures import QueryParams

from fluence_watch.simulator.dialects.amounts import decimal
from fluence_watch.simulator.dialects.cloud.paging import Item, bad_request
from fluence_watch.simulator.dialects.cloud.places import cluster_id
from fluence_watch.simulator.dialects.cloud.resources import USER_ID
from fluence_watch.simulator.dialects.cloud.vms import all_vms
from fluence_watch.simulator.errors import RefusedError
from fluence_watch.simulator.machine import Machine, last_charge
from fluence_watch.simulator.metering import rates
from fluence_watch.simulator.world import World

FEATURE_KEY: Final = "account-balance"
_DAY = timedelta(days=1)
_MOST_DAYS = 65_535
_MICROSECOND = timedelta(microseconds=1)
_HOUR_MICROSECONDS = 3_600_000_000
_DECIMALS = 10
_PER_MICRO = 10 ** (_DECIMALS - 6)
_RESOURCE_TYPES = ("VM", "PUBLIC_IP", "SECURITY_GROUP", "STORAGE", "SUBNET", "VPC", "WORKSPACE")


@dataclass(frozen=True, slots=True)
class Charge:
    """What was paid for a resource at a time, or from then on within a day.

    `kind` is the API's word, `amount` in units of 10^-10 USD, `used` in microseconds.
    """

    kind: str
    id: str
    name: str | None
    cluster: str | None
    at: datetime
    amount: int
    used: int


def balance_json(world: World) -> Item:
    """The balance, and the days it lasts at the current burn rate."""
    usage = decimal(world.deposited - world.balance)
    return {
        "userId": USER_ID,
        "featureKey": FEATURE_KEY,
        "balance": decimal(world.balance),
        "usage": usage,
        "estimatedUsage": usage,
        "overage": decimal(max(0, -world.balance)),
        "totalDepositedAmount": decimal(world.deposited),
        "usageDaysLeft": _days_left(world),
    }


def _days_left(world: World) -> int | None:
    if world.metered:
        burn = sum(rates(world).values())
    else:
        burn = sum(machine.price for machine in world.listed() if machine.is_billed)
    if not burn:
        return None
    # in integers, because a timedelta would overflow
    microseconds = max(0, world.balance) * (world.epoch // _MICROSECOND)
    return min(microseconds // (burn * (_DAY // _MICROSECOND)), _MOST_DAYS)


def aggregated(world: World, query: QueryParams) -> list[Item]:
    """The charges of a range of days, by resource or coarser, and by period if requested."""
    start, end = _day(query, "startDate"), _day(query, "endDate")
    if start is None or end is None or end < start:
        raise bad_request("startDate and endDate are needed, in this order")
    group_by = _choice(query, "groupBy", ("RESOURCE", "RESOURCE_TYPE", "CLUSTER"))
    period = _choice(query, "period", ("DAY", "MONTH"))
    if _choice(query, "format", ("json", "csv")) == "csv":
        raise RefusedError("the simulator writes no CSV")
    rows: dict[tuple[object, ...], list[Charge]] = {}
    for charge in _charges(world, query, start, end):
        key = _bucket(charge.at, period), _dimension(charge, group_by)
        rows.setdefault(key, []).append(charge)
    return [_row(charges, group_by, period) for charges in rows.values()]


def total(world: World, query: QueryParams) -> Item:
    """The sum of the charges, over all days or a range."""
    start, end = _day(query, "startDate"), _day(query, "endDate")
    sums: Counter[str] = Counter()
    for charge in _charges(world, query, start or date.min, end or date.max - _DAY):
        sums[charge.kind] += charge.amount
    amounts = {kind: decimal(amount, _DECIMALS) for kind, amount in sums.items()}
    return {"VM": "0"} | amounts | {"total": decimal(sums.total(), _DECIMALS)}


def charges_of(machine: Machine, epoch: timedelta) -> list[Charge]:
    """The charges that a VM's total implies: one an epoch. The oldest takes the remainder."""
    if not machine.spent:
        return []
    last = last_charge(machine, epoch)
    epochs = (last - machine.created_at) // epoch + 1
    count = max(1, min(epochs, machine.spent // machine.price if machine.price else 1))
    oldest = machine.spent - (count - 1) * machine.price
    paid = [*[machine.price] * (count - 1), oldest]
    cluster, used = cluster_id(machine.datacenter), epoch // _MICROSECOND
    return [
        Charge(
            "VM", machine.uuid, machine.name, cluster, last - age * epoch, amount * _PER_MICRO, used
        )
        for age, amount in enumerate(paid)
    ]


def _all_charges(world: World) -> Iterator[Charge]:
    if not world.metered:
        for machine in all_vms(world):
            yield from charges_of(machine, world.epoch)
        return
    names = {machine.uuid: machine.name for machine in all_vms(world)}
    names |= {rental.uuid: rental.name for rental in world.rentals.values()}
    per_micro = world.epoch // _MICROSECOND
    for entry, cost in world.meter.charged.items():
        at = datetime.combine(entry.day, time(), UTC)
        amount = cost * _PER_MICRO * world.bill_percent // (100 * per_micro)
        used = world.meter.used[entry]
        yield Charge(entry.kind, entry.id, names.get(entry.id), None, at, amount, used)


def _charges(world: World, query: QueryParams, start: date, end: date) -> Iterator[Charge]:
    kind = _choice(query, "resourceType", _RESOURCE_TYPES)
    for charge in _all_charges(world):
        is_of = query.get("resourceId", charge.id) == charge.id and kind in {None, charge.kind}
        if is_of and start <= charge.at.date() <= end:
            yield charge


def _row(charges: list[Charge], group_by: str | None, period: str | None) -> Item:
    first = charges[0]
    row: Item = {
        "userId": USER_ID,
        "totalUsageHours": decimal(
            sum(charge.used for charge in charges) * 10**6 // _HOUR_MICROSECONDS
        ),
        "totalCost": decimal(sum(charge.amount for charge in charges), _DECIMALS),
        "clusterId": None if group_by == "RESOURCE_TYPE" else first.cluster,
        "resourceType": None if group_by == "CLUSTER" else first.kind,
    }
    if group_by in {None, "RESOURCE"}:
        row |= {"resourceId": first.id, "resourceName": first.name, "quantity": "1"}
    if period is not None:
        row["periodStart"] = f"{_bucket(first.at, period)}T00:00:00Z"
    return row


def _dimension(charge: Charge, group_by: str | None) -> str | None:
    if group_by == "RESOURCE_TYPE":
        return charge.kind
    return charge.cluster if group_by == "CLUSTER" else charge.id


def _bucket(at: datetime, period: str | None) -> date | None:
    if period is None:
        return None
    return at.date().replace(day=1) if period == "MONTH" else at.date()


def _choice(query: QueryParams, name: str, known: Iterable[str]) -> str | None:
    value = query.get(name)
    if value is not None and value not in known:
        raise bad_request(f"{name} is one of {', '.join(known)}")
    return value


def _day(query: QueryParams, name: str) -> date | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise bad_request(f"{name} must be a date such as 2025-04-30") from None

"""The account's balance and charges.

The world keeps no journal, so a VM's charges are derived from its epochs and its total.
The account's money is one entitlement, and its `usage` is everything that ever left the balance.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from starlette.datastructures import QueryParams

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator.dialects.amounts import decimal
from fluence_watch.simulator.dialects.cloud.paging import Item, bad_request
from fluence_watch.simulator.dialects.cloud.places import cluster_id
from fluence_watch.simulator.dialects.cloud.resources import USER_ID
from fluence_watch.simulator.dialects.cloud.vms import all_vms
from fluence_watch.simulator.errors import RefusedError
from fluence_watch.simulator.machine import Machine, last_charge
from fluence_watch.simulator.world import World

FEATURE_KEY: Final = "account-balance"
_DAY = timedelta(days=1)
_MOST_DAYS = 65_535
_MICROSECOND = timedelta(microseconds=1)
_HOUR_MICROSECONDS = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Charge:
    """A VM's payment for one epoch, and its time."""

    machine: Machine
    at: datetime
    amount: MicroUsdc


def balance_json(world: World) -> Item:
    """The balance, and the days it lasts at the current burn rate."""
    usage = decimal(world.deposited - world.balance)
    return {
        "userId": USER_ID,
        "featureKey": FEATURE_KEY,
        "balance": decimal(world.balance),
        "usage": usage,
        "estimatedUsage": usage,
        "overage": "0",
        "totalDepositedAmount": decimal(world.deposited),
        "usageDaysLeft": _days_left(world),
    }


def _days_left(world: World) -> int | None:
    burn = sum(machine.price for machine in world.listed() if machine.is_billed)
    if not burn:
        return None
    # in integers, because a timedelta would overflow
    microseconds = world.balance * (world.epoch // _MICROSECOND)
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
        bucket = _bucket(charge.at, period)
        rows.setdefault((bucket, _dimension(charge.machine, group_by)), []).append(charge)
    return [_row(world, charges, group_by, period) for charges in rows.values()]


def total(world: World, query: QueryParams) -> Item:
    """The sum of the charges, over all days or a range."""
    start, end = _day(query, "startDate"), _day(query, "endDate")
    charges = _charges(world, query, start or date.min, end or date.max - _DAY)
    amount = decimal(sum(charge.amount for charge in charges))
    return {"total": amount, "VM": amount}


def charges_of(machine: Machine, epoch: timedelta) -> list[Charge]:
    """The charges that a VM's total implies: one an epoch. The oldest takes the remainder."""
    if not machine.spent:
        return []
    last = last_charge(machine, epoch)
    epochs = (last - machine.created_at) // epoch + 1
    count = max(1, min(epochs, machine.spent // machine.price if machine.price else 1))
    oldest = MicroUsdc(machine.spent - (count - 1) * machine.price)
    newer = [Charge(machine, last - age * epoch, machine.price) for age in range(count - 1)]
    return [*newer, Charge(machine, last - (count - 1) * epoch, oldest)]


def _charges(world: World, query: QueryParams, start: date, end: date) -> Iterator[Charge]:
    if query.get("resourceType", "VM") != "VM":
        return
    since = datetime.combine(start, time(), UTC)
    until = datetime.combine(end + _DAY, time(), UTC)
    for machine in all_vms(world):
        if query.get("resourceId", machine.uuid) == machine.uuid:
            yield from (c for c in charges_of(machine, world.epoch) if since <= c.at < until)


def _row(world: World, charges: list[Charge], group_by: str | None, period: str | None) -> Item:
    machine = charges[0].machine
    microseconds = len(charges) * (world.epoch // _MICROSECOND)
    row = {
        "userId": USER_ID,
        "totalUsageHours": decimal(microseconds * 10**6 // _HOUR_MICROSECONDS),
        "totalCost": decimal(sum(charge.amount for charge in charges)),
        "clusterId": None if group_by == "RESOURCE_TYPE" else cluster_id(machine.datacenter),
        "resourceType": None if group_by == "CLUSTER" else "VM",
    }
    if group_by in {None, "RESOURCE"}:
        row |= {"resourceId": machine.uuid, "resourceName": machine.name, "quantity": "1"}
    if period is not None:
        row["periodStart"] = f"{_bucket(charges[0].at, period)}T00:00:00Z"
    return row


def _dimension(machine: Machine, group_by: str | None) -> str:
    if group_by == "RESOURCE_TYPE":
        return "VM"
    return cluster_id(machine.datacenter) if group_by == "CLUSTER" else machine.uuid


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

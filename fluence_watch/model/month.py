"""A month (UTC): its ends, and what it will yet cost."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from fluence_watch.model.billing import Billing
from fluence_watch.model.funding import cost_until
from fluence_watch.model.money import Sum
from fluence_watch.model.resource import Resource
from fluence_watch.model.vm import Vm


class Rented(NamedTuple):
    """What an account rents, and how its VMs are paid.

    `counted_at` is until when metered things are in the ledger already, `None` if they are not. If it
    `is_whole`, nothing else is rented: no list is missing or has things that cannot be read.
    """

    vms: Collection[Vm]
    resources: Collection[Resource]
    billing: Billing
    counted_at: datetime | None = None
    is_whole: bool = True


def month_begin(now: datetime) -> datetime:
    """The first moment of the month."""
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def month_end(now: datetime) -> datetime:
    """The first moment of the next month."""
    return (month_begin(now) + timedelta(days=32)).replace(day=1)


def month_ahead(rented: Rented, now: datetime) -> Sum:
    """What the month will add to the ledger, if all that runs is kept.

    A thing is unknown if its price or its next charge is; the sum, if not all things are listed. Every forecast of a month is this one: where
    it is shown it is "at least" that much, and where it decides something it is unknown.
    """
    begin, end = max(rented.counted_at or now, month_begin(now)), month_end(now)
    things: list[tuple[Vm | Resource, Billing]]
    things = [(vm, rented.billing) for vm in rented.vms]
    things += [(each, each.billing) for each in rented.resources]
    costs = (cost_until(thing, now if paid.prepaid else begin, end, paid) for thing, paid in things)
    return replace(Sum.of(costs), is_unlisted=not rented.is_whole)

"""A month (UTC): its ends, and what it will yet cost."""

from collections.abc import Collection
from datetime import datetime, timedelta

from fluence_watch.model.billing import Billing
from fluence_watch.model.funding import cost_until
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Resource
from fluence_watch.model.vm import Vm


def month_begin(now: datetime) -> datetime:
    """The first moment of the month."""
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def month_end(now: datetime) -> datetime:
    """The first moment of the next month."""
    return (month_begin(now) + timedelta(days=32)).replace(day=1)


def month_ahead(
    vms: Collection[Vm],
    resources: Collection[Resource],
    billing: Billing,
    now: datetime,
    counted_at: datetime | None,
) -> MicroUsdc | None:
    """What the month will add to the ledger, if all that runs is kept; `None` if that is unknown.

    `counted_at` is until when metered things are in the ledger already.
    """
    begin, end = max(counted_at or now, month_begin(now)), month_end(now)
    things = [(vm, billing) for vm in vms] + [(each, each.billing) for each in resources]
    charges = [
        cost_until(thing, now if paid.prepaid else begin, end, paid) for thing, paid in things
    ]
    if any(each is None for each in charges):
        return None
    return MicroUsdc(sum(filter(None, charges)))

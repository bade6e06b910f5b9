"""What an account rents, as its last poll left it."""

from datetime import datetime

from fluence_watch.alerting.state import AccountState
from fluence_watch.model.accounting import is_metered
from fluence_watch.model.billing import METERED, Billing
from fluence_watch.model.month import Rented, month_begin


def billing_of(state: AccountState, prepaid: Billing) -> Billing:
    """How the VMs were paid at the last successful poll; `prepaid` is how, if not by the second."""
    return METERED if is_metered(state.counted_at, state.last_good_at) else prepaid


def is_whole(state: AccountState, billing: Billing) -> bool:
    """Whether the last successful poll saw everything that is metered. Of prepaid accounts nobody knows."""
    return billing.prepaid or state.whole_at == state.last_good_at


def rented_in(state: AccountState, prepaid: Billing, now: datetime) -> Rented | None:
    """What is listed and billed, as last known; `None` without a successful poll in this month."""
    if state.last_good_at is None or state.last_good_at < month_begin(now):
        return None
    billing = billing_of(state, prepaid)
    vms = [each.last_known for each in state.known.values() if each.missing_since is None]
    things = [each.resource for each in state.resources.values() if each.missing_since is None]
    return Rented(
        [vm for vm in vms if vm.is_billed],
        [each for each in things if each.is_billed],
        billing,
        None if billing.prepaid else state.counted_at,
        is_whole(state, billing),
    )

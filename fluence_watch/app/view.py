"""The data of an account that is exported after a poll."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from fluence_watch.app.polled import Polled
from fluence_watch.metrics.view import AccountView
from fluence_watch.model.bill import bill_of
from fluence_watch.model.billing import Billing
from fluence_watch.model.charge import last_settled
from fluence_watch.model.debt import removal_in
from fluence_watch.model.finding import Fingerprint
from fluence_watch.model.funding import account_funded_until
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.month import month_ahead
from fluence_watch.model.ports import Port
from fluence_watch.model.snapshot import Snapshot
from fluence_watch.model.vm import Vm
from fluence_watch.rules import debt
from fluence_watch.rules.port_drift import expected_ports


def build_view(polled: Polled, last: AccountView | None) -> AccountView:
    """The account after a poll. After a failed one it is as in `last`, or as it is stored.

    A counter that cannot be read is as it was.
    """
    outcome, policy = polled.outcome, polled.policy
    charged = last.charged if polled.charged is None and last else polled.charged
    if not isinstance(outcome, Snapshot):
        view = replace(last or _remembered(polled), up=False)
        return replace(view, month_to_date=polled.month_to_date, charged=charged)
    billing = policy.billing_of(outcome)
    return AccountView(
        account=policy.account,
        up=outcome.complete and not outcome.unreadable,
        vms=outcome.vms,
        expected=_expected(polled, outcome.vms),
        last_good_at=polled.state.last_good_at,
        rejected=len(outcome.rejected),
        dialect=outcome.dialect,
        billing=billing,
        balance=outcome.balance.balance if outcome.balance else None,
        overage=outcome.balance.overage if outcome.balance else None,
        funded_until=_funded_until(outcome, billing),
        resources=outcome.resources,
        kinds=outcome.kinds,
        unlisted=outcome.unlisted,
        permissions=outcome.permissions,
        removal=removal_in(outcome, billing, _owed_since(polled)),
        market=outcome.market,
        bill=bill_of(last_settled(outcome.taken_at), polled.state.costs, outcome.charges),
        month_to_date=polled.month_to_date,
        month_forecast=_month_forecast(polled),
        charged=charged,
    )


def _month_forecast(polled: Polled) -> MicroUsdc | None:
    """What the month costs by its end, if everything that costs money is known."""
    if polled.month_to_date is None or polled.rented is None:
        return None
    ahead = month_ahead(polled.rented, polled.outcome.taken_at).whole
    return None if ahead is None else MicroUsdc(polled.month_to_date + ahead)


def _owed_since(polled: Polled) -> datetime | None:
    """When the debt of the account was first seen."""
    alert = polled.state.alerts.get(Fingerprint(polled.policy.account, debt.NAME))
    return alert.active_at if alert else None


def _funded_until(outcome: Snapshot, billing: Billing) -> datetime | None:
    """The time until which the account's balance pays for its VMs, if known."""
    if outcome.balance is None or not outcome.is_whole:
        return None
    vms, resources = outcome.vms.values(), outcome.resources.values()
    return account_funded_until(outcome.balance.balance, vms, outcome.taken_at, billing, resources)


def _remembered(polled: Polled) -> AccountView:
    """The stored state, shown until the first good poll after a start."""
    vms = {
        key: entry.vm for key, entry in polled.state.known.items() if entry.missing_since is None
    }
    return AccountView(
        account=polled.policy.account,
        up=False,
        vms=vms,
        expected=_expected(polled, vms),
        last_good_at=polled.state.last_good_at,
        billing=polled.policy.billing,
    )


def _expected(polled: Polled, vms: Mapping[str, Vm]) -> dict[str, tuple[Port, ...] | None]:
    expectations = tuple(polled.policy.expectations)
    known, account = polled.state.known, polled.policy.account
    return {key: expected_ports(account, known[key], expectations)[0] for key in vms}

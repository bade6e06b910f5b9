"""What an account costs, from one poll."""

from datetime import datetime
from typing import TYPE_CHECKING

from fluence_watch.model.debt import removal_in
from fluence_watch.model.snapshot import Snapshot
from fluence_watch.views.account import AccountOverview, account_overview

if TYPE_CHECKING:
    from fluence_watch.app.wiring import Setup


def overview(setup: "Setup", snapshot: Snapshot, now: datetime) -> AccountOverview:
    """The account as of `now`, if it is as in the snapshot."""
    billing = setup.policies[snapshot.account].billing_of(snapshot)
    return account_overview(
        snapshot.account,
        snapshot.vms.values(),
        now,
        billing,
        removal=removal_in(snapshot, billing),
        balance=snapshot.balance,
        unread=len(snapshot.rejected),
        complete=snapshot.complete,
        resources=snapshot.resources.values(),
        kinds=snapshot.kinds,
        unlisted=snapshot.unlisted,
    )

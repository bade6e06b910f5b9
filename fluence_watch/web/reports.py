"""What the daemon knows of accounts and receivers, for the status page. Light: always loaded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from fluence_watch.model.account import AccountBalance
from fluence_watch.model.billing import EPOCHS, Billing
from fluence_watch.model.debt import Removal
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.snapshot import Rejected
from fluence_watch.model.vm import Vm


@dataclass(frozen=True, slots=True)
class AccountReport:
    """An account as the daemon knows it.

    `up` is whether the last poll was complete, or `None` before the first; `error` says why not.
    `vms`, `rejected`, `balance` and `resources` are those of the last list that was read.
    `unlisted` and `unknown` are as in a snapshot. `removal` is when unpaid resources are removed.
    """

    name: str
    up: bool | None = None
    error: str = ""
    last_good_at: datetime | None = None
    vms: Mapping[str, Vm] = field(default_factory=dict)
    rejected: tuple[Rejected, ...] = ()
    balance: AccountBalance | None = None
    billing: Billing = EPOCHS
    resources: Mapping[str, Resource] = field(default_factory=dict)
    kinds: frozenset[Kind] = frozenset()
    unlisted: frozenset[Kind] = frozenset()
    unknown: Mapping[str, str] = field(default_factory=dict)
    removal: Removal | None = None


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """A receiver of the settings, since the daemon started.

    `accepted_at` is its last success, `failing_since` the first failure after it.
    Waiting messages are as of the last attempt; `next_try_at` is when they are tried again.
    """

    name: str
    accepted_at: datetime | None = None
    failing_since: datetime | None = None
    error: str = ""
    waiting: int = 0
    oldest_at: datetime | None = None
    next_try_at: datetime | None = None

"""What the exposition gets of an account after each poll."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fluence_watch.model.funding import EPOCH
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import Port
from fluence_watch.model.vm import Vm


@dataclass(frozen=True, slots=True)
class AccountView:
    """One account as it is known now.

    `up` tells whether the last poll was complete. `vms`, keyed by `Vm.key`, are those of the last
    good snapshot, also after a failed poll; `expected` are the ports that each should have, under
    the same keys, `None` or absent where nobody knows. `balance` is in micro-USDC. What is `None`
    has no series.
    """

    account: str
    up: bool
    vms: Mapping[str, Vm] = field(default_factory=dict)
    expected: Mapping[str, tuple[Port, ...] | None] = field(default_factory=dict)
    last_good_at: datetime | None = None
    rejected: int | None = None
    dialect: str = "v2"
    epoch: timedelta = EPOCH
    balance: MicroUsdc | None = None
    funded_until: datetime | None = None

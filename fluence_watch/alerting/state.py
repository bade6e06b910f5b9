"""The state of one account between two polls."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from fluence_watch.alerting.lifecycle import Alert
from fluence_watch.model.finding import Fingerprint
from fluence_watch.model.known import KnownVm
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ssh_key import SshKey


@dataclass(frozen=True, slots=True)
class AccountState:
    """The state after a poll, as committed.

    `known` is keyed by `Vm.key`. `alerts` are the open alerts.
    `last_poll_at` is the last evaluated poll, successful or failed.
    `last_good_at` is the last poll that returned a list.
    `ssh_keys` and `balance` (micro-USDC) are the last known values, `None` before the first one.
    """

    known: Mapping[str, KnownVm] = field(default_factory=dict)
    alerts: Mapping[Fingerprint, Alert] = field(default_factory=dict)
    last_poll_at: datetime | None = None
    last_good_at: datetime | None = None
    ssh_keys: tuple[SshKey, ...] | None = None
    balance: MicroUsdc | None = None

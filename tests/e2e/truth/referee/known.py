"""What was seen of an account until now, poll by poll."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from fluence_watch.model.ports import Port
from fluence_watch.simulator.machine import Machine
from tests.e2e.truth.bending import Bend
from tests.e2e.truth.fleet import DAY, Sight

CONFIRM_POLLS = 2
FORGET_AFTER = timedelta(days=7)
LATE = timedelta(minutes=15)
MOST = 3
"""A fleet of fewer VMs is none: that its VMs leave at once is no wonder."""


@dataclass(slots=True)
class Seen:
    """What was seen of a VM. `before` is it as the last poll but this one saw it.

    `boundary` is its last charge, `paid_since` whether its reserve paid an epoch at any poll since.
    `missing_since` is the first whole list without it, `among` how many VMs there were before.
    `odd_since` is the poll that saw a charge that does not fit. Until the next boundary, a charge `may_come`
    late if it was listed just after the last one for the first time, or again. `was_missing` is whether it
    was missing since its money was last told.
    """

    now: Machine
    ports: tuple[Port, ...]
    boundary: datetime
    paid_since: bool
    before: Machine | None = None
    missing_since: datetime | None = None
    missing_polls: int = 0
    among: int = 0
    odd_since: datetime | None = None
    may_come: bool = False
    was_missing: bool = False

    @property
    def is_lost(self) -> bool:
        """Whether it is certain that it is missing."""
        return self.missing_polls >= CONFIRM_POLLS

    @property
    def ran_dry(self) -> bool:
        """Whether its money explains that it is gone."""
        short = self.now.shortfall > 0
        return bool(short and self.missing_since and self.now.next_billing_at <= self.missing_since)


@dataclass
class Memory:
    """What was seen of an account. `removed` are the VMs that the user deleted by `vm rm`.

    `fleets` is how many VMs left the list when most did.
    """

    vms: dict[str, Seen] = field(default_factory=dict)
    keys: frozenset[str] | None = None
    keys_before: frozenset[str] | None = None
    removed: set[str] = field(default_factory=set)
    fleets: dict[datetime, int] = field(default_factory=dict)
    fresh: list[str] = field(default_factory=list)
    began: bool = False

    def see(self, sight: Sight) -> None:
        """A poll saw this."""
        self.keys_before, self.keys = self.keys, self.keys if sight.keys is None else sight.keys
        self.fresh = []
        if sight.vms is None:
            return
        there = sum(1 for each in self.vms.values() if each.missing_since is None)
        for key, machine in sight.vms.items():
            self._see(key, machine, sight.at)
            if sight.bent.get(key) is not Bend.MONEYLESS:
                self.vms[key].was_missing = False
        for key in self.vms.keys() - sight.vms.keys():
            if key in sight.unread:
                self.vms[key].missing_since, self.vms[key].missing_polls = None, 0
            else:
                self._miss(key, sight.at, there)
        self.began = True

    def as_known(self, sight: Sight) -> Sight:
        """The poll as it could be seen: what it did not tell of the money of a VM is as it was."""
        known = {
            key: _with_money_of(self.vms[key].now, machine)
            for key, machine in (sight.vms or {}).items()
            if sight.bent.get(key) is Bend.MONEYLESS and key in self.vms
        }
        return replace(sight, vms={**(sight.vms or {}), **known}) if known else sight

    def _see(self, key: str, machine: Machine, at: datetime) -> None:
        seen, pays = self.vms.get(key), machine.shortfall == 0
        boundary = machine.next_billing_at - DAY
        if seen is None:
            if self.began:
                self.fresh.append(key)
            late = at - boundary <= LATE
            self.vms[key] = Seen(machine, machine.ports, boundary, pays, may_come=late)
            return
        self._charge(seen, machine, at)
        late = seen.was_missing and at - boundary <= LATE
        seen.may_come = late or (seen.may_come and boundary == seen.boundary)
        same = seen.boundary == boundary
        seen.paid_since = pays or (same and seen.paid_since)
        seen.before, seen.now, seen.boundary = seen.now, machine, boundary
        seen.missing_since, seen.missing_polls = None, 0

    @staticmethod
    def _charge(seen: Seen, machine: Machine, at: datetime) -> None:
        """Whether what was charged fits. What was charged while it was missing is not judged."""
        passed = round((machine.next_billing_at - seen.now.next_billing_at) / DAY)
        charged = machine.spent - seen.now.spent
        prices = sorted((passed * seen.now.price, passed * machine.price))
        most = prices[1] + (machine.price if seen.may_come else 0)
        billed = machine.is_billed and seen.now.is_billed
        if not prices[0] <= charged <= most and billed and not seen.was_missing:
            seen.odd_since = seen.odd_since or at
        elif passed:
            seen.odd_since = None

    def _miss(self, key: str, at: datetime, there: int) -> None:
        seen = self.vms[key]
        if key in self.removed or at - (seen.missing_since or at) > FORGET_AFTER:
            del self.vms[key]
            return
        if seen.missing_since is None:
            seen.missing_since, seen.among, seen.was_missing = at, there, True
        seen.missing_polls += 1

    def doubted(self) -> Mapping[datetime, list[str]]:
        """The VMs of which most left the list at once, by when: then the list is the suspect."""
        groups: dict[datetime, list[str]] = {}
        for key, seen in self.vms.items():
            if seen.missing_since and not seen.ran_dry:
                groups.setdefault(seen.missing_since, []).append(key)
        doubted = {at: keys for at, keys in groups.items() if self._is_most(at, keys)}
        self.fleets |= {at: len(keys) for at, keys in doubted.items() if at not in self.fleets}
        return doubted

    def _is_most(self, at: datetime, keys: list[str]) -> bool:
        dry = sum(s.missing_since == at and s.ran_dry for s in self.vms.values())
        among = self.vms[keys[0]].among - dry
        return among >= MOST and 2 * len(keys) > among


def _with_money_of(before: Machine, machine: Machine) -> Machine:
    return replace(
        machine, price=before.price, reserved=before.reserved, spent=before.spent,
        next_billing_at=before.next_billing_at,
    )  # fmt: skip

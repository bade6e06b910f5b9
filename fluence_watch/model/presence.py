"""Which VMs are missing from the list, which of them are lost, and why.

A VM that is not in a complete list is *missing*.
It is confirmed missing after `confirm_polls` such lists in a row.
A confirmed VM is *lost* once it has a cause:

    PROVIDER  it was being terminated when last seen
    FUNDS     the API reported low funds, its money had run out by then, or its account owed too much
    USER      the account's balance rose by its reserve
    UNKNOWN   none of these, and it is not doubted

If most of an account's VMs leave the list in the same poll, the list itself is suspect.
VMs with a cause are lost anyway. They do not count when "most" is determined.
The others are *doubted* until they are back, until a refund explains them, or for `suspect_for`.
A group of VMs that had all ended is not suspect: the user cleaned up.

A cause stays until the VM is back in the list, regardless of settings and clock changes.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from fluence_watch.model.billing import Billing
from fluence_watch.model.funding import funded_until
from fluence_watch.model.known import Cause, KnownVm
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import OUT_OF_FUNDS, Status

SMALLEST_FLEET = 3
_TOLERANCE = 10  # a refund may differ from the reserve by a tenth


@dataclass(frozen=True, slots=True)
class PresenceLimits:
    """When a missing VM is confirmed, how long it is doubted, and when it is forgotten."""

    confirm_polls: int
    suspect_for: timedelta
    forget_after: timedelta


@dataclass(frozen=True, slots=True)
class Doubt:
    """The unexplained VMs that left the list in the poll at `since`.

    `among` is how many VMs the account had then, without the explained ones.
    At `until`, the doubted VMs count as lost.
    """

    since: datetime
    until: datetime
    among: int
    vms: Mapping[str, KnownVm]

    @property
    def subject(self) -> str:
        """The subject of findings about this doubt. Findings about a VM use its key instead."""
        return doubt_subject(self.since)


def doubt_subject(since: datetime) -> str:
    """The subject of findings about the poll at that time."""
    return f"fleet@{since.isoformat()}"


@dataclass(frozen=True, slots=True)
class Presence:
    """The VMs that are not in the list, by `Vm.key`. Each is in exactly one of the fields.

    VMs in `missing` are not confirmed yet.
    """

    missing: Mapping[str, KnownVm] = field(default_factory=dict)
    lost: Mapping[str, KnownVm] = field(default_factory=dict)
    doubts: tuple[Doubt, ...] = ()

    @property
    def undecided(self) -> dict[str, KnownVm]:
        """The VMs that may still exist and cost money."""
        doubted = (doubt.vms for doubt in self.doubts)
        return {key: entry for vms in (self.missing, *doubted) for key, entry in vms.items()}

    @property
    def subjects(self) -> frozenset[str]:
        """All subjects of findings about VMs that are not in the list."""
        doubts = (doubt.subject for doubt in self.doubts)
        return frozenset([*self.undecided, *self.lost, *doubts])


def presence_of(known: Mapping[str, KnownVm], limits: PresenceLimits, billing: Billing) -> Presence:
    """Which VMs are missing, lost and doubted, according to the causes that `settle` found.

    A confirmed VM may not be settled yet, for example after a change of `confirm_polls`.
    It is missing until the next complete list, or doubted if the list is suspect.
    """
    missing: dict[str, KnownVm] = {}
    lost: dict[str, KnownVm] = {}
    doubts = []
    for departure in _departures(known, billing):
        doubted: dict[str, KnownVm] = {}
        unsettled = doubted if departure.is_suspect else missing
        for key, entry in departure.vms.items():
            confirmed = entry.missing_polls >= limits.confirm_polls
            of = lost if entry.cause else missing if departure.causes[key] else unsettled
            (of if confirmed else missing)[key] = entry
        if doubted:
            until = departure.since + limits.suspect_for
            doubts.append(Doubt(departure.since, until, departure.among, doubted))
    return Presence(missing, lost, tuple(doubts))


def settle(
    known: Mapping[str, KnownVm],
    limits: PresenceLimits,
    now: datetime,
    billing: Billing,
    rise: int | None = None,
    *,
    unpaid: bool = False,
) -> Mapping[str, KnownVm]:
    """The known VMs with the cause of each loss that is certain after a successful poll.

    `rise` is the increase of the account's balance since the previous poll, in micro-USDC.
    It is `None` if unknown. `unpaid` is whether the VMs of a metered account are removed for a debt.
    """
    departures = [
        each
        for each in _departures(known, billing)
        if any(entry.cause is None for entry in each.vms.values())
    ]
    refunded = max((each.since for each in departures if each.is_refunded_by(rise)), default=None)
    causes: dict[str, Cause] = {}
    for departure in departures:
        if departure.since == refunded:
            causes |= departure.decided(0, Cause.USER)
        elif unpaid:
            causes |= departure.decided(limits.confirm_polls, Cause.FUNDS)
        elif departure.is_suspect and abs(now - departure.since) < limits.suspect_for:
            causes |= departure.decided(limits.confirm_polls, None)
        else:
            causes |= departure.decided(limits.confirm_polls, Cause.UNKNOWN)
    if not causes:
        return known
    return {**known, **{key: replace(known[key], cause=cause) for key, cause in causes.items()}}


@dataclass(frozen=True, slots=True)
class _Departure:
    """The VMs that went missing in one poll, and the cause that explains each of them."""

    since: datetime
    vms: Mapping[str, KnownVm]
    causes: Mapping[str, Cause | None]

    @property
    def unexplained(self) -> list[KnownVm]:
        return [entry for key, entry in self.vms.items() if self.causes[key] is None]

    @property
    def among(self) -> int:
        """How many VMs the account had when these went missing, without the explained ones."""
        return _among(self.vms.values()) - len(self.vms) + len(self.unexplained)

    @property
    def is_suspect(self) -> bool:
        """Whether most of the account's VMs left, without counting the explained ones."""
        gone = self.unexplained
        ended = all(entry.vm.status is Status.TERMINATED for entry in gone)
        return self.among >= SMALLEST_FLEET and 2 * len(gone) > self.among and not ended

    def is_refunded_by(self, rise: int | None) -> bool:
        """Whether the rise matches the sum of the unexplained VMs' reserves."""
        reserves = [entry.last_known.reserved for entry in self.unexplained]
        amounts = [MicroUsdc(amount) for amount in reserves if amount is not None]
        if rise is None or len(amounts) < len(reserves):
            return False
        total = sum(amounts)
        return total > 0 and _TOLERANCE * abs(rise - total) <= total

    def decided(self, polls: int, otherwise: Cause | None) -> dict[str, Cause]:
        """The causes of the unsettled VMs that have been missing for at least `polls` polls."""
        return {
            key: cause
            for key, entry in self.vms.items()
            if entry.cause is None and entry.missing_polls >= polls
            if (cause := self.causes[key] or otherwise)
        }


def _departures(known: Mapping[str, KnownVm], billing: Billing) -> list[_Departure]:
    return [
        _Departure(since, group, {key: e.cause or _cause(e, billing) for key, e in group.items()})
        for since, group in _by_poll(known).items()
    ]


def _by_poll(known: Mapping[str, KnownVm]) -> dict[datetime, dict[str, KnownVm]]:
    """The missing VMs, grouped by the poll in which they went missing."""
    groups: dict[datetime, dict[str, KnownVm]] = defaultdict(dict)
    for key, entry in known.items():
        if entry.missing_since is not None:
            groups[entry.missing_since][key] = entry
    return groups


def _among(group: Iterable[KnownVm]) -> int:
    """How many VMs the account had when these went missing."""
    return next(iter(group)).missing_among


def _cause(entry: KnownVm, billing: Billing) -> Cause | None:
    """The cause that the VM's last description shows, `None` if it shows none."""
    if entry.vm.status is Status.TERMINATING:
        return Cause.PROVIDER
    if entry.vm.status in OUT_OF_FUNDS or _ran_dry(entry, billing):
        return Cause.FUNDS
    return None


def _ran_dry(entry: KnownVm, billing: Billing) -> bool:
    """Whether the VM's money had run out when it went missing.

    A top-up may have followed a charge that the reserve paid while nobody polled.
    In that case the answer is no.
    """
    until, since = funded_until(entry.vm, billing), entry.missing_since
    if until is None or since is None or until > since:
        return False
    unseen = since - (entry.last_seen_at or since)
    return unseen < billing.period or until == entry.vm.next_billing_at

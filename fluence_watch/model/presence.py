"""Which VMs are missing from the list, which of them are lost, and why.

A VM that is not in a complete list is *missing*; after `confirm_polls` such lists in a row that is
confirmed. What is confirmed is *lost* once it has a cause:

    PROVIDER  it was being terminated when it was last seen
    FUNDS     the API said that its money was short, or it was used up by then
    USER      the account's balance rose by its reserve
    UNKNOWN   none of these, and it is not doubted

When most of an account's VMs leave the list in the same poll, the list is the suspect and not the
VMs. Those with a cause are lost all the same. The others, judged against the rest of the fleet, are
*doubted*: until they are back, until the balance tells, at most for `suspect_for`. VMs that had all
ended are no fleet: somebody tidied up.

A cause stays until the VM is back in the list, whatever settings or clocks do.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from fluence_watch.model.funding import funded_until
from fluence_watch.model.known import Cause, KnownVm
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import OUT_OF_FUNDS, Status

SMALLEST_FLEET = 3
_TOLERANCE = 10  # a refund may differ from the reserve by a tenth


@dataclass(frozen=True, slots=True)
class PresenceLimits:
    """When a missing VM is confirmed, how long one is doubted, and when one is forgotten."""

    confirm_polls: int
    suspect_for: timedelta
    forget_after: timedelta


@dataclass(frozen=True, slots=True)
class Doubt:
    """VMs that left the list in the poll at `since`, of `among` that have no other explanation.

    At `until` they count as lost.
    """

    since: datetime
    until: datetime
    among: int
    vms: Mapping[str, KnownVm]

    @property
    def subject(self) -> str:
        """What identifies it among the subjects of findings, where a VM has its key."""
        return doubt_subject(self.since)


def doubt_subject(since: datetime) -> str:
    """The subject of a doubt about the poll at that time."""
    return f"fleet@{since.isoformat()}"


@dataclass(frozen=True, slots=True)
class Presence:
    """The VMs that are not in the list, by `Vm.key`: each is in one of the three.

    `missing` are not confirmed yet.
    """

    missing: Mapping[str, KnownVm] = field(default_factory=dict)
    lost: Mapping[str, KnownVm] = field(default_factory=dict)
    doubts: tuple[Doubt, ...] = ()

    @property
    def undecided(self) -> dict[str, KnownVm]:
        """The VMs that may still be there, and cost money."""
        doubted = (doubt.vms for doubt in self.doubts)
        return {key: entry for vms in (self.missing, *doubted) for key, entry in vms.items()}

    @property
    def subjects(self) -> frozenset[str]:
        """All that findings about VMs that are not in the list can be about."""
        doubts = (doubt.subject for doubt in self.doubts)
        return frozenset([*self.undecided, *self.lost, *doubts])


def presence_of(known: Mapping[str, KnownVm], limits: PresenceLimits, epoch: timedelta) -> Presence:
    """Who is missing, lost and doubted, by the causes that `settle` found.

    Confirmed VMs that it has not settled yet, as after a change of `confirm_polls`, are missing
    until the next complete list, unless so many left at once that the list is the suspect.
    """
    missing: dict[str, KnownVm] = {}
    lost: dict[str, KnownVm] = {}
    doubts = []
    for departure in _departures(known, epoch):
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
    epoch: timedelta,
    rise: int | None = None,
) -> Mapping[str, KnownVm]:
    """What is known, with the cause of every loss that is beyond doubt after a good poll.

    `rise` is by how much the account's balance is higher than at the poll before, in micro-USDC,
    `None` where unknown.
    """
    departures = [
        each
        for each in _departures(known, epoch)
        if any(entry.cause is None for entry in each.vms.values())
    ]
    refunded = max((each.since for each in departures if each.is_refunded_by(rise)), default=None)
    causes: dict[str, Cause] = {}
    for departure in departures:
        if departure.since == refunded:
            causes |= departure.decided(0, Cause.USER)
        elif departure.is_suspect and abs(now - departure.since) < limits.suspect_for:
            causes |= departure.decided(limits.confirm_polls, None)
        else:
            causes |= departure.decided(limits.confirm_polls, Cause.UNKNOWN)
    if not causes:
        return known
    return {**known, **{key: replace(known[key], cause=cause) for key, cause in causes.items()}}


@dataclass(frozen=True, slots=True)
class _Departure:
    """The VMs that are missing since one poll, and what explains each by itself."""

    since: datetime
    vms: Mapping[str, KnownVm]
    causes: Mapping[str, Cause | None]

    @property
    def unexplained(self) -> list[KnownVm]:
        return [entry for key, entry in self.vms.items() if self.causes[key] is None]

    @property
    def among(self) -> int:
        """How many VMs the account had when these went, apart from those with a cause."""
        return _among(self.vms.values()) - len(self.vms) + len(self.unexplained)

    @property
    def is_suspect(self) -> bool:
        """Whether it is most of the VMs that the account had, apart from those with a cause."""
        gone = self.unexplained
        ended = all(entry.vm.status is Status.TERMINATED for entry in gone)
        return self.among >= SMALLEST_FLEET and 2 * len(gone) > self.among and not ended

    def is_refunded_by(self, rise: int | None) -> bool:
        """Whether so much is about what was reserved for the unexplained ones."""
        reserves = [entry.last_known.reserved for entry in self.unexplained]
        amounts = [MicroUsdc(amount) for amount in reserves if amount is not None]
        if rise is None or len(amounts) < len(reserves):
            return False
        total = sum(amounts)
        return total > 0 and _TOLERANCE * abs(rise - total) <= total

    def decided(self, polls: int, otherwise: Cause | None) -> dict[str, Cause]:
        """The causes of those that are missing from so many polls and have none yet."""
        return {
            key: cause
            for key, entry in self.vms.items()
            if entry.cause is None and entry.missing_polls >= polls
            if (cause := self.causes[key] or otherwise)
        }


def _departures(known: Mapping[str, KnownVm], epoch: timedelta) -> list[_Departure]:
    return [
        _Departure(since, group, {key: e.cause or _cause(e, epoch) for key, e in group.items()})
        for since, group in _by_poll(known).items()
    ]


def _by_poll(known: Mapping[str, KnownVm]) -> dict[datetime, dict[str, KnownVm]]:
    """The missing VMs by the poll since which they are."""
    groups: dict[datetime, dict[str, KnownVm]] = defaultdict(dict)
    for key, entry in known.items():
        if entry.missing_since is not None:
            groups[entry.missing_since][key] = entry
    return groups


def _among(group: Iterable[KnownVm]) -> int:
    """How many VMs the account had when these went."""
    return next(iter(group)).missing_among


def _cause(entry: KnownVm, epoch: timedelta) -> Cause | None:
    """What it was last seen doing, else whether its money was used up by when it was missed."""
    if entry.vm.status is Status.TERMINATING:
        return Cause.PROVIDER
    if entry.vm.status in OUT_OF_FUNDS or _ran_dry(entry, epoch):
        return Cause.FUNDS
    return None


def _ran_dry(entry: KnownVm, epoch: timedelta) -> bool:
    """Whether it was missed when its money was used up.

    Where a charge that the reserve pays fell into a time in which nobody looked, a top-up may have
    followed: that proves nothing.
    """
    until, since = funded_until(entry.vm, epoch), entry.missing_since
    if until is None or since is None or until > since:
        return False
    unseen = since - (entry.last_seen_at or since)
    return unseen < epoch or until == entry.vm.next_billing_at

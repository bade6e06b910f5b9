"""The money of an account ends soon: one alert an account, with steps.

Considered are

- the balance, where it is known: how long it pays for all that is rented (see `runway.py`), or what
  the API itself estimates, if that is worse. A debt and an empty balance are over now;
- each prepaid VM that its account does not top up: how long its own reserve lasts. Its last boundary
  was not followed by a top-up, nor was the one before, or more than `GRACE` has passed since its charge.
  A charge that is neither in the total nor taken from the reserve yet is waited for.

A VM that was topped up at its last boundaries, or of which nobody has seen one, is judged by the
account alone. One whose reserve does not pay an epoch is told by `topup_failed` or `low_balance`.

    money ends                     verdict
    in less than `critical`        critical, step 1
    now, the balance is used up    critical, step 2
    in less than `warn`            `severity`, step 0
    later, the alert fires         as `warn`, until it lasts `warn` and a quarter of that
    later, anything unknown        unknown
    later                          over
    later, nothing to pay for      gone: resolves without a message
    balance 0, nothing to pay for  found if it was found before, because nothing can start

An API that reports no balances leaves the VMs to be judged. If others are told elsewhere now, it is gone.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from pydantic import Field

from fluence_watch.model.billing import Billing
from fluence_watch.model.boundaries import GRACE
from fluence_watch.model.finding import Absence, Finding, Fingerprint, Impact, Severity, VmRef, ref
from fluence_watch.model.funding import (
    DAYS_A_MONTH,
    FOREVER,
    funded_until,
    is_short,
    lacking_together,
)
from fluence_watch.model.horizon import JUST_AFTER, Horizon, next_of
from fluence_watch.model.known import KnownVm
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Vm
from fluence_watch.rules import low_balance, topup_failed
from fluence_watch.rules.base import Duration, Judgement, Level, Rule, RuleSettings
from fluence_watch.rules.runway import Runway, runway_of, why_not_low
from fluence_watch.rules.situation import Situation

NAME = "funds_exhausted_soon"
_ACCOUNT = frozenset({""})


class FundsExhaustedSoonSettings(RuleSettings):
    """How near the end of the money is news."""

    severity: Level = Severity.WARNING
    hold: Duration = Field(
        default=timedelta(minutes=30),
        alias="for",
        description="how long the end must be near before it fires",
    )
    warn: Duration = Field(
        default=timedelta(days=3),
        gt=timedelta(0),
        le=timedelta(days=3650),
        description="how long the money must last",
    )
    critical: Duration = Field(
        default=timedelta(days=1), description="critical if it lasts less than this"
    )


@dataclass(frozen=True, slots=True)
class FundsExhaustedSoon:
    """When the money ends, and what to add. Amounts are micro-USDC. Unknown values are `None`.

    `until` is when the balance is used up, or the reserve of a VM that is not topped up if that is
    earlier. `first` is the VM that ends first, at `first_ends_at` if nothing is added; while there is
    a balance, this is an estimate. `alone` is how many VMs are not topped up.
    `to_add` is what is missing for 30 days. `account` is `None` if the API tells no balance.
    """

    until: datetime | None
    first: VmRef | None
    first_ends_at: datetime | None
    alone: int
    to_add: MicroUsdc
    account: Runway | None


def judge(situation: Situation, settings: FundsExhaustedSoonSettings) -> Judgement:
    """Report money that ends within `warn`. See the table above."""
    if situation.snapshot is None:
        return Judgement(unknown=_ACCOUNT)
    fingerprint = Fingerprint(situation.account, NAME)
    account, alone = runway_of(situation, Runway), _alone(situation)
    absence = _absence(situation, account, alone)
    left = _left(situation, account, alone)
    empty = absence is Absence.GONE and account is not None and not account.balance
    if empty and fingerprint in situation.alerts:
        left = timedelta(0)
    if left is not None and left < _limit(situation, settings, fingerprint):
        step = 2 if account and account.balance <= 0 else int(left < settings.critical)
        severity = Severity.CRITICAL if step else settings.severity
        facts = _facts(situation, account, alone)
        return Judgement([Finding(fingerprint, severity, facts, step=step)])
    return Judgement(
        unknown=_ACCOUNT if absence is Absence.UNKNOWN else frozenset(),
        gone=_ACCOUNT if absence is Absence.GONE else frozenset(),
    )


def _limit(
    situation: Situation, settings: FundsExhaustedSoonSettings, fingerprint: Fingerprint
) -> timedelta:
    """How long the money must last: longer once the alert fired, so that it does not flap."""
    since = situation.since.get(fingerprint)
    fired = since is not None and _has_fired(since, situation, settings)
    return 5 * settings.warn / 4 if fired else settings.warn


def _left(
    situation: Situation, account: Runway | None, alone: Iterable[KnownVm]
) -> timedelta | None:
    """How long the money lasts: the account's, or that of a VM, whichever is shorter."""
    ends = (_until(each, situation.billing) for each in alone)
    lasts = [end - situation.now for end in ends if end]
    if account and (of_account := account.left(situation.now)) is not None:
        lasts.append(of_account)
    return min(lasts, default=None)


def _until(entry: KnownVm, billing: Billing) -> datetime | None:
    """Until when its own reserve pays; `None` if that is unknown or has no end."""
    until = funded_until(entry.vm, billing)
    return None if until == FOREVER else until


def _absence(situation: Situation, account: Runway | None, alone: Iterable[KnownVm]) -> Absence:
    """What it means that the money is not found to end soon."""
    snapshot = situation.snapshot
    assert snapshot
    unread = not snapshot.complete or snapshot.unread
    if unread or any(funded_until(each.vm, situation.billing) is None for each in alone):
        return Absence.UNKNOWN
    if account:
        return why_not_low(situation, account)
    if not situation.billing.prepaid or "balance" in snapshot.unknown:
        return Absence.UNKNOWN
    # what another rule tells now is no good news
    told = any(_is_told_elsewhere(situation, each) for each in _not_topped_up(situation))
    return Absence.GONE if told else Absence.OVER


def _paying(situation: Situation) -> Iterator[KnownVm]:
    """The billed VMs with a reserve, those that are missing and may still run included."""
    if situation.snapshot and situation.billing.prepaid:
        listed = (situation.known[key] for key in situation.vms if key in situation.known)
        for entry in chain(listed, situation.presence.undecided.values()):
            if entry.vm.is_billed:
                yield entry


def _not_topped_up(situation: Situation) -> Iterator[KnownVm]:
    for entry in _paying(situation):
        if entry.boundaries and not entry.boundaries.is_topped_up(situation.now, GRACE):
            yield entry


def _alone(situation: Situation) -> list[KnownVm]:
    """The VMs that live on their own reserves, without those that other rules tell of."""
    entries = _not_topped_up(situation)
    return [each for each in entries if not _is_told_elsewhere(situation, each)]


def _is_told_elsewhere(situation: Situation, entry: KnownVm) -> bool:
    """Whether its reserve does not pay an epoch, which other rules report."""
    vm, boundaries = entry.vm, entry.boundaries
    if not is_short(vm):
        return False
    covered = boundaries is not None and boundaries.covered
    return (low_balance.NAME if covered else topup_failed.NAME) in situation.enabled


def _facts(
    situation: Situation, account: Runway | None, alone: Sequence[KnownVm]
) -> FundsExhaustedSoon:
    ends = [_until(each, situation.billing) for each in alone]
    ends += [account.dry_at] if account else []
    end, first = _first(situation, account, alone)
    return FundsExhaustedSoon(
        until=min((each for each in ends if each), default=None),
        first=ref(first) if first else None,
        first_ends_at=end if first else None,
        alone=len(alone),
        to_add=_to_add(situation, account, alone),
        account=account,
    )


def _first(
    situation: Situation, account: Runway | None, alone: Sequence[KnownVm]
) -> tuple[datetime, Vm | None]:
    """The VM that ends first and when, if nothing is added."""
    dry = account.dry_at if account else None
    keys = {each.vm.key for each in alone}
    first: tuple[datetime, Vm | None] = (FOREVER, None)
    for entry in alone if dry is None else _paying(situation):
        if entry.vm.key not in keys and _is_told_elsewhere(situation, entry):
            continue
        end = _ends_at(entry, situation.billing, None if entry.vm.key in keys else dry)
        if end is not None and end < first[0]:
            first = end, entry.vm
    return first


def _ends_at(entry: KnownVm, billing: Billing, dry: datetime | None) -> datetime | None:
    """When a VM ends whose reserve is topped up until then."""
    until, charge = funded_until(entry.vm, billing), entry.vm.next_billing_at
    if until is None or charge is None or dry is None or dry <= charge:
        return until
    try:
        return until - (charge - dry) // billing.period * billing.period
    except OverflowError:
        return FOREVER


def _to_add(situation: Situation, account: Runway | None, alone: Iterable[KnownVm]) -> MicroUsdc:
    """What is missing for 30 days."""
    if account:
        return MicroUsdc(max(0, DAYS_A_MONTH * account.burn_per_day - account.balance))
    vms = (each.vm for each in alone)
    return lacking_together(vms, situation.now, situation.billing).amount


def holds_until(situation: Situation, settings: FundsExhaustedSoonSettings) -> Horizon:
    """Until a VM counts as not topped up, or its money comes to an end by one of the limits.

    How long a balance lasts is always reckoned from now: it is the same as long as the balance is.
    """
    since = situation.since.get(Fingerprint(situation.account, NAME))
    if (
        since is not None
        and since + settings.hold <= situation.now
        and not _has_fired(since, situation, settings)
    ):
        return situation.now  # the limit moves once the poll before this one saw it fire
    now, limits = situation.now, (settings.critical, settings.warn, 5 * settings.warn / 4)
    ends = [end for each in _alone(situation) if (end := _until(each, situation.billing))]
    turns = [end - limit + JUST_AFTER for end in ends for limit in limits if end - now > limit]
    waiting = [b for each in _paying(situation) if (b := each.boundaries) and not b.refilled]
    late = [each.topup_due_from + GRACE for each in waiting]
    fires = [] if since is None else [since + settings.hold]
    return next_of(now, [*turns, *late, *fires])


def _has_fired(since: datetime, situation: Situation, settings: FundsExhaustedSoonSettings) -> bool:
    last = situation.last_good_at
    return last is not None and last - since >= settings.hold


def _deadline(facts: object) -> datetime | None:
    return facts.until if isinstance(facts, FundsExhaustedSoon) else None


RULE = Rule(
    NAME,
    FundsExhaustedSoonSettings,
    (FundsExhaustedSoon,),
    judge,
    impact=Impact.FUNDS,
    deadline=_deadline,
    mutes=frozenset({"account_low"}),
    holds_until=holds_until,
)

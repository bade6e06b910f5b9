"""Until when judgements hold: at the horizon itself, and not before, another one is due.

That no rule holds for too long, whatever it looks at, is a law in tests/unit/app/rehearsal/test_holding.py.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from fluence_watch.model.account import AccountBalance
from fluence_watch.model.billing import METERED
from fluence_watch.model.boundaries import Boundaries
from fluence_watch.model.finding import Fingerprint
from fluence_watch.model.horizon import JUST_AFTER
from fluence_watch.model.known import Cause, KnownVm
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.presence import Presence
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.spending import Hour, Spending
from fluence_watch.model.vm import Vm
from fluence_watch.rules import RULES, horizons_of
from fluence_watch.rules.base import Judgement, RuleSettings
from fluence_watch.rules.situation import Situation
from fluence_watch.rules.vm_vanished import VmVanishedSettings

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BY_NAME = {rule.name: rule for rule in RULES}

See = Callable[..., Situation]


def known(vm: Vm, passed_at: datetime, *, covered: bool, refilled: bool) -> dict[str, KnownVm]:
    """The VM, and what its last boundary did."""
    boundaries = Boundaries(passed_at, covered, refilled=refilled)
    return {vm.key: KnownVm(vm, NOW, vm.ports, boundaries=boundaries)}


def short_since(see: See, web: Vm, minutes: int, ends_in: timedelta) -> Situation:
    """A VM that was not topped up at a boundary so long ago. Its alert is as old."""
    vm = replace(web, reserved=MicroUsdc(1), next_billing_at=NOW + ends_in)
    passed_at = NOW - minutes * MINUTE
    alert = Fingerprint("main", "topup_failed", vm.key)
    entries = known(vm, passed_at, covered=False, refilled=False)
    return see(vm, known=entries, since={alert: passed_at})


def late(see: See, web: Vm, name: str) -> Situation:
    """A VM whose boundary was two hours ago, and whose charge ten minutes ago."""
    paid = 0 if name == "topup_failed" else web.price
    vm = replace(web, reserved=paid, next_billing_at=NOW + 22 * HOUR)
    boundaries = Boundaries(
        NOW - 2 * HOUR, covered=bool(paid), refilled=False, charged_at=NOW - 10 * MINUTE
    )
    alert = Fingerprint("main", name, vm.key)
    entries = {vm.key: KnownVm(vm, NOW, vm.ports, boundaries=boundaries)}
    return see(vm, known=entries, since={alert: NOW - 10 * MINUTE})


def alone(see: See, web: Vm, ends_in: timedelta, **more: object) -> Situation:
    """A VM whose own reserve lasts so long."""
    vm = replace(web, reserved=web.price, next_billing_at=NOW + ends_in - DAY)
    return see(vm, known=known(vm, NOW - HOUR, covered=True, refilled=False), **more)


def lost(see: See, web: Vm) -> Situation:
    """A VM that has been missing for ten minutes."""
    entry = KnownVm(
        web, NOW - DAY, missing_polls=2, missing_since=NOW - 10 * MINUTE, cause=Cause.UNKNOWN
    )
    return see(known={web.key: entry}, presence=Presence(lost={web.key: entry}))


def over(see: See) -> Situation:
    """A GPU instance that ended an hour ago."""
    gpu = Resource(Kind.GPU_VM, "g1", "gpu", "ended", changed_at=NOW - HOUR)
    return see(listed={"resources": [gpu], "kinds": list(Kind)})


def owing(see: See) -> Situation:
    """A metered account that has owed a little for two days."""
    listed = {"balance": AccountBalance(MicroUsdc(-1)), "billing": METERED}
    since = {Fingerprint("main", "debt"): NOW - 2 * DAY}
    return see(billing=METERED, listed=listed, since=since)


def spent(see: See) -> Situation:
    """What an account spent by eleven."""
    spending = Spending(Hour(date(2025, 4, 16), 11), MicroUsdc(0), (), ())
    return see(spending=spending)


CASES: dict[str, tuple[str, Callable[[See, Vm], Situation], datetime | None]] = {
    "a top-up is overdue": (
        "topup_failed", lambda see, web: short_since(see, web, 10, 23 * HOUR), NOW + 5 * MINUTE,
    ),
    "a top-up after a late charge is overdue": (
        "topup_failed", lambda see, web: late(see, web, "topup_failed"), NOW + 5 * MINUTE,
    ),
    "a reserve is not topped up after a late charge": (
        "funds_exhausted_soon", lambda see, web: late(see, web, "funds_exhausted_soon"), NOW + 5 * MINUTE,
    ),
    "six hours are left": (
        "topup_failed", lambda see, web: short_since(see, web, 60, 8 * HOUR), NOW + 2 * HOUR + JUST_AFTER,
    ),
    "an hour is left": (
        "topup_failed", lambda see, web: short_since(see, web, 60, 5 * HOUR), NOW + 4 * HOUR + JUST_AFTER,
    ),
    "money ends within days": (
        "funds_exhausted_soon", lambda see, web: alone(see, web, 3 * DAY + 2 * HOUR), NOW + 2 * HOUR + JUST_AFTER,
    ),
    "a charge comes near": (
        "billing_due", lambda see, web: see(replace(web, next_billing_at=NOW + 90 * MINUTE)), NOW + 30 * MINUTE,
    ),
    "a charge passes": (
        "billing_due", lambda see, web: see(replace(web, next_billing_at=NOW + 20 * MINUTE)), NOW + 20 * MINUTE,
    ),
    "a loss has lasted": ("vm_vanished", lost, NOW + 5 * MINUTE),
    "an end is news no more": ("gpu_status", lambda see, _: over(see), NOW + 23 * HOUR),
    "a debt is too old": ("debt", lambda see, _: owing(see), NOW + DAY),
    "another hour is known": ("spend_anomaly", lambda see, _: spent(see), NOW + 5 * MINUTE),
    "another day is settled": (
        "bill_mismatch", lambda see, _: see(billing=METERED), datetime(2025, 4, 17, 6, tzinfo=UTC),
    ),
    "days are not compared": ("bill_mismatch", lambda see, _: see(), None),
    "nothing is owed": ("debt", lambda see, _: see(), None),
}  # fmt: skip
NOT_OF_THE_SITUATION = {"spend_anomaly", "bill_mismatch"}
"""What turns there is not in the situation, but read or reckoned anew."""


def limits_of(name: str) -> RuleSettings:
    """The default settings; a loss must last for a while."""
    if name == "vm_vanished":
        return VmVanishedSettings.model_validate({"for": "15m"})
    return BY_NAME[name].settings()


def judged(name: str, situation: Situation, at: datetime) -> Judgement:
    """What the rule says of the same situation at another time, without what is reckoned from it."""
    assert situation.snapshot
    snapshot = replace(situation.snapshot, taken_at=at)
    later = replace(situation, now=at, snapshot=snapshot)
    said = BY_NAME[name].judge(later, limits_of(name))
    return replace(said, findings=[replace(each, facts=None) for each in said.findings])


@pytest.mark.parametrize("case", CASES)
def test_until_when_a_judgement_holds(case: str, see: See, web: Vm) -> None:
    """To the microsecond, where something turns."""
    name, make, until = CASES[case]
    settings = {rule.name: limits_of(rule.name) for rule in RULES}
    situation = make(see, web)
    assert {name: until} == horizons_of(situation, settings, [name])
    if until is None or name in NOT_OF_THE_SITUATION:
        return
    now = judged(name, situation, NOW)
    assert now == judged(name, situation, until - JUST_AFTER)
    assert now != judged(name, situation, until)

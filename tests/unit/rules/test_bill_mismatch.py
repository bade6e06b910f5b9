from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from fluence_watch.model.bill import DayCost
from fluence_watch.model.billing import EPOCHS, METERED
from fluence_watch.model.charge import VM, Charge
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.model.known_resource import KnownResource
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.vm import Vm
from fluence_watch.rules.base import Judgement
from fluence_watch.rules.bill_mismatch import (
    BillMismatch,
    BillMismatchSettings,
    Charged,
    KindBill,
    judge,
)
from fluence_watch.rules.situation import Situation

See = Callable[..., Situation]

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), 3_600_000_000
LAST, BEFORE = date(2025, 4, 15), date(2025, 4, 14)
SETTINGS = BillMismatchSettings()
FOUND = Fingerprint("main", "bill_mismatch")
UNKNOWN = Judgement(unknown=frozenset({""}))
DISK = Resource(Kind.DISK, "D1", "archive", "ready", MicroUsdc(400_000))


def cost(day: date, usdc: int, *, whole: bool = True) -> DayCost:
    units = usdc * 1_000_000 * HOUR
    return DayCost(day, {"disk": units}, {"disk": units}, 24 * HOUR if whole else 1)


def charge(day: date, micro: int, kind: str = "disk", name: str = "D1") -> Charge:
    return Charge(day, kind, MicroUsdc(micro), Decimal(24), name, "archive")


COSTS = (cost(BEFORE, 10), cost(LAST, 10))


def judged(
    see: See,
    charges: tuple[Charge, ...] | None,
    costs: tuple[DayCost, ...] = COSTS,
    settings: BillMismatchSettings = SETTINGS,
    **more: object,
) -> Judgement:
    listed = {"charges": charges, "billing": METERED}
    return judge(see(billing=METERED, listed=listed, costs=costs, **more), settings)


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        (10_000_000, 10_000_000, False),
        (10_100_000, 10_100_000, False),
        (10_100_001, 10_100_001, True),
        (9_899_999, 9_899_999, True),
        (9_900_000, 9_900_000, False),
        (12_000_000, 10_000_000, False),
        (10_000_000, 12_000_000, False),
        (12_000_000, 8_000_000, True),
        (0, 0, True),
    ],
)
def test_what_differs(see: See, first: int, second: int, found: bool) -> None:  # noqa: FBT001 - a column
    """Each of two days by more than 1 % and by more than 0.10 USDC."""
    assert found is bool(judged(see, (charge(BEFORE, first), charge(LAST, second))).findings)


def test_little_money(see: See) -> None:
    """A small account may differ by more than 1 %."""
    little = (cost(BEFORE, 1), cost(LAST, 1))
    assert not judged(see, (charge(BEFORE, 1_100_000), charge(LAST, 1_100_000)), little).findings
    assert judged(see, (charge(BEFORE, 1_100_001), charge(LAST, 1_100_001)), little).findings


WRONG = (charge(BEFORE, 12_000_000), charge(LAST, 12_000_000))


@pytest.mark.parametrize(
    ("charges", "costs", "judgement"),
    [
        (None, COSTS, UNKNOWN),
        (WRONG, (cost(LAST, 10),), UNKNOWN),
        (WRONG, (cost(BEFORE, 10, whole=False), cost(LAST, 10)), UNKNOWN),
        (WRONG, (cost(BEFORE, 10, whole=False), cost(LAST, 12)), Judgement()),
        (WRONG, (cost(BEFORE, 12), cost(LAST, 10, whole=False)), Judgement()),
    ],
)
def test_what_is_not_known(
    see: See, charges: tuple[Charge, ...] | None, costs: tuple[DayCost, ...], judgement: Judgement
) -> None:
    """A day that was not watched, or without charges, is unknown; one that agrees is enough."""
    assert judgement == judged(see, charges, costs)


def test_prepaid_accounts_are_not_judged(see: See) -> None:
    """Their charges are in the total of each VM."""
    listed = {"charges": WRONG}
    assert Judgement() == judge(see(billing=EPOCHS, listed=listed, costs=COSTS), SETTINGS)


def test_settings(see: See) -> None:
    """How many days, and by how much."""
    charges = (charge(BEFORE, 10_000_000), charge(LAST, 12_000_000))
    assert judged(see, charges, settings=BillMismatchSettings(days=1)).findings
    strict = BillMismatchSettings(days=1, min_percent=20)
    assert not judged(see, charges, settings=strict).findings
    assert not judged(see, charges, settings=BillMismatchSettings(days=1, min_usdc=2)).findings


def test_what_is_told(see: See, web: Vm) -> None:
    """The day, the kinds, and the resources whose charge is not their price times their hours."""
    vm = replace(web, price=MicroUsdc(10_000))
    charges = (
        charge(BEFORE, 12_000_000),
        charge(LAST, 9_600_000),
        charge(LAST, 480_000, VM, web.id),
        charge(LAST, 700_000, "subnet", "S1"),
        charge(LAST, 1_500_000, "disk", "gone"),
    )
    situation = see(
        vm,
        billing=METERED,
        listed={"charges": charges, "billing": METERED},
        costs=COSTS,
        resources={DISK.key: KnownResource(DISK, NOW)},
    )
    (finding,) = judge(situation, SETTINGS).findings
    assert (FOUND, Severity.WARNING) == (finding.fingerprint, finding.severity)
    day = Decimal(24)
    assert finding.facts == BillMismatch(
        day=LAST,
        charged=MicroUsdc(11_580_000),
        low=MicroUsdc(10_000_000),
        high=MicroUsdc(10_000_000),
        miss=MicroUsdc(1_580_000),
        days=2,
        kinds=(
            KindBill("disk", MicroUsdc(11_100_000), MicroUsdc(10_000_000), MicroUsdc(10_000_000)),
            KindBill("public_ip", MicroUsdc(0), MicroUsdc(0), MicroUsdc(0)),
            KindBill(VM, MicroUsdc(480_000), MicroUsdc(0), MicroUsdc(0)),
            KindBill("other", MicroUsdc(700_000), MicroUsdc(0), None),
        ),
        odd=(
            Charged(VM, web.id, "archive", day, MicroUsdc(480_000), MicroUsdc(240_000)),
            Charged("disk", "gone", "archive", day, MicroUsdc(1_500_000), None),
        ),
    )


def test_networks_are_not_judged(see: See) -> None:
    """They are charged, and nobody watches them."""
    charges = [charge(day, 10_000_000) for day in (BEFORE, LAST)]
    charges += [charge(day, 900_000_000, "vpc") for day in (BEFORE, LAST)]
    assert Judgement() == judged(see, tuple(charges))


def test_a_day_of_26_hours_comes_first(see: See) -> None:
    """Charged twice, although it is not listed any more."""
    twice = replace(charge(LAST, 1_000_000, name="twice"), hours=Decimal(26))
    charges = (charge(BEFORE, 12_000_000), charge(LAST, 12_000_000, name="gone"), twice)
    (finding,) = judged(see, charges).findings
    assert ["twice", "gone"] == [each.resource_id for each in finding.facts.odd]

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.model.billing import METERED
from fluence_watch.model.boundaries import Boundaries
from fluence_watch.model.finding import Absence, Finding, Fingerprint, Severity, VmRef
from fluence_watch.model.known import KnownVm
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.odd_charge import OddCharge
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules import RULES, evaluate
from fluence_watch.rules.situation import Situation
from fluence_watch.rules.unexpected_charge import (
    RULE,
    UnexpectedCharge,
    UnexpectedChargeSettings,
    judge,
)

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
PRICE = MicroUsdc(298_160)
TWICE = OddCharge(NOW - timedelta(minutes=5), 1, PRICE, PRICE, MicroUsdc(2 * PRICE))
SETTINGS = UnexpectedChargeSettings()
PROBLEM = Fingerprint("main", "unexpected_charge", "0x00ab", "2025-04-16T11:55:00+00:00")

See = Callable[..., Situation]


def having(vm: Vm, odd: OddCharge | None) -> dict[str, KnownVm]:
    """The VM as it is known, with what is odd about its charges."""
    boundaries = Boundaries(NOW - timedelta(hours=18), covered=True, odd=odd)
    return {vm.key: KnownVm(vm, NOW, boundaries=boundaries)}


def test_the_facts_of_a_charge_that_came_twice(web: Vm, see: See) -> None:
    """What passed, what it should have cost, and what was charged; its key is when it was seen."""
    facts = UnexpectedCharge(
        VmRef("0x00aB", "web-1", "FR-PAR-1"), TWICE.since, 1, PRICE, PRICE, TWICE.charged, PRICE
    )
    found = Finding(PROBLEM, Severity.WARNING, facts)
    assert [found] == judge(see(web, known=having(web, TWICE)), SETTINGS).findings
    assert (2, PRICE) == (facts.times, facts.difference)


@pytest.mark.parametrize(
    ("charged", "price", "difference", "times"),
    [(0, 10, -20, 0), (35, 10, 5, None), (40, 10, 10, 4), (40, 0, 10, None), (-10, 10, -30, -1)],
)
def test_how_far_a_charge_is_off(
    charged: int, price: int, difference: int, times: int | None
) -> None:
    """From the nearest bound of 20 to 30, and in whole epochs."""
    amounts = map(MicroUsdc, (20, 30, charged, price))
    facts = UnexpectedCharge(VmRef("0xa"), NOW, 2, *amounts)
    assert (difference, times) == (facts.difference, facts.times)


@pytest.mark.parametrize(
    ("changes", "absence"),
    [
        ({"price": None}, Absence.UNKNOWN),
        ({"spent": None}, Absence.UNKNOWN),
        ({"next_billing_at": None}, Absence.UNKNOWN),
        ({"status": Status.TERMINATED}, Absence.OVER),
        ({"status": Status.DRAFT}, Absence.OVER),
    ],
)
def test_what_is_not_judged(web: Vm, see: See, changes: dict, absence: Absence) -> None:
    """While the API does not tell its money, nothing is known; what is not billed is over."""
    vm = replace(web, **changes)
    verdict = evaluate(
        see(vm, known=having(vm, TWICE)), {rule.name: rule.settings() for rule in RULES}
    )
    assert PROBLEM not in verdict.findings
    assert absence is verdict.absence(PROBLEM)


def test_what_fits_is_no_finding(web: Vm, see: See) -> None:
    """Nor is anything in an account that pays every second, or after a failed poll."""
    assert [] == judge(see(web, known=having(web, None)), SETTINGS).findings
    assert [] == judge(see(web), SETTINGS).findings
    metered = see(web, known=having(web, TWICE), billing=METERED)
    assert not judge(metered, SETTINGS).findings
    assert not RULE.sends_resolved

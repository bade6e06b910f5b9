from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.finding import Finding, Fingerprint, Severity, VmRef
from fluence_watch.model.known import KnownVm
from fluence_watch.model.known_resource import KnownResource
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.price_changed import (
    RULE,
    PriceChanged,
    PriceChangedSettings,
    ResourcePriceChanged,
    judge,
)
from fluence_watch.rules.situation import Situation

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
BOUNDARY = datetime(2025, 4, 16, 17, 59, 55, tzinfo=UTC)
SETTINGS = PriceChangedSettings()

See = Callable[..., Situation]
amounts = st.integers(0, 2**63 - 1)


def change(
    see: See, web: Vm, old: int | None, new: int | None, **more: object
) -> PriceChanged | None:
    """What is found of a VM whose price was the one and is the other."""
    before = {web.key: KnownVm(replace(web, price=old), NOW)}
    found = judge(see(replace(web, price=new, **more), before=before), SETTINGS).findings
    assert len(found) <= 1
    return found[0].facts if found else None  # type: ignore[return-value] # this rule's facts


@pytest.mark.parametrize(
    ("old", "new", "status", "found"),
    [
        (298_160, 298_161, Status.ACTIVE, True),
        (298_160, 298_159, Status.ACTIVE, True),
        (298_160, 298_160, Status.ACTIVE, False),
        (0, 1, Status.ACTIVE, True),
        (1, 0, Status.ACTIVE, True),
        (None, 298_160, Status.ACTIVE, False),
        (298_160, None, Status.ACTIVE, False),
        (298_160, 1, Status.STOPPED, True),
        (298_160, 1, Status.TERMINATED, False),
    ],
)
def test_when_a_price_changed(
    web: Vm,
    see: See,
    old: int | None,
    new: int | None,
    status: Status,
    found: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """From one known price to another, of a VM that will be charged."""
    assert found == (change(see, web, old, new, status=status) is not None)


def test_a_new_vm_had_no_price(web: Vm, see: See) -> None:
    """What was not there before did not change."""
    assert [] == judge(see(web, before={}), SETTINGS).findings


def test_the_facts_of_another_price(web: Vm, see: See) -> None:
    """Both prices, what they differ by, and how long the reserve lasts at the new one."""
    facts = PriceChanged(
        vm=VmRef("0x00aB", "web-1", "FR-PAR-1"),
        old=MicroUsdc(298_160),
        new=MicroUsdc(359_441),
        difference=MicroUsdc(61_281),
        percent=Decimal("20.6"),
        funded_until=BOUNDARY,
    )
    found = Finding(
        Fingerprint("main", "price_changed", "0x00ab", "2025-04-16T12:00:00+00:00"),
        Severity.WARNING,
        facts,
        at_once=True,
    )
    before = {web.key: KnownVm(web, NOW)}
    dearer = replace(web, price=MicroUsdc(359_441))
    assert [found] == judge(see(dearer, before=before), SETTINGS).findings


def test_prices_without_a_percentage_or_an_end(web: Vm, see: See) -> None:
    """What was free has no percentage; what is free is not funded until the year 9999."""
    charged, free = change(see, web, 0, 298_160), change(see, web, 298_160, 0)
    assert charged
    assert free
    assert (None, BOUNDARY + timedelta(days=1)) == (charged.percent, charged.funded_until)
    assert (Decimal("-100.0"), None) == (free.percent, free.funded_until)


@given(amounts, amounts)
def test_the_difference_is_exact(web: Vm, see: See, old: int, new: int) -> None:
    """For any two prices; the percentage is right to a twentieth."""
    facts = change(see, web, old, new)
    if facts is None:
        assert old == new
        return
    assert new == old + facts.difference
    if facts.percent is not None:
        tenths = int(facts.percent.scaleb(1))
        assert abs(tenths * old - 1_000 * facts.difference) * 2 <= old


def test_it_is_an_event(see: See) -> None:
    """Its end is no news, and after a failed poll there is nothing to find."""
    assert RULE.event
    assert not RULE.sends_resolved
    assert [] == judge(replace(see(), snapshot=None), SETTINGS).findings


DISK = Resource(Kind.DISK, "A", "data", "ready", MicroUsdc(400_000))


@pytest.mark.parametrize(
    ("old", "new", "status", "found"),
    [
        (400_000, 500_000, "ready", True),
        (400_000, 400_000, "ready", False),
        (None, 400_000, "ready", False),
        (400_000, None, "ready", False),
        (400_000, 500_000, "removing", False),
    ],
)
def test_when_the_price_of_a_disk_changed(
    see: See,
    old: int | None,
    new: int | None,
    status: str,
    found: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """From one known price to another, while it is billed; with what a month costs now."""
    known = {DISK.key: KnownResource(replace(DISK, price=old), NOW)}
    listed = {"resources": [replace(DISK, price=new, status_word=status)]}
    findings = judge(see(listed=listed, resources_before=known), SETTINGS).findings
    assert found == bool(findings)
    for finding in findings:
        facts = ResourcePriceChanged(
            DISK.ref, MicroUsdc(400_000), MicroUsdc(500_000), MicroUsdc(100_000),
            Decimal("25.0"), MicroUsdc(360_000_000),
        )  # fmt: skip
        assert facts == finding.facts
        assert (
            Fingerprint("main", "price_changed", "disk:a", NOW.isoformat()) == finding.fingerprint
        )


@pytest.mark.parametrize(
    ("was", "now", "found"),
    [
        ({"size_bytes": 10}, {"size_bytes": 20}, False),
        ({"plan": "SSD"}, {"plan": "NVME"}, False),
        ({"plan": None, "size_bytes": None}, {"plan": "NVME", "size_bytes": 20}, True),
        ({"plan": "NVME", "size_bytes": 20}, {"plan": "NVME", "size_bytes": 20}, True),
    ],
)
def test_another_disk_is_no_new_price(
    see: See,
    was: dict,
    now: dict,
    found: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """One that has grown, or is of another type, costs something else."""
    known = {DISK.key: KnownResource(replace(DISK, **was), NOW)}
    dearer = replace(DISK, price=MicroUsdc(900_000), **now)
    situation = see(listed={"resources": [dearer]}, resources_before=known)
    assert found is bool(judge(situation, SETTINGS).findings)


@pytest.mark.parametrize(
    ("was", "found"), [({"status": Status.DRAFT}, False), ({"plan": "small"}, False), ({}, True)]
)
def test_another_vm_is_no_new_price(web: Vm, see: See, was: dict, found: bool) -> None:  # noqa: FBT001 - a column
    """A draft may be launched as something else."""
    before = {web.key: KnownVm(replace(web, **{"price": MicroUsdc(1), "plan": "large"} | was), NOW)}
    situation = see(replace(web, plan="large"), before=before)
    assert found is bool(judge(situation, SETTINGS).findings)

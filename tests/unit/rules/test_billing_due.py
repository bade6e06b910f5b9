from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluence_watch.model.billing import EpochBilling
from fluence_watch.model.finding import Finding, Fingerprint, Severity, VmRef
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.billing_due import RULE, BillingDue, BillingDueSettings, judge
from fluence_watch.rules.situation import Situation

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
SETTINGS = BillingDueSettings()

See = Callable[..., Situation]


def due_in(vm: Vm, minutes: float, vm_id: str = "0x00aB") -> Vm:
    return replace(vm, id=vm_id, next_billing_at=NOW + minutes * MINUTE)


def found_in(situation: Situation, **limits: object) -> list[str]:
    judgement = judge(situation, BillingDueSettings.model_validate(limits))
    return [each.fingerprint.subject for each in judgement.findings]


@pytest.mark.parametrize(
    ("minutes", "lead_time", "found"),
    [
        (61, "1h", 0),
        (60, "1h", 1),
        (59.99, "1h", 1),
        (0.01, "1h", 1),
        (0, "1h", 0),
        (-1, "1h", 0),
        (16, "15m", 0),
        (15, "15m", 1),
        (1_440, "1d", 1),
        (1_441, "1d", 0),
    ],
)
def test_when_a_charge_is_due(
    web: Vm, see: See, minutes: float, lead_time: str, found: int
) -> None:
    """From `lead_time` before the boundary to the boundary, both looked at exactly."""
    assert found == len(found_in(see(due_in(web, minutes)), lead_time=lead_time))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"price": MicroUsdc(0)}, 0),
        ({"price": None}, 1),
        ({"status": Status.TERMINATED}, 0),
        ({"status": Status.SMALL_BALANCE}, 1),
        ({"next_billing_at": None}, 0),
    ],
)
def test_whose_charge_is_due(web: Vm, see: See, change: dict[str, object], found: int) -> None:
    """A free or ended VM is not charged; with an unknown price it is, with no boundary who knows."""
    assert found == len(found_in(see(replace(due_in(web, 30), **change))))


def test_an_ended_vm_is_no_business_of_the_rule(web: Vm, see: See) -> None:
    """Its open alert ends with it."""
    ended = replace(due_in(web, 30), status=Status.TERMINATED)
    assert frozenset({"0x00ab"}) == judge(see(ended), SETTINGS).gone


def test_the_facts_of_a_charge(web: Vm, see: See) -> None:
    """The amount and the moment; the moment is also the problem's key and the end of its news."""
    due_at = NOW + 30 * MINUTE
    found = Finding(
        Fingerprint("main", "billing_due", "0x00ab", "2025-04-16T12:30:00+00:00"),
        Severity.INFO,
        BillingDue(VmRef("0x00aB", "web-1", "FR-PAR-1"), MicroUsdc(298_160), due_at, web.reserved),
        relevant_until=due_at,
    )
    assert [found] == judge(see(due_in(web, 30)), SETTINGS).findings


def test_the_end_of_it_is_no_news() -> None:
    """Its alerts resolve silently."""
    assert not RULE.sends_resolved


def test_all_of_a_window_fire_together(web: Vm, see: See) -> None:
    """With the first of 13:00 to 14:00 an hour away, the last one fires as well."""
    vms = [due_in(web, 61, "0xa"), due_in(web, 119.9, "0xb"), due_in(web, 120, "0xc")]
    assert [] == found_in(see(*vms))
    assert ["0xa", "0xb"] == found_in(see(*vms, now=NOW + MINUTE))
    assert ["0xa", "0xb", "0xc"] == found_in(see(*vms, now=NOW + 60 * MINUTE))


def test_no_date_is_too_far(web: Vm, see: See) -> None:
    """A boundary at the end of the calendar is no trouble, whatever the lead time."""
    last = replace(web, next_billing_at=datetime.max.replace(tzinfo=UTC))
    assert [] == found_in(see(last), lead_time="30d")


@pytest.mark.parametrize(
    ("seconds", "epoch", "same"),
    [
        (0, DAY, True),
        (2, DAY, True),
        (-2, DAY, True),
        (60, DAY, True),
        (61, DAY, False),
        (3600, DAY, False),
        (7, MINUTE, True),
        (8, MINUTE, False),  # of an epoch of a minute, 7.5 s are the most
        (60, MINUTE, False),
    ],
)
def test_a_boundary_that_wobbles(
    web: Vm, see: See, seconds: float, epoch: timedelta, *, same: bool
) -> None:
    """A boundary that moves by a second or two keeps the fingerprint of its open alert."""
    notified = Fingerprint("main", "billing_due", web.key, (NOW + MINUTE / 2).isoformat())
    situation = see(due_in(web, 0.5 + seconds / 60), alerts=[notified], billing=EpochBilling(epoch))
    lead = min(timedelta(hours=2), epoch * 0.9)
    found = judge(situation, BillingDueSettings(lead_time=lead)).findings
    assert same is (notified in {each.fingerprint for each in found})


def test_a_boundary_that_moves_over_the_moment(web: Vm, see: See) -> None:
    """It has passed, and then again it has not: its alert stays open and does not fire twice."""
    notified = Fingerprint("main", "billing_due", web.key, NOW.isoformat())
    for seconds in (-2, 2):
        situation = see(due_in(web, seconds / 60), alerts=[notified])
        assert [notified] == [each.fingerprint for each in judge(situation, SETTINGS).findings]
    assert [] == judge(see(due_in(web, -2)), SETTINGS).findings
    assert [] == judge(see(due_in(web, -2 / 60)), SETTINGS).findings


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=30, max_size=30), st.sampled_from([3, 7, 30]))
def test_one_boundary_is_one_alert(
    web: Vm, see: See, wobbles: list[float], interval: float
) -> None:
    """However it wobbles from poll to poll, until long after it: one fingerprint."""
    notified: set[Fingerprint] = set()
    seen: set[Fingerprint] = set()
    for number, wobble in enumerate(wobbles):
        now = NOW + timedelta(seconds=(number - 20) * interval)
        boundary = timedelta(seconds=wobble) + (DAY if now > NOW + MINUTE / 6 else timedelta(0))
        situation = see(due_in(web, boundary / MINUTE), now=now, alerts=notified)
        notified = {each.fingerprint for each in judge(situation, SETTINGS).findings}
        seen |= notified
    assert 1 == len(seen)


fleets = st.lists(st.integers(0, 86_399), min_size=1, max_size=60)


def live(web: Vm, see: See, offsets: list[int], lead: timedelta) -> dict[Fingerprint, datetime]:
    """Poll a fleet every five minutes for two days; when each VM and epoch was first found."""
    first_found: dict[Fingerprint, datetime] = {}
    limits = BillingDueSettings(lead_time=lead)
    for minute in range(0, 2 * 24 * 60, 5):
        now = NOW + minute * MINUTE
        vms = []
        for number, seconds in enumerate(offsets):
            boundary = NOW + timedelta(seconds=seconds)
            boundary += max(0, -((boundary - now) // DAY)) * DAY
            vms.append(replace(web, id=f"0x{number}", next_billing_at=boundary))
        for finding in judge(see(*vms, now=now), limits).findings:
            first_found.setdefault(finding.fingerprint, now)
    return first_found


@settings(max_examples=8, deadline=None)
@given(fleets, st.sampled_from([60, 120, 180]))
def test_a_day_is_calm_and_everybody_has_time(
    web: Vm, see: See, offsets: list[int], lead_minutes: int
) -> None:
    """Each VM and epoch fires in time, with at most one message per window."""
    lead = lead_minutes * MINUTE
    first_found = live(web, see, offsets, lead)
    for fingerprint, at in first_found.items():
        notice = datetime.fromisoformat(fingerprint.key) - at
        assert at == NOW or lead - 5 * MINUTE < notice < 2 * lead
    second_day = {
        at for at in first_found.values() if NOW + DAY - lead <= at < NOW + 2 * DAY - lead
    }
    assert len(second_day) <= DAY // lead
    epochs = Counter(fingerprint.subject for fingerprint in first_found)
    assert {f"0x{number}" for number in range(len(offsets))} == epochs.keys()
    assert set(epochs.values()) <= {2, 3}

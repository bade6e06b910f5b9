from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from fluence_watch.model.billing import METERED
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, Resource, ResourceRef
from fluence_watch.rules.base import Judgement
from fluence_watch.rules.idle_resource import IdleResource, IdleResourceSettings, judge
from fluence_watch.rules.situation import Situation

See = Callable[..., Situation]

DISK = Resource(Kind.DISK, "AB", "data", "ready", MicroUsdc(400_000), size_bytes=2_000 * 10**9)
ADDRESS = Resource(Kind.PUBLIC_IP, "ab", None, "ready", MicroUsdc(4_000), address="203.0.113.9")
OF_DISK = Fingerprint("main", "idle_resource", "disk:ab")
OF_ADDRESS = Fingerprint("main", "idle_resource", "public_ip:ab")
SETTINGS = IdleResourceSettings()


def judged(see: See, *resources: Resource, unknown: dict[str, str] | None = None) -> Judgement:
    listed = {"resources": resources, "billing": METERED, "unknown": unknown or {}}
    return judge(see(billing=METERED, listed=listed, alerts=[OF_DISK, OF_ADDRESS]), SETTINGS)


def test_what_is_attached_to_nothing(see: See) -> None:
    """What it costs in 30 days; a disk and an address are two, whatever their ids."""
    disk, address = judged(see, DISK, ADDRESS).findings
    assert (OF_DISK, OF_ADDRESS) == (disk.fingerprint, address.fingerprint)
    assert (Severity.WARNING, timedelta(days=1)) == (disk.severity, SETTINGS.hold)
    ref = ResourceRef(Kind.DISK, "AB", "data", "2000 GB")
    assert IdleResource(ref, MicroUsdc(288_000_000)) == disk.facts
    assert ResourceRef(Kind.PUBLIC_IP, "ab", None, "203.0.113.9") == address.facts.resource


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"attached_to": ("vm",)}, False),
        ({"status_word": "removing"}, False),
        ({"status_word": "failed"}, True),
        ({"price": MicroUsdc(0)}, False),
        ({"price": None}, True),
    ],
)
def test_what_costs_money_for_nothing(see: See, changes: dict, found: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """An unknown price is not zero."""
    assert found is bool(judged(see, replace(DISK, **changes)).findings)


def test_when_it_is_over(see: See) -> None:
    """Attached again is over; deleted is gone; missing from a list that is not complete is unknown."""
    attached = replace(DISK, attached_to=("vm",))
    assert frozenset({"public_ip:ab"}) == judged(see, attached).gone
    both = judged(see, unknown={"disks": "403"})
    assert (frozenset({"disk:ab"}), frozenset({"public_ip:ab"})) == (both.unknown, both.gone)

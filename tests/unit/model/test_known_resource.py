from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.model.known import Cause
from fluence_watch.model.known_resource import (
    KnownResource,
    KnownResources,
    Missing,
    missing_resources,
    settle_resources,
    track_resources,
)
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.presence import PresenceLimits
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.snapshot import build_snapshot

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
MINUTE, WEEK = timedelta(minutes=1), timedelta(days=7)
LIMITS = PresenceLimits(confirm_polls=2, suspect_for=timedelta(hours=6), forget_after=WEEK)
KINDS = (Kind.DISK, Kind.PUBLIC_IP, Kind.GPU_VM)
DISK = Resource(Kind.DISK, "A", "data", "ready", MicroUsdc(400_000))
DISKS = tuple(replace(DISK, id=f"D{number}") for number in range(4))
ADDRESS = Resource(Kind.PUBLIC_IP, "A", None, "ready", MicroUsdc(4_000))
GPU = Resource(Kind.GPU_VM, "G", "trainer", "ACTIVE", MicroUsdc(1_220_000))


def polls(
    *lists: Collection[Resource],
    deleted: Collection[str] = (),
    unlisted: Mapping[int, str] | None = None,
    kinds: tuple[Kind, ...] = KINDS,
    unpaid: Collection[Kind | None] = (),
) -> KnownResources:
    """What is known after polls, a minute apart; `unlisted` names what is unknown at some of them."""
    known: KnownResources = {}
    for number, listed in enumerate(lists):
        at = NOW + number * MINUTE
        unknown = {what: "403" for n, what in (unlisted or {}).items() if n == number}
        snapshot = build_snapshot("main", at, [], resources=listed, kinds=kinds, unknown=unknown)
        known = track_resources(known, snapshot, at - MINUTE, deleted, WEEK)
        known = settle_resources(known, LIMITS, at, unpaid)
    return known


def missing(known: KnownResources, after: timedelta = MINUTE) -> Missing:
    """What is missing after another good poll."""
    settled = settle_resources(known, LIMITS, NOW + after, ())
    return missing_resources(settled, LIMITS)


def test_what_is_remembered() -> None:
    """What is billed; the last known price fills an unknown one; an unchanged entry is the same."""
    once = polls([DISK, replace(ADDRESS, status_word="removing")])
    assert {"disk:a": KnownResource(DISK, NOW)} == once
    again = build_snapshot("main", NOW, [], resources=[DISK], kinds=KINDS)
    assert once["disk:a"] is track_resources(once, again, NOW, (), WEEK)["disk:a"]
    assert DISK == polls([DISK], [replace(DISK, price=None)])["disk:a"].resource


@pytest.mark.parametrize(
    ("lists", "lost"),
    [
        ([[DISK, ADDRESS], [ADDRESS]], ()),
        ([[DISK, ADDRESS], [ADDRESS], [ADDRESS]], ("disk:a",)),
        ([[DISK, ADDRESS], [ADDRESS], [DISK, ADDRESS], [ADDRESS]], ()),
        ([[DISK, ADDRESS], [], []], ("disk:a", "public_ip:a")),
        ([[DISK], [replace(DISK, status_word="removing")], [], []], ()),
        ([[GPU], [], []], ()),
    ],
)
def test_what_is_lost(lists: list[list[Resource]], lost: tuple[str, ...]) -> None:
    """After two lists in a row; not what was being removed, and not what belongs to the GPU cloud."""
    found = missing(polls(*lists))
    assert lost == tuple(entry.resource.key for entry in found.lost)
    assert not found.doubts


def test_when_it_was_last_seen() -> None:
    """The last poll that listed it, and how many of its kind there were."""
    (entry,) = missing(polls([DISK, ADDRESS], [ADDRESS], [ADDRESS])).lost
    assert (NOW, NOW + MINUTE, 2) == (entry.last_seen_at, entry.missing_since, entry.missing_polls)
    assert entry.missing_among == 1


def test_what_is_forgotten() -> None:
    """What the user deleted, at once; what is missing for long; what is watched no longer."""
    assert not polls([DISK], [], deleted=["disk:a"])
    gone = build_snapshot("main", NOW + WEEK + 2 * MINUTE, [], kinds=KINDS)
    assert not track_resources(polls([DISK], [], []), gone, NOW, (), WEEK)
    assert not track_resources(polls([DISK], []), replace(gone, kinds=frozenset()), NOW, (), WEEK)


def test_an_incomplete_list_tells_nothing() -> None:
    """A disk is not missing from a list that could not be read; an address of another list is."""
    known = polls([DISK, ADDRESS], [], [], unlisted={1: "disks", 2: "disks"})
    assert KnownResource(DISK, NOW) == known["disk:a"]
    assert ["public_ip:a"] == [entry.resource.key for entry in missing(known).lost]


def test_most_of_a_kind_at_once() -> None:
    """The list is the suspect for six hours, unless disks are removed for a debt."""
    known = polls(DISKS, DISKS[:1], DISKS[:1], unpaid={None, Kind.PUBLIC_IP})
    (doubt,) = missing(known).doubts
    assert (3, 4, Kind.DISK) == (len(doubt.entries), doubt.among, doubt.kind)
    assert missing(known).undecided == {"disk:d1", "disk:d2", "disk:d3"}
    assert doubt.until == NOW + MINUTE + LIMITS.suspect_for
    late = missing(known, timedelta(hours=7))
    assert (3, ()) == (len(late.lost), late.doubts)


def test_a_loss_is_decided_once() -> None:
    """What debt removed stays lost, whatever the balance is later, until it is back."""
    known = polls(DISKS, DISKS[:1], DISKS[:1], unpaid={Kind.DISK})
    assert {Cause.FUNDS} == {entry.cause for entry in missing(known).lost}
    assert 3 == len(missing(known).lost)
    assert () == missing(known).doubts
    back = build_snapshot("main", NOW + 3 * MINUTE, [], resources=DISKS[:2], kinds=KINDS)
    again = track_resources(known, back, NOW + 2 * MINUTE, (), WEEK)
    assert 2 == len(missing(again).lost)
    assert not missing(again).doubts


def test_half_of_a_kind_is_believed() -> None:
    """Two of four are lost, and two of two, which is not a fleet."""
    assert 2 == len(missing(polls(DISKS, DISKS[:2], DISKS[:2])).lost)
    assert 2 == len(missing(polls(DISKS[:2], [], [])).lost)


def test_maintenance_loses_nothing() -> None:
    """While the list of VMs is not complete, neither are the others."""
    known = polls([DISK, ADDRESS])
    empty = build_snapshot(
        "main", NOW + MINUTE, [], kinds=KINDS, incomplete_because="the API is in maintenance"
    )
    assert known == track_resources(known, empty, NOW, (), WEEK)


def test_the_money_of_a_gpu_instance() -> None:
    """What is unknown is as last known, and an end is only taken for one when its last charges are told."""
    told = replace(GPU, spent=MicroUsdc(3), reserved=MicroUsdc(2), next_billing_at=NOW)
    assert KnownResource(told, NOW) == polls([told], [replace(GPU, price=None)])["gpu_vm:g"]
    over = replace(GPU, status_word="ENDED")
    assert "gpu_vm:g" in polls([told], [over])
    assert {} == polls([told], [over], [replace(over, spent=MicroUsdc(4))])
    assert {} == polls([over])

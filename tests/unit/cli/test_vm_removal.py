from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.cli.manage.choose import Target
from fluence_watch.cli.manage.epoch_end import grouped, wait_until
from fluence_watch.cli.manage.removal import (
    about_money,
    changed,
    default_margin,
    deleted_with,
    released,
    totals,
)
from fluence_watch.model.billing import METERED
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.vm import Status, Vm

NOW = datetime(2026, 4, 17, 14, 47, tzinfo=UTC)
BOUNDARY = datetime(2026, 4, 17, 17, 59, 55, tzinfo=UTC)
HOUR = timedelta(hours=1)
LIVE = Vm(
    id="0x01",
    name="web",
    status=Status.ACTIVE,
    status_word="ACTIVE",
    price=MicroUsdc(298_160),
    reserved=MicroUsdc(359_440),
    next_billing_at=BOUNDARY,
)
ENDED = replace(LIVE, status=Status.TERMINATED, next_billing_at=None)


@pytest.mark.parametrize(
    ("vm", "said"),
    [
        (
            LIVE,
            [
                "deleting it releases 0.359440 USDC of reserve",
                "paid until 17:59 UTC, in 3 h 12 min: deleting it earlier gives nothing of that back",
            ],
        ),
        (
            replace(LIVE, next_billing_at=NOW - HOUR),
            [
                "deleting it releases 0.359440 USDC of reserve",
                "until when it is paid is not known",
            ],
        ),
        (
            replace(LIVE, next_billing_at=None, reserved=None),
            [
                "deleting it releases a reserve of unknown size",
                "until when it is paid is not known",
            ],
        ),
        (ENDED, ["ended by its provider: deleting it releases 0.359440 USDC of reserve"]),
        (
            replace(ENDED, status=Status.FAILED, reserved=MicroUsdc(0)),
            ["ended: deleting it releases 0.000000 USDC of reserve"],
        ),
        # the service may still list the boundary of a VM that has ended
        (
            replace(ENDED, next_billing_at=BOUNDARY),
            ["ended by its provider: deleting it releases 0.359440 USDC of reserve"],
        ),
    ],
)
def test_what_a_removal_costs(vm: Vm, said: list[str]) -> None:
    """What comes back, and what is paid already; what is unknown is never zero."""
    assert said == about_money(Target("main", vm), NOW)


def test_what_many_removals_release() -> None:
    """Known reserves are added up, unknown ones are counted."""
    assert (718_880, 1) == released([LIVE, ENDED, replace(LIVE, reserved=None)])


@pytest.mark.parametrize(
    ("seen", "now", "why"),
    [
        (LIVE, NOW, None),
        (LIVE, BOUNDARY - timedelta(seconds=1), None),
        (replace(LIVE, reserved=MicroUsdc(1), ports=()), NOW, None),
        (replace(LIVE, name="other"), NOW, "it was renamed meanwhile"),
        (replace(LIVE, name=None), NOW, "it was renamed meanwhile"),
        (
            replace(LIVE, next_billing_at=BOUNDARY + 24 * HOUR),
            BOUNDARY - HOUR,
            "its next billing has moved meanwhile",
        ),
        (replace(LIVE, next_billing_at=None), NOW, "its next billing has moved meanwhile"),
        (
            LIVE,
            BOUNDARY,
            "the epoch that was to end has ended: the next one is charged already",
        ),
    ],
)
def test_whether_it_is_still_the_vm_that_was_agreed_to(
    seen: Vm, now: datetime, why: str | None
) -> None:
    """At the end of the epoch, only the same VM at the same boundary is deleted."""
    assert why == changed(LIVE, seen, now)


@pytest.mark.parametrize(("epoch", "seconds"), [(24 * HOUR, 60), (HOUR, 36), (HOUR / 60, 0.6)])
def test_the_margin(epoch: timedelta, seconds: float) -> None:
    """A minute, or a hundredth of an epoch that is short."""
    assert timedelta(seconds=seconds) == default_margin(epoch)


@pytest.mark.parametrize(
    ("seconds", "groups"),
    [
        ([], []),
        ([5], [[5]]),
        ([0, 60], [[0, 60]]),
        ([0, 61], [[0], [61]]),
        ([90, 0, 30], [[0, 30], [90]]),
        ([0, 40, 80, 100], [[0, 40], [80, 100]]),  # the first of a group counts, not the last
        ([7, 7, 7], [[7, 7, 7]]),
    ],
)
def test_groups_at_the_end_of_the_epoch(seconds: list[int], groups: list[list[int]]) -> None:
    """VMs that are charged within a margin of the first are deleted together."""
    targets = [
        Target("main", replace(LIVE, next_billing_at=BOUNDARY + timedelta(seconds=each)))
        for each in seconds
    ]
    found = [
        [(target.vm.next_billing_at or NOW) - BOUNDARY for target in group]
        for group in grouped(targets, lambda target: default_margin(target.billing.period))
    ]
    assert [[timedelta(seconds=each) for each in group] for group in groups] == found


class SleepyClock:
    """A time that passes by sleeping, with a machine that oversleeps now and then."""

    def __init__(self, oversleeps: Callable[[int], float] = lambda _: 0.0) -> None:
        self.now = NOW
        self.naps = 0
        self._oversleeps = oversleeps

    def __call__(self) -> datetime:
        """The time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        assert 0 < seconds <= 1
        self.naps += 1
        self.now += timedelta(seconds=seconds + self._oversleeps(self.naps))


def test_waiting() -> None:
    """It ends at the time, not before, in short steps."""
    clock = SleepyClock()
    wait_until(NOW + timedelta(seconds=90.5), "web", clock=clock, sleep=clock.sleep)
    assert NOW + timedelta(seconds=90.5) == clock.now
    assert 91 == clock.naps


def test_waiting_on_a_machine_that_was_suspended() -> None:
    """The clock on the wall counts, not the seconds that were slept."""
    clock = SleepyClock(lambda nap: 3600.0 if nap == 3 else 0.0)
    wait_until(NOW + HOUR, "web", clock=clock, sleep=clock.sleep)
    assert 3 == clock.naps
    wait_until(NOW, "web", clock=clock, sleep=clock.sleep)  # long ago
    assert 3 == clock.naps


def disk(name: str, *attached_to: str) -> Resource:
    """A disk that costs 0.024 USDC a day."""
    return Resource(Kind.DISK, name, name, "ready", MicroUsdc(1_000), attached_to)


ADDRESS = Resource(Kind.PUBLIC_IP, "ip", None, "ready", None, ("0x01",))
SHARED = disk("shared", "0x01", "0x02")
ONE = Target("main", LIVE, METERED, (disk("own", "0x01"), SHARED, ADDRESS))
TWO = Target("main", replace(LIVE, id="0x02"), METERED, (SHARED,))
ELSEWHERE = Target("other", replace(LIVE, id="0x02"), METERED)


@pytest.mark.parametrize(
    ("targets", "kinds", "deleted"),
    [
        ([ONE], [], [[]]),
        ([ONE], [Kind.DISK], [["own"]]),  # a VM that stays needs the shared one
        ([ONE, ELSEWHERE], [Kind.DISK], [["own"], []]),
        ([ONE, TWO], [Kind.DISK], [["own"], ["shared"]]),  # after the last one that needs it
        ([TWO, ONE], [Kind.DISK], [[], ["shared", "own"]]),
        ([ONE], [Kind.DISK, Kind.PUBLIC_IP], [["own", "ip"]]),
        ([ONE], [Kind.PUBLIC_IP], [["ip"]]),
    ],
)
def test_what_is_deleted_with_vms(
    targets: list[Target], kinds: list[Kind], deleted: list[list[str]]
) -> None:
    """Only what no other VM needs, each once, and of the kinds that were named."""
    found = deleted_with(targets, kinds)
    assert deleted == [[each.id for each in found[target]] for target in targets]


def test_the_money_of_a_metered_vm() -> None:
    """The charge stops; what stays is named with its price, and what goes too."""
    assert [
        "it costs 0.298160 USDC an hour, billed by the second: that stops at once",
        "disk own (own) is deleted too: it costs 0.024000 USDC a day",
        "disk shared (shared) stays and costs 0.024000 USDC a day, until it is deleted",
        "public IP ip stays and costs an unknown amount, until it is deleted",
    ] == about_money(ONE, NOW, [ONE.rented[0]])


@pytest.mark.parametrize(
    ("vm", "said"),
    [
        (replace(LIVE, status=Status.DRAFT), "a draft: it costs nothing"),
        (ENDED, "ended: it costs nothing"),
        (
            replace(LIVE, price=None),
            "it is billed by the second, at a price that is not known: that stops at once",
        ),
    ],
)
def test_the_money_of_a_metered_vm_without_a_price(vm: Vm, said: str) -> None:
    """Nothing that is unknown or over is a price; kinds that cannot be listed are named."""
    target = Target("main", vm, METERED, unlisted=frozenset({Kind.DISK}))
    unknown = "its disks are not known: what it has of them stays and costs money"
    assert [said, unknown] == about_money(target, NOW)


def test_what_deleting_several_does() -> None:
    """Reserves are released where there are some; what stays is summed once."""
    also = {Target("epochs", LIVE): (), ONE: (ONE.rented[0],), TWO: ()}
    assert [
        "1 VM: 0.359440 USDC of reserve are released",
        "2 VMs billed by the second: that stops at once",
        (
            "2 disks and public IPs left, until deleted: 0.024000 USDC a day, and what 1 of them"
            " cost, which is not known"
        ),
    ] == list(totals(also))

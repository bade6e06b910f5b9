from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.billing import EPOCHS, METERED
from fluence_watch.model.known import Cause, KnownVm
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.presence import Presence, PresenceLimits, presence_of, settle
from fluence_watch.model.vm import Status, Vm

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
LIMITS = PresenceLimits(2, suspect_for=6 * HOUR, forget_after=timedelta(days=7))
UNFUNDED = {"reserved": MicroUsdc(0), "next_billing_at": NOW - MINUTE}
FUNDED = {"reserved": MicroUsdc(300), "price": MicroUsdc(300), "next_billing_at": NOW + HOUR}

Known = dict[str, KnownVm]


def gone(
    vm: Vm,
    count: int,
    *,
    among: int,
    polls: int = 2,
    since: datetime = NOW,
    of: str = "a",
    **as_seen: object,
) -> Known:
    """So many such VMs that left a list of `among` in the same poll."""
    vms = (replace(vm, id=f"0x{of}{n}", **as_seen) for n in range(count))
    missing = {"missing_polls": polls, "missing_since": since, "missing_among": among}
    return {
        each.key: KnownVm(each, NOW - 24 * HOUR, last_seen_at=since - MINUTE, **missing)
        for each in vms
    }


def settled(known: Known, *, now: datetime = NOW, rise: int | None = None) -> Known:
    return dict(settle(known, LIMITS, now, EPOCHS, rise))


def stock(known: Known) -> tuple[int, int, int]:
    """How many are missing, lost and doubted."""
    presence = presence_of(known, LIMITS, EPOCHS)
    doubted = sum(len(doubt.vms) for doubt in presence.doubts)
    assert len(presence.undecided) == len(presence.missing) + doubted
    return len(presence.missing), len(presence.lost), doubted


def causes(known: Known) -> set[Cause | None]:
    return {entry.cause for entry in known.values()}


@pytest.mark.parametrize(
    ("unfunded", "funded", "among", "lost", "doubted"),
    [
        (12, 0, 12, 12, 0),
        (9, 1, 12, 10, 0),
        (9, 2, 12, 9, 2),
        (9, 3, 12, 9, 3),
        (9, 1, 10, 10, 0),
        (0, 10, 12, 0, 10),
        (1, 7, 12, 1, 7),
        (1, 5, 11, 6, 0),
        (1, 1, 3, 2, 0),
    ],
)
def test_what_money_explains_is_not_doubted(
    web: Vm, unfunded: int, funded: int, among: int, lost: int, doubted: int
) -> None:
    """VMs that ran dry are lost, whatever their number; the others are judged against the rest."""
    known = gone(web, unfunded, among=among, **UNFUNDED)
    known |= gone(web, funded, among=among, of="b", **FUNDED)
    after = settled(known)
    assert (0, lost, doubted) == stock(after)
    for key, entry in after.items():
        dry = known[key].vm.reserved == 0
        assert entry.cause is (Cause.FUNDS if dry else None if doubted else Cause.UNKNOWN)
    again = settled(after, now=NOW + MINUTE)
    assert after == again


def test_vms_that_a_debt_removed_are_not_doubted(web: Vm) -> None:
    """They may go all at once; one that is not confirmed has no cause yet."""
    known = gone(web, 4, among=4)
    assert {Cause.FUNDS} == causes(dict(settle(known, LIMITS, NOW, METERED, unpaid=True)))
    once = gone(web, 4, among=4, polls=1)
    assert {None} == causes(dict(settle(once, LIMITS, NOW, METERED, unpaid=True)))


def test_vms_that_were_being_terminated_are_not_doubted(web: Vm) -> None:
    """The API said itself that they would go."""
    known = gone(web, 4, among=4, status=Status.TERMINATING)
    assert {Cause.PROVIDER} == causes(settled(known))


def test_what_is_not_confirmed_has_no_cause_yet(web: Vm) -> None:
    """The list may be short by mistake."""
    known = gone(web, 1, among=9, polls=1, **UNFUNDED)
    assert known is settle(known, LIMITS, NOW, EPOCHS)
    assert (1, 0, 0) == stock(known)


@pytest.mark.parametrize(
    ("hours", "lost"), [(0, False), (5.9, False), (6, True), (200, True), (-5.9, False), (-6, True)]
)
def test_a_doubt_has_an_end(web: Vm, hours: float, lost: bool) -> None:  # noqa: FBT001 - a column of the table
    """After `suspect_for` they are lost; so they are when their time is far in the future."""
    after = settled(gone(web, 4, among=4), now=NOW + hours * HOUR)
    assert {Cause.UNKNOWN if lost else None} == causes(after)
    assert ((0, 4, 0) if lost else (0, 0, 4)) == stock(after)
    assert after == settled(after)  # the clock set back changes nothing


@pytest.mark.parametrize(
    ("unfunded", "funded", "among", "missing", "doubted"),
    [(0, 1, 10, 1, 0), (0, 5, 10, 5, 0), (0, 6, 10, 0, 6), (9, 1, 12, 10, 0), (9, 2, 12, 9, 2)],
)
def test_what_is_confirmed_but_not_settled(
    web: Vm, unfunded: int, funded: int, among: int, missing: int, doubted: int
) -> None:
    """Without a complete list they are missing, and a fleet only where the list is suspect."""
    known = gone(web, unfunded, among=among, **UNFUNDED)
    known |= gone(web, funded, among=among, of="b", **FUNDED)
    assert (missing, 0, doubted) == stock(known)


def test_the_facts_of_a_doubt(web: Vm) -> None:
    """Since when, until when, which VMs, and of how many without another explanation."""
    funded = gone(web, 3, among=9, **FUNDED)
    known = settled(gone(web, 4, among=9, of="b", **UNFUNDED) | funded)
    (doubt,) = presence_of(known, LIMITS, EPOCHS).doubts
    assert (NOW, NOW + 6 * HOUR, 5) == (doubt.since, doubt.until, doubt.among)
    assert funded == doubt.vms
    subjects = presence_of(known, LIMITS, EPOCHS).subjects
    assert known.keys() | {"fleet@2025-04-16T12:00:00+00:00"} == subjects


@pytest.mark.parametrize(
    ("rise", "refunded"),
    [
        (1_200, True),
        (1_080, True),
        (1_320, True),
        (1_079, False),
        (1_321, False),
        (0, False),
        (-1_200, False),
        (10**9, False),
        (None, False),
    ],
)
@pytest.mark.parametrize("polls", [1, 2])
def test_reserves_that_came_back(
    web: Vm,
    polls: int,
    rise: int | None,
    refunded: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """A balance that rose by about the reserves says that the VMs were deleted; a deposit does not."""
    after = settled(gone(web, 4, among=4, polls=polls, **FUNDED), rise=rise)
    assert {Cause.USER if refunded else None} == causes(after)
    confirmed = {key: replace(entry, missing_polls=2) for key, entry in after.items()}
    assert ((0, 4, 0) if refunded else (0, 0, 4)) == stock(confirmed)
    assert settled(after, now=NOW + MINUTE, rise=5) == after


def test_a_reserve_that_is_unknown_proves_nothing(web: Vm) -> None:
    """But one that was known earlier is good enough."""
    known = gone(web, 4, among=4, reserved=None)
    assert {None} == causes(settled(known, rise=1_200))
    seen = replace(web, reserved=MicroUsdc(300))
    filled = {key: replace(entry, remembered=seen) for key, entry in known.items()}
    assert {Cause.USER} == causes(settled(filled, rise=1_200))


def test_one_rise_explains_one_departure(web: Vm) -> None:
    """The last one: what was missing before was not paid back now."""
    earlier = gone(web, 1, among=9, polls=1, since=NOW - MINUTE, reserved=MicroUsdc(300))
    later = gone(web, 1, among=8, polls=1, of="b", **FUNDED)
    after = settled(earlier | later, rise=300)
    assert [None, Cause.USER] == [after[key].cause for key in (*earlier, *later)]


@pytest.mark.parametrize(
    ("as_seen", "unseen", "cause"),
    [
        ({"reserved": 0, "next_billing_at": NOW - HOUR}, 2 * HOUR, Cause.FUNDS),
        ({"reserved": 0, "next_billing_at": NOW - HOUR}, 72 * HOUR, Cause.FUNDS),
        ({"reserved": 300, "next_billing_at": NOW - 48 * HOUR}, MINUTE, Cause.FUNDS),
        ({"reserved": 300, "next_billing_at": NOW - 48 * HOUR}, 72 * HOUR, Cause.UNKNOWN),
        ({"reserved": 300, "next_billing_at": NOW - HOUR}, MINUTE, Cause.UNKNOWN),
    ],
)
def test_charges_that_nobody_saw(
    web: Vm, as_seen: dict[str, object], unseen: timedelta, cause: Cause
) -> None:
    """A reserve that paid a charge while nobody looked may have been topped up after it."""
    vm = replace(web, price=MicroUsdc(300), **as_seen)
    missing = {"missing_polls": 2, "missing_since": NOW, "missing_among": 9}
    known = {vm.key: KnownVm(vm, NOW - 90 * HOUR, last_seen_at=NOW - unseen, **missing)}
    assert {cause} == causes(settled(known))


fates = st.lists(
    st.tuples(
        st.sampled_from([UNFUNDED, FUNDED, {"status": Status.TERMINATED}]),
        st.sampled_from([(0, None), (1, NOW), (2, NOW - MINUTE), (3, NOW - 2 * MINUTE)]),
        st.sampled_from([None, *Cause]),
    ),
    max_size=9,
)


@given(fates, st.integers(-9, 9), st.none() | st.integers(-1_000, 3_000))
def test_laws_of_presence(web: Vm, fates: Iterable, hours: int, rise: int | None) -> None:
    """A missing VM is one of the three; a cause stays; settling twice settles no more."""
    known = {}
    for number, (as_seen, (polls, since), cause) in enumerate(fates):
        vm = replace(web, id=f"0x{number}", **as_seen)
        missing = {"missing_since": since, "missing_among": 9, "cause": cause} if polls else {}
        known[vm.key] = KnownVm(vm, NOW - 24 * HOUR, missing_polls=polls, **missing)
    now = NOW + hours * HOUR
    after = settled(known, now=now, rise=rise)
    presence = presence_of(after, LIMITS, EPOCHS)
    absent = {key for key, entry in known.items() if entry.missing_since}
    groups = [presence.missing.keys(), presence.lost.keys(), *(d.vms for d in presence.doubts)]
    assert sorted(absent) == sorted(key for group in groups for key in group)
    assert after == settled(after, now=now)
    assert [e.cause for e in known.values() if e.cause] == [
        after[key].cause for key, e in known.items() if e.cause
    ]
    for doubt in presence.doubts:
        assert abs(now - doubt.since) < LIMITS.suspect_for
        assert 2 * len(doubt.vms) > doubt.among


def test_nobody_is_missing() -> None:
    """A situation without memory."""
    assert (Presence(), frozenset()) == (presence_of({}, LIMITS, EPOCHS), Presence().subjects)

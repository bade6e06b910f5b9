"""Which request fails and how: profiles, queue, and the spoiling itself."""

import gzip
from random import Random

import pytest

from fluence_watch.simulator import PROFILES, Fault, FaultKind, FaultPlan
from fluence_watch.simulator.spoil import HOSTILE_TEXTS, gzip_bomb, huge_body, spoiled


def rolled(name: str, seed: int, count: int = 400) -> list[Fault | None]:
    plan = FaultPlan(PROFILES[name], seed)
    return [plan.next_fault() for _ in range(count)]


@pytest.mark.parametrize("name", PROFILES)
def test_a_seed_makes_one_sequence(name: str) -> None:
    """The same seed fails the same requests in the same way."""
    assert rolled(name, seed=5) == rolled(name, seed=5)


def test_another_seed_makes_another_sequence() -> None:
    assert rolled("chaos", seed=5) != rolled("chaos", seed=6)


def test_profiles_do_what_they_say() -> None:
    """Nothing in `none`, about 2 % in `flaky`, every request in `slow` and `hostile`."""
    assert {None} == set(rolled("none", seed=1))
    flaky = [fault for fault in rolled("flaky", seed=1, count=4_000) if fault]
    assert 50 <= len(flaky) <= 110
    assert {FaultKind.STATUS, FaultKind.DROP} == {fault.kind for fault in flaky}
    slow = rolled("slow", seed=1)
    assert all(fault and 0.5 <= fault.seconds <= 8 for fault in slow)
    assert {FaultKind.HOSTILE_TEXT} == {fault.kind for fault in rolled("hostile", 1) if fault}


def test_chaos_has_all_kinds_but_the_flood() -> None:
    """Each kind comes up; the one that costs real traffic only when it is asked for."""
    faults = [fault for fault in rolled("chaos", seed=1, count=2_000) if fault]
    assert set(FaultKind) - {FaultKind.HUGE_BODY} == {fault.kind for fault in faults}
    statuses = {fault.status for fault in faults if fault.kind is FaultKind.STATUS}
    assert {401, 429, 500, 502, 503, 504} == statuses
    assert {None, "1", "Wed, 21 Oct 2015 07:28:00 GMT"} == {fault.retry_after for fault in faults}


def test_a_queued_fault_comes_first_and_leaves_the_dice_alone() -> None:
    """One number is drawn per request, queued fault or not."""
    queued, plain = (FaultPlan(PROFILES["chaos"], seed=3) for _ in range(2))
    queued.queue(Fault(FaultKind.DROP), times=2)
    first = [queued.next_fault() for _ in range(50)]
    assert [fault.kind for fault in first[:2] if fault] == [FaultKind.DROP] * 2
    assert [plain.next_fault() for _ in range(50)][2:] == first[2:]


@pytest.mark.parametrize(
    "attack", ["<!channel>", "<script>", "\x1b[31m", "\n", "\u202e", "\\", "{{7*7}}", "\x00"]
)
def test_the_attacks_are_there(attack: str) -> None:
    assert any(attack in text for text in HOSTILE_TEXTS)
    assert max(map(len, HOSTILE_TEXTS)) == 10_000


def test_a_bomb_is_small_on_the_wire() -> None:
    """A hundredth at most, and it holds what the flood holds."""
    bomb = gzip_bomb(3)
    assert len(bomb) < 3 * 10_486
    assert b"".join(huge_body(3)) == gzip.decompress(bomb)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"error":"x"}', b'{"items":[]}'])
@pytest.mark.parametrize(
    "kind", [FaultKind.MALFORMED_ELEMENT, FaultKind.SHORT_LIST, FaultKind.DUPLICATE_IDS]
)
def test_what_has_no_elements_cannot_be_spoiled(kind: FaultKind, body: bytes) -> None:
    assert body == spoiled(kind, body, Random(0))


def test_a_page_of_items_is_a_list_too() -> None:
    """The dialect with pages is spoiled like those with a bare array."""
    body = b'{"items":[{"id":"0x01"}],"pagination":{"page":1}}'
    expected = b'{"items":[],"pagination":{"page":1}}'
    assert expected == spoiled(FaultKind.EMPTY_LIST, body, Random(0))

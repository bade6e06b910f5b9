"""When problems begin and end for the referee."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.truth.referee.episodes import End, Episode, Found, Problems, What

START = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WHAT = What("main", "low_balance", "0x1")


def lived(polls: str, found: Found, end: End | None = End.TOLD) -> Sequence[Episode]:
    """What becomes of a problem at polls five minutes apart: found (`x`), not found (`-`), unknown (`?`)."""
    problems, turned = Problems(), list[Episode]()
    for number, poll in enumerate(polls):
        at = START + 5 * number * MINUTE
        absent = None if poll == "?" else end
        turned += problems.observe(
            at, [found] * (poll == "x"), lambda _, absent=absent: absent
        )  # fmt: skip
    return list(dict.fromkeys(turned))


@pytest.mark.parametrize(
    ("polls", "hold", "expected"),
    [
        ("x", 0, [(0, None)]),
        ("xx-", 0, [(0, 10)]),
        ("xx", 10, []),
        ("xxx", 10, [(10, None)]),
        ("xx-x", 10, []),
        ("x?x-", 10, [(10, 15)]),
        ("x??-", 10, []),
        ("xxx?-", 10, [(10, 20)]),
        ("x-x-", 0, [(0, 5), (10, 15)]),
    ],
)
def test_begin_and_end(polls: str, hold: int, expected: list[tuple[int, int | None]]) -> None:
    """Minutes at which it fires and ends: after its `for`, and what is unknown ends nothing."""
    found = lived(polls, Found(WHAT, "critical", hold=hold * MINUTE))

    assert expected == [
        (_minutes(each.starts_at), None if each.ends_at is None else _minutes(each.ends_at))
        for each in found
    ]


@pytest.mark.parametrize(
    ("found", "end", "expected"),
    [
        (Found(WHAT, "info"), End.TOLD, End.TOLD),
        (Found(WHAT, "info", quiet=True), End.TOLD, End.QUIET),
        (Found(WHAT, "info", event=True), End.TOLD, End.QUIET),
        (Found(WHAT, "info", event=True), None, End.QUIET),
    ],
)
def test_who_hears_of_the_end(found: Found, end: End | None, expected: End) -> None:
    """Nobody of an event, which is over at the next poll whatever that sees."""
    (episode,) = lived("x-", found, end)

    assert expected == episode.end


def test_a_deadline() -> None:
    """It fires until then, though it is not found any more; then it is over, before a poll ends it."""
    found = Found(WHAT, "info", until=START + 12 * MINUTE)
    (episode,) = lived("x--", found)
    (ended,) = lived("x---", found)

    assert START + 12 * MINUTE == episode.over_at(START + 13 * MINUTE)
    assert episode.over_at(START + 11 * MINUTE) is None
    assert START + 15 * MINUTE == ended.ends_at


def test_at_once() -> None:
    """The API's own word is not waited for."""
    (episode,) = lived("x", Found(WHAT, "critical", hold=30 * MINUTE, at_once=True))

    assert START == episode.starts_at


def _minutes(at: datetime | None) -> int:
    assert at
    return (at - START) // MINUTE

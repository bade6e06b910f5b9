"""Runs of polls that fail and work again are told as one."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.alerting.journal import Details, Entry, What
from fluence_watch.model.finding import Fingerprint
from fluence_watch.notify.render import brief
from fluence_watch.views.why_folded import Run, folded
from fluence_watch.views.why_words import Words

NOON = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
MAIN = Fingerprint("main", "")
WHATS = {
    "f": What.POLL_FAILED,
    "u": What.POLL_FAILED,
    "p": What.POLLED,
    "i": What.INCOMPLETE,
    "s": What.SENT,
}


def entries(story: str) -> list[Entry]:
    """One an hour, by its letter."""
    return [
        Entry(
            NOON + number * timedelta(hours=1), WHATS[each], MAIN,
            details=Details("unauthorized" if each == "u" else "timeout", text=f"try {number}"),
        )
        for number, each in enumerate(story)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        ("", []),
        ("fp", ["f0", "p1"]),
        ("fpf", ["f0", "p1", "f2"]),
        ("pfp", ["p0", "f1", "p2"]),
        ("fpfp", ["2 times until 3"]),
        ("fpfpfpf", ["3 times until 5", "f6"]),
        ("fpfpff", ["2 times until 3", "f4", "f5"]),
        ("pfpfp", ["p0", "2 times until 4"]),
        ("ffpfp", ["2 times until 4"]),
        ("fpifp", ["f0", "p1", "i2", "f3", "p4"]),
        ("fpfpsfpfpfp", ["2 times until 3", "s4", "3 times until 10"]),
        ("sis", ["s0", "i1", "s2"]),
    ],
)
def test_runs(story: str, expected: list[str]) -> None:
    """Twice or more in a row; what comes between, and half of a failure at an end, stay as they are."""

    def shown(entry: Entry) -> str:
        number = (entry.at - NOON) // timedelta(hours=1)
        times = entry.details.number
        letter = next(letter for letter, what in WHATS.items() if what is entry.what)
        return f"{times} times until {number}" if times else f"{letter}{number}"

    assert expected == [shown(each) for each in folded(entries(story))]


@given(st.text("fupis", max_size=30))
def test_nothing_is_lost(story: str) -> None:
    """Every failure and its reason counts, and every end; the order stays, what is folded folds no more."""
    found = folded(entries(story))
    ends = [each.details.number or 1 for each in found if each.what is What.POLLED]
    assert story.count("p") == sum(ends)
    reasons = Counter[str]()
    for each in found:
        alone = {each.details.reason: 1} if each.what is What.POLL_FAILED else {}
        reasons.update(each.reasons if isinstance(each, Run) else alone)
    assert Counter({"timeout": story.count("f"), "unauthorized": story.count("u")}) == reasons
    assert "".join(each for each in story if each in "is") == "".join(
        letter for each in found for letter, what in WHATS.items() if what is each.what and letter in "is"
    )  # fmt: skip
    assert sorted(found, key=lambda each: each.at) == found
    assert found == folded(found)


def test_the_words() -> None:
    """How often, from when to when, and why the last time."""
    (step,) = Words(NOON + timedelta(hours=9), brief).steps(folded(entries("fpfffp")))
    assert (
        "polls failed and succeeded again, 2 times from 12:00 to 17:00 UTC;"
        " the last time (timeout): try 4"
    ) == step.words
    assert (2, NOON, What.POLLED) == (step.times, step.since, step.what)
    assert {"timeout": 4} == step.reasons


def test_every_reason_is_named() -> None:
    """A key that was refused does not disappear among time-outs, in words and for programs."""
    (step,) = Words(NOON + timedelta(hours=9), brief).steps(folded(entries("fpupfp")))
    assert (
        "polls failed and succeeded again, 3 times from 12:00 to 17:00 UTC"
        " (timeout 2 times, unauthorized once); the last time (timeout): try 4"
    ) == step.words
    assert {"timeout": 2, "unauthorized": 1} == step.reasons

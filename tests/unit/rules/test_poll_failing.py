from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.model.finding import Finding, Fingerprint, Severity
from fluence_watch.model.snapshot import PollFailure, Rejected
from fluence_watch.model.vm import Vm
from fluence_watch.rules.base import Judgement
from fluence_watch.rules.poll_failing import RULE, PollFailing, PollFailingSettings, judge
from fluence_watch.rules.situation import Situation

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
SETTINGS = PollFailingSettings()

See = Callable[..., Situation]


@pytest.mark.parametrize(
    ("reason", "at_once", "step"),
    [
        ("unauthorized", True, 2),
        ("unreachable", False, 0),
        ("rate_limited", False, 0),
        ("server_error", False, 0),
        ("maintenance", False, 0),
        ("overdue", False, 0),
        ("unexpected_payload", False, 1),
        ("internal_error", False, 1),
    ],
)
def test_a_failed_poll(reason: str, at_once: bool, step: int) -> None:  # noqa: FBT001 - a column of the table
    """A refused key does not pass by itself. It is worse than any other reason."""
    failure = PollFailure("main", NOW, reason, "it says so")
    found = Finding(
        Fingerprint("main", "poll_failing"),
        Severity.CRITICAL,
        PollFailing(reason, "it says so"),
        at_once=at_once,
        step=step,
    )
    situation = Situation("main", NOW, {}, {}, failure=failure)
    assert [found] == judge(situation, SETTINGS).findings


def test_a_list_that_cannot_be_read_whole(web: Vm, see: See) -> None:
    """An element without an id may be any VM, so the account is not watched; it waits `for`."""
    nameless = (Rejected("[3].ports", "bad", "0xee"), Rejected("[4]", "bad"), Rejected("[5]", "x"))
    (found,) = judge(see(web, rejected=nameless), SETTINGS).findings
    assert PollFailing("incomplete", "[4]: bad") == found.facts
    assert not found.at_once


def test_a_list_that_changed_under_the_reader(web: Vm, see: See) -> None:
    """Vanished VMs go unnoticed in an incomplete list, so the finding gives the reason."""
    why = "page 2 changed meanwhile"
    situation = see(web, rejected=(Rejected("[0]", "bad"),), listed={"incomplete_because": why})
    (found,) = judge(situation, SETTINGS).findings
    assert PollFailing("incomplete", why) == found.facts


def test_a_list_that_names_all(web: Vm, see: See) -> None:
    """An element that at least gives its id is the business of other rules."""
    assert Judgement() == judge(see(web), SETTINGS)
    assert Judgement() == judge(see(web, rejected=(Rejected("[3]", "bad", "0xee"),)), SETTINGS)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (1, "1 VM: [0].price: bad"),
        (3, "3 VMs: [0].price: bad; [1].price: bad; [2].price: bad"),
        (8, "8 VMs: [0].price: bad; [1].price: bad; [2].price: bad; and 5 more"),
    ],
)
def test_a_list_of_which_nothing_can_be_read(see: See, number: int, message: str) -> None:
    """It is one alert for the account, whether there are ids or not, and waits `for`."""
    rejected = tuple(
        Rejected(f"[{n}].price", "bad", f"0x{n}" if n else None) for n in range(number)
    )
    (found,) = judge(see(rejected=rejected), SETTINGS).findings
    assert PollFailing("unreadable", message) == found.facts
    assert (Fingerprint("main", "poll_failing"), False) == (found.fingerprint, found.at_once)


def test_an_empty_list_is_readable(see: See) -> None:
    """An account without VMs is no problem."""
    assert Judgement() == judge(see(), SETTINGS)


def test_it_is_the_same_problem_whatever_the_reason(see: See) -> None:
    """An outage that shows as a timeout now and as a 503 later is one alert."""
    incomplete = see(rejected=(Rejected("[0]", "bad"),))
    outage = Situation("main", NOW, {}, {}, failure=PollFailure("main", NOW, "unreachable", ""))
    cut = replace(outage, failure=PollFailure("main", NOW, "server_error", "503"))
    found = [judge(each, SETTINGS).findings[0].fingerprint for each in (incomplete, outage, cut)]
    assert 1 == len(set(found))


def test_one_failed_poll_is_calm() -> None:
    """By default polls may fail for ten minutes, and the rule looks at failed polls too."""
    assert timedelta(minutes=10) == SETTINGS.hold
    assert RULE.judges_failures

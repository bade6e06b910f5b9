"""When a cycle is over, and what did not work in it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from fluence_watch.alerting.state import AccountState
from fluence_watch.app.cycle import Cycle, flaws_of
from fluence_watch.app.decide import Policy
from fluence_watch.app.polled import Polled
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.snapshot import PollFailure, Rejected, Snapshot

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
WHOLE = Snapshot("main", NOW, {})
FAILED = PollFailure("main", NOW, "server_error", "the API failed (503)")

Poll = Callable[..., Polled]


@pytest.fixture
def poll(policy: Policy) -> Poll:
    """A poll of an account, whole and committed unless told otherwise."""

    def make(account: str = "main", **changes: object) -> Polled:
        whole = Polled(
            replace(policy, account=account),
            WHOLE,
            AccountState(),
            0.1,
            month_to_date=MicroUsdc(0),
            charged={},
        )
        return replace(whole, **changes)  # type: ignore[arg-type] # fields by name

    return make


@pytest.mark.parametrize(
    ("changes", "flaws"),
    [
        ({}, []),
        ({"outcome": FAILED}, ["the API failed (503)"]),
        (
            {"outcome": replace(WHOLE, incomplete_because="page 2 changed")},
            ["the list is not complete: page 2 changed"],
        ),
        (
            {"outcome": replace(WHOLE, rejected=(Rejected("[3].ports", "no list"),))},
            ["cannot be read in the list: 1, first [3].ports: no list"],
        ),
        (
            {"outcome": replace(WHOLE, unknown={"disks": "HTTP 503", "balance": "late"})},
            ["disks: HTTP 503", "balance: late"],
        ),
        ({"store_error": "disk full"}, ["not committed: disk full"]),
        ({"store_error": "disk full", "month_to_date": None}, ["not committed: disk full"]),
        ({"month_to_date": None}, ["the ledger cannot be read"]),
        ({"charged": None}, ["the ledger cannot be read"]),
    ],
)
def test_what_half_worked(poll: Poll, changes: dict[str, object], flaws: list[str]) -> None:
    """Only what arrived whole and was committed is without a flaw."""
    assert flaws == list(flaws_of(poll(**changes)))


def test_it_is_over_when_every_account_was_polled(poll: Poll) -> None:
    """Once since the last one ended; others do not count."""
    cycle = Cycle()
    assert not cycle.is_over
    cycle.expect({"main", "lab"})
    for account in ("main", "main", "gone"):
        cycle.polled(poll(account))
        assert not cycle.is_over
    cycle.polled(poll("lab"))
    assert cycle.is_over
    assert [] == cycle.end()
    assert not cycle.is_over


def test_a_flaw_lasts_until_it_ends(poll: Poll) -> None:
    """A later poll of the same cycle that is whole does not make up for one that was not."""
    cycle = Cycle()
    cycle.expect({"main", "lab"})
    for outcome in (FAILED, FAILED, WHOLE):
        cycle.polled(poll(outcome=outcome))
    cycle.polled(poll("lab"))
    assert ["account main: the API failed (503)"] == cycle.end()

    cycle.polled(poll())
    cycle.polled(poll("lab"))
    assert [] == cycle.end()


def test_accounts_that_are_removed_and_added(poll: Poll) -> None:
    """A removed one is not waited for, and its flaws do not count; a new one is waited for."""
    cycle = Cycle()
    cycle.expect({"main", "lab"})
    cycle.polled(poll("lab", outcome=FAILED))
    cycle.expect({"main", "new"})
    cycle.polled(poll())
    assert not cycle.is_over
    cycle.polled(poll("new"))
    assert cycle.is_over
    assert [] == cycle.end()

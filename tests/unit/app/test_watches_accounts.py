"""Accounts that come, go and change their name beside polls that wait."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from fluence_watch.alerting.attempts import Attempts
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.state import AccountState
from fluence_watch.alerting.telling import Notified
from fluence_watch.app.board import Board
from fluence_watch.app.clock import utc_now
from fluence_watch.app.dispatch import Dispatch
from fluence_watch.app.schedule import Schedule
from fluence_watch.app.watches import Watches
from fluence_watch.app.wiring import Setup
from fluence_watch.errors import StoreError
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.model.known import KnownVm
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.simulator import (
    Fault,
    FaultKind,
    FaultPlan,
    SettableClock,
    World,
    create_app,
    running,
)
from fluence_watch.store import Store
from tests.stored import keep

KEY = "simulated-key"
KEYS = ["key-one-1", "key-two-2"]
NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
QUIET = {"interval": "1h", "jitter": "0s", "timeout": "2s"}

Planned = Callable[..., Setup]
Eventually = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture
async def api(world: World, clock: SettableClock, faults: FaultPlan) -> AsyncIterator[str]:
    async with running(create_app(world, clock, faults=faults)) as url:
        yield url


@pytest.fixture
def board() -> Board:
    return Board(utc_now)


@pytest.fixture
async def watches(store: Store, board: Board, api: str) -> AsyncIterator[Watches]:
    made = Watches(Schedule(), store, board, utc_now, Dispatch(store, board, utc_now))
    yield made
    await made.stop(5)


def account(api: str, name: str) -> dict[str, object]:
    return {"name": name, "api_key": KEY, "base_url": api}


def accounts(api: str, names: list[str], keys: list[str]) -> list[dict[str, object]]:
    """Accounts that the API does not know: no poll changes their VMs."""
    return [account(api, name) | {"api_key": key} for name, key in zip(names, keys, strict=False)]


def remember(store: Store, name: str, what: str) -> None:
    """A state with this VM, and an alert about it that `ops` was notified of."""
    vm = Vm(what, what, Status.ACTIVE, "ACTIVE")
    fingerprint = Fingerprint(name, "poll_failing", "", what)
    facts = PollFailing("unreachable", "no answer")
    alert = Alert(fingerprint, Severity.INFO, State.FIRING, facts, NOW, NOW)
    after = AccountState({vm.key: KnownVm(vm, NOW)}, {fingerprint: alert})
    keep(store, name, after)
    store.save_attempts("ops", Attempts(), {alert.episode: Notified(NOW, Severity.INFO)})


def known(store: Store, name: str) -> str:
    return "".join(store.load(name).state.known)


async def test_a_renamed_account_keeps_its_state(
    watches: Watches, store: Store, planned: Planned, api: str, board: Board, eventually: Eventually
) -> None:
    """Another name with the same key at the same API is the same account."""
    await watches.take_over(planned(poll=QUIET, accounts=[account(api, "main")]))
    await eventually(lambda: [] == board.unready())
    known = store.load("main").state.known.keys()
    await watches.take_over(planned(poll=QUIET, accounts=[account(api, "prod")]))

    assert ["prod"] == store.accounts()
    assert known
    assert known == store.load("prod").state.known.keys()


@pytest.mark.parametrize(
    ("names", "states"),
    [
        (["b", "c"], {"b": "one", "c": "two"}),
        (["b"], {"b": "one"}),
        (["b", "a"], {"a": "two", "b": "one"}),
        (["c", "a"], {"c": "one", "a": "two"}),
    ],
    ids=["chain", "removed and renamed", "swap", "chain the other way"],
)
async def test_accounts_that_take_names_of_others(
    watches: Watches,
    store: Store,
    planned: Planned,
    api: str,
    names: list[str],
    states: dict[str, str],
) -> None:
    """State, and what was notified, go with the key, not with the name."""
    for name, what in (("a", "one"), ("b", "two")):
        remember(store, name, what)
    await watches.take_over(planned(poll=QUIET, accounts=accounts(api, ["a", "b"], KEYS)))
    await watches.take_over(planned(poll=QUIET, accounts=accounts(api, names, KEYS)))

    assert states == {name: known(store, name) for name in store.accounts() if known(store, name)}
    assert {name: states.get(name) for name in names} == {
        name: "".join(watch._kept.state.known) for name, watch in watches._watches.items()
    }
    told = {
        name: [episode.fingerprint.key for episode in store.load(name).told.get("ops", {})]
        for name in states
    }
    assert {name: [what] for name, what in states.items()} == told


async def test_a_new_account_by_a_name_that_was_given_away(
    watches: Watches, store: Store, planned: Planned, api: str
) -> None:
    """It knows nothing of the account that had its name."""
    remember(store, "a", "one")
    await watches.take_over(planned(poll=QUIET, accounts=accounts(api, ["a"], ["key-one-1"])))
    keys = ["key-new-3", "key-one-1"]
    await watches.take_over(planned(poll=QUIET, accounts=accounts(api, ["a", "b"], keys)))

    assert {} == watches._watches["a"]._kept.state.known
    assert "one" == known(store, "b")


async def test_a_new_key_of_the_same_account(
    watches: Watches, store: Store, planned: Planned, api: str
) -> None:
    """A key that no account had before is a new key, and not another account."""
    remember(store, "a", "one")
    for key in ("key-one-1", "key-new-3"):
        await watches.take_over(planned(poll=QUIET, accounts=accounts(api, ["a"], [key])))

    assert "one" == known(store, "a")
    assert {"one"} == watches._watches["a"]._kept.state.known.keys()


async def test_a_rename_that_the_store_refuses(
    watches: Watches, store: Store, planned: Planned, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old watches go on."""

    def refuse(names: object) -> None:
        raise StoreError(str(names))

    remember(store, "a", "one")
    await watches.take_over(planned(poll=QUIET, accounts=accounts(api, ["a"], ["key-one-1"])))
    monkeypatch.setattr(store, "rename", refuse)
    with pytest.raises(StoreError):
        await watches.take_over(planned(poll=QUIET, accounts=accounts(api, ["b"], ["key-one-1"])))

    assert ["a"] == list(watches._watches)
    assert ("poll", "a") in watches._schedule


async def test_a_poll_that_waits_for_its_turn_ends_with_its_account(
    watches: Watches,
    planned: Planned,
    api: str,
    board: Board,
    faults: FaultPlan,
    eventually: Eventually,
) -> None:
    """While one account holds the only slot, another that waits for it is removed."""
    faults.queue(Fault(FaultKind.LATENCY, seconds=0.5), times=3)
    one_slot = QUIET | {"concurrency": 1, "interval": "200ms"}
    both = [account(api, "a"), account(api, "b")]
    await watches.take_over(planned(poll=one_slot, accounts=both))
    await eventually(lambda: faults.queued < 3)
    await watches.take_over(planned(poll=one_slot, accounts=both[:1]))
    await eventually(lambda: [] == board.unready())

    assert b'account="b"' not in board.exposition.scrape().body


async def test_many_accounts_are_spread(
    store: Store, board: Board, planned: Planned, api: str
) -> None:
    """A hundred accounts begin one after the other, over the whole interval."""
    first: list[float] = []

    class Timetable(Schedule):
        def every(self, interval: float, key: Any, work: Any, **when: float) -> None:  # noqa: ANN401, ARG002 - as the class has it
            first.extend(when.values() if key[0] == "poll" else ())

    accounts = [account(api, f"a{number}") | {"api_key": f"k{number}"} for number in range(100)]
    poll = {"interval": "50s", "jitter": "0s"}
    watches = Watches(Timetable(), store, board, utc_now, Dispatch(store, board, utc_now))
    await watches.take_over(planned(poll=poll, accounts=accounts))
    await watches.stop(5)

    assert (0, 49.5, 200) == (min(first), max(first), len(first))  # each with a jitter of 0

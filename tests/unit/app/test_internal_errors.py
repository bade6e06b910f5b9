"""Errors of our own in a poll: counted, shown, and notified as one steady alert."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import fluence_watch.app.poll as poll_module
from fluence_watch.alerting.lifecycle import State
from fluence_watch.app.board import Board
from fluence_watch.app.decide import Policy
from fluence_watch.app.poll import Watch
from fluence_watch.app.polled import Polled
from fluence_watch.app.report import fired, resolved
from fluence_watch.fluence import FluenceClient
from fluence_watch.model.finding import Fingerprint
from fluence_watch.model.ports import port
from fluence_watch.simulator import SettableClock, World
from fluence_watch.store import Store

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FAILING = Fingerprint("main", "poll_failing")


class BrokenError(Exception):
    """An error of ours, whose text must not be shown."""


def broken(*_: object, **__: object) -> Any:  # noqa: ANN401 - it stands for anything
    raise BrokenError("t0p-secret")


@pytest.fixture
def board(clock: SettableClock) -> Board:
    made = Board(clock)
    made.expect({"main"})
    return made


@pytest.fixture
def published() -> list[Polled]:
    return []


@pytest.fixture
def restarted(
    policy: Policy, client: FluenceClient, store: Store, clock: SettableClock, board: Board,
    published: list[Polled],
) -> Callable[[], Watch]:  # fmt: skip
    """The watch of a process that begins with what the store holds."""

    def publish(polled: Polled) -> None:
        published.append(polled)
        board.publish(polled)

    return lambda: Watch(
        policy, client, store, store.load("main"),
        clock=clock, publish=publish, crashed=board.crashed, committed=lambda *_: None,
    )  # fmt: skip


@pytest.fixture
def watch(restarted: Callable[[], Watch]) -> Watch:
    return restarted()


def course(published: list[Polled]) -> list[str]:
    """What fired and resolved, poll after poll."""
    found = []
    for polled in published:
        found += [f"{a.fingerprint.rule} fires" for a in fired(polled.before, polled.state.alerts)]
        found += [f"{a.fingerprint.rule} resolves" for a in resolved(polled.before, polled.ended)]
    return found


def up(board: Board) -> str:
    page = board.exposition.scrape().body.decode()
    return next(line.split()[-1] for line in page.splitlines() if line.startswith("fluence_up{"))


def errors(board: Board, where: str) -> float | None:
    name = "fluence_watch_internal_errors_total"
    return board.own.registry.get_sample_value(name, {"where": where})


BREAK: dict[str, Callable[[pytest.MonkeyPatch, Watch, Store, Board], None]] = {
    "fetch": lambda patch, watch, *_: patch.setattr(watch.client, "list_vms", broken),
    "decide": lambda patch, *_: patch.setattr(poll_module, "decide", broken),
    "notes": lambda patch, _, store, __: patch.setattr(store, "notes", broken),
    "exposition": lambda patch, _, __, board: patch.setattr(board.exposition, "publish", broken),
    "alerts": lambda patch, _, __, board: patch.setattr(board.own, "alerts", broken),
}


@pytest.mark.parametrize("step", BREAK)
async def test_an_error_of_ours_is_one_steady_alert(
    step: str, watch: Watch, store: Store, board: Board, clock: SettableClock,
    published: list[Polled], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Pending at once, firing after `for`, with its type and place; over when a whole poll is well."""
    await watch.poll()
    assert "1" == up(board)
    states = []
    with monkeypatch.context() as patch:
        BREAK[step](patch, watch, store, board)
        for _ in range(15):
            clock.advance(MINUTE)
            await watch.poll()
            alert = store.load("main").state.alerts.get(FAILING)
            states.append(alert.state if alert else None)

        assert "1" not in board.exposition.scrape().body.decode().split("fluence_up{")[-1][:20]
        assert len(board.unready()) == 1
        assert "BrokenError in " in board.unready()[0]
        where = "exposition" if step in {"exposition", "alerts"} else "poll"
        assert (errors(board, where) or 0) >= 15
    facts = store.load("main").state.alerts[FAILING].facts
    assert "internal_error" == facts.reason
    assert facts.message.startswith("BrokenError in ")
    assert "t0p" not in facts.message

    # from the first poll that knows of it: one state, then the other, never back
    seen = [state for state in states if state]
    assert len(seen) >= 14
    assert sorted(seen, key=[State.PENDING, State.FIRING].index) == seen
    assert State.FIRING is seen[-1]
    assert ["poll_failing fires"] == course(published)

    for _ in range(2):
        clock.advance(MINUTE)
        await watch.poll()
    assert {} == store.load("main").state.alerts
    assert ["poll_failing fires", "poll_failing resolves"] == course(published)
    assert ([], "1") == (board.unready(), up(board))


async def test_a_restart_does_not_end_it(
    watch: Watch, restarted: Callable[[], Watch], store: Store, board: Board,
    clock: SettableClock, published: list[Polled], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """An error that is met at each poll before and after a restart is one alert."""
    await watch.poll()
    BREAK["exposition"](monkeypatch, watch, store, board)
    for _ in range(15):
        clock.advance(MINUTE)
        await watch.poll()
    again = restarted()
    for _ in range(2):
        clock.advance(MINUTE)
        await again.poll()

    assert State.FIRING is store.load("main").state.alerts[FAILING].state
    assert ["poll_failing fires"] == course(published)


async def test_other_alerts_stay_as_they_were(
    watch: Watch, store: Store, world: World, clock: SettableClock, published: list[Polled],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What fires before an error of ours neither resolves nor is repeated by it."""
    await watch.poll()
    world.open_port(next(iter(world.machines.values())).id, port(8080))
    await watch.poll()
    before = store.load("main").state.alerts
    with monkeypatch.context() as patch:
        patch.setattr(poll_module, "decide", broken)
        clock.advance(MINUTE)
        await watch.poll()
    after = store.load("main").state.alerts

    assert before.items() <= after.items()
    assert before.keys() | {FAILING} == after.keys()
    assert ["port_drift fires"] == course(published)


async def test_an_error_in_judging_an_error_is_still_seen(
    watch: Watch, store: Store, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where not even that can be decided, the metrics and readiness say so, and polls go on."""
    await watch.poll()
    with monkeypatch.context() as patch:
        patch.setattr(poll_module, "decide", broken)
        patch.setattr(poll_module, "decide_internal", broken)
        await watch.poll()
        assert (2, "0", 1) == (errors(board, "poll"), up(board), len(board.unready()))
    await watch.poll()

    assert ("1", []) == (up(board), board.unready())


async def test_a_failure_beside_a_poll_that_hangs(
    watch: Watch, store: Store, board: Board, clock: SettableClock, published: list[Polled],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """It fires after its `for` while the poll still hangs, and the poll's end resolves it."""
    await watch.poll()
    gate = asyncio.Event()
    fetch = poll_module.fetch

    async def hang(*args: Any) -> Any:  # noqa: ANN401 - as `fetch` has it
        await gate.wait()
        return await fetch(*args)

    monkeypatch.setattr(poll_module, "fetch", hang)
    polling = asyncio.create_task(watch.poll())
    for _ in range(12):
        clock.advance(MINUTE)
        await watch.fail("overdue", "no poll has ended for 3 min")
    assert "0" == up(board)
    assert ["account main: no poll has ended for 3 min"] == board.unready()
    assert [State.FIRING] == [alert.state for alert in store.load("main").state.alerts.values()]

    gate.set()
    await polling
    assert ("1", []) == (up(board), board.unready())
    assert ["poll_failing fires", "poll_failing resolves"] == course(published)

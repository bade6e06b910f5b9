import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from fluence_watch.alerting.state import Stored
from fluence_watch.app.decide import Policy
from fluence_watch.app.poll import Watch
from fluence_watch.app.polled import Polled
from fluence_watch.errors import StoreError
from fluence_watch.fluence import ClientConfig, FluenceClient
from fluence_watch.model.note import NoteAction
from fluence_watch.model.ports import port
from fluence_watch.model.snapshot import PollFailure, Snapshot
from fluence_watch.rules.situation import Expectation
from fluence_watch.simulator import Fault, FaultKind, FaultPlan, SettableClock, World, create_app
from fluence_watch.store import Store

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

Told = tuple[str, int, int]


class ForgetfulStore:
    """A store whose next commits fail, over a real one."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.failures = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)

    def commit(self, *args: object, **more: object) -> int:
        """Commit, or fail as a full disk does."""
        if self.failures:
            self.failures -= 1
            raise StoreError("the disk is full")
        return self.store.commit(*args, **more)


@pytest.fixture
def published() -> list[Polled]:
    """What was published, in order."""
    return []


@pytest.fixture
def told() -> list[Told]:
    """One entry each time when messages wait."""
    return []


@pytest.fixture
def forgetful(store: Store) -> ForgetfulStore:
    return ForgetfulStore(store)


@pytest.fixture
def watch(
    policy: Policy,
    client: FluenceClient,
    forgetful: ForgetfulStore,
    clock: SettableClock,
    published: list[Polled],
    told: list[Told],
) -> Watch:
    return Watch(
        policy,
        client,
        forgetful,
        Stored(),
        clock=clock,
        publish=published.append,
        crashed=lambda *what: pytest.fail(str(what)),
        committed=lambda account, alerts, ended, _: told.append((account, len(alerts), len(ended))),
    )


@pytest.fixture
def first(world: World) -> str:
    """The id of a VM."""
    return next(iter(world.machines.values())).id


async def test_a_poll_brings_a_list_or_a_reason(
    watch: Watch, faults: FaultPlan, published: list[Polled]
) -> None:
    """Whatever the API does is an outcome."""
    await watch.poll()
    faults.queue(Fault(FaultKind.STATUS, status=401), 10)
    await watch.poll()
    good, bad = (polled.outcome for polled in published)

    assert isinstance(good, Snapshot)
    assert (3, NOW, "main", "v2") == (len(good.vms), good.taken_at, good.account, good.dialect)
    assert isinstance(bad, PollFailure)
    assert ("unauthorized", NOW, True) == (bad.reason, bad.taken_at, bad.unauthorized)


async def test_a_poll_is_committed_published_and_told(
    watch: Watch,
    world: World,
    first: str,
    store: Store,
    published: list[Polled],
    told: list[Told],
    clock: SettableClock,
) -> None:
    """All that a poll brings is in the store before anybody hears of it."""
    await watch.poll()
    assert (3, [("main", 0, 0)]) == (len(published[0].state.known), told)
    world.open_port(first, port(8080))
    clock.advance(MINUTE)
    await watch.poll()
    await watch.poll()

    assert [("main", alerts, 0) for alerts in (0, 1, 1)] == told
    assert published[-1].state == store.load("main").state
    assert all(polled.seconds > 0 and polled.store_error is None for polled in published)


async def test_notes_stay_while_they_are_needed(
    watch: Watch, store: Store, clock: SettableClock
) -> None:
    """One on ports goes with the first poll, one on a key with the first that is an hour later."""
    store.leave_note("main", NoteAction.ACCEPTED, "0xa1", at=clock())
    store.leave_note("main", NoteAction.KEY_ADDED, "SHA256:a", at=clock())
    left = []
    for minutes in (0, 59, 1):
        clock.advance(minutes * MINUTE)
        await watch.poll()
        left.append([note.action for note in store.notes("main")])
    assert [[NoteAction.KEY_ADDED], [NoteAction.KEY_ADDED], []] == left


async def test_what_could_not_be_kept_is_decided_again(
    watch: Watch,
    world: World,
    first: str,
    forgetful: ForgetfulStore,
    store: Store,
    published: list[Polled],
    told: list[Told],
) -> None:
    """Nobody hears of what a store that fails did not keep, until it is kept."""
    await watch.poll()
    world.open_port(first, port(8080))
    forgetful.failures = 2
    for _ in range(3):
        await watch.poll()

    assert [None, "the disk is full", "the disk is full", None] == [
        p.store_error for p in published
    ]
    assert [("main", 0, 0), ("main", 1, 0)] == told


async def test_a_restart_goes_on_from_the_store(
    watch: Watch,
    policy: Policy,
    client: FluenceClient,
    world: World,
    first: str,
    store: Store,
    published: list[Polled],
    clock: SettableClock,
) -> None:
    """The next process goes on with the same alerts."""
    await watch.poll()
    world.open_port(first, port(8080))
    await watch.poll()
    again: list[Polled] = []
    after = Watch(
        policy,
        client,
        store,
        store.load("main"),
        clock=clock,
        publish=again.append,
        crashed=lambda *what: pytest.fail(str(what)),
        committed=lambda *_: None,
    )
    await after.poll()

    assert published[-1].state.alerts == again[0].state.alerts
    assert 1 == len(again[0].state.alerts)


class Counting(httpx.AsyncBaseTransport):
    """Answers with an empty list after a while, and counts how many wait for the same thing."""

    def __init__(self) -> None:
        self.waiting: Counter[str] = Counter()
        self.most = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        self.waiting[request.url.path] += 1
        self.most = max(self.most, self.waiting[request.url.path])
        await asyncio.sleep(0.01)
        self.waiting[request.url.path] -= 1
        return httpx.Response(200, stream=httpx.ByteStream(b"[]"), request=request)


async def test_polls_do_not_overlap(
    watch: Watch, policy: Policy, clock: SettableClock, published: list[Polled]
) -> None:
    """A second poll waits for the first, and `rest` for all that were begun."""
    counting = Counting()
    config = ClientConfig("k", "http://counting")
    async with FluenceClient(config, now=clock, transport=counting) as client:
        await watch.change(policy, client)
        polls = [asyncio.create_task(watch.poll()) for _ in range(3)]
        await asyncio.sleep(0)
        await watch.rest()

        assert (3, 1) == (len(published), counting.most)
        await asyncio.gather(*polls)


async def test_another_policy_counts_from_the_next_poll(
    watch: Watch, policy: Policy, published: list[Polled]
) -> None:
    """A reload changes what is expected without forgetting what is known."""
    await watch.poll()
    strict = replace(policy, expectations=(Expectation("*", ()),))
    await watch.change(strict)
    await watch.poll()

    assert [policy, strict] == [polled.policy for polled in published]
    assert [0, 6] == [len(polled.state.alerts) for polled in published]
    assert published[0].state.known.keys() == published[1].state.known.keys()


async def test_another_client_takes_over(
    watch: Watch,
    client: FluenceClient,
    world: World,
    clock: SettableClock,
    policy: Policy,
    published: list[Polled],
) -> None:
    """The former one is closed when no poll uses it any more."""
    api = httpx.ASGITransport(create_app(world, clock))
    config = ClientConfig("wrong-key", "http://simulator")
    async with FluenceClient(config, now=clock, transport=api) as other:
        await watch.change(policy, other)
        await watch.poll()

        assert watch.client is other
        assert isinstance(published[0].outcome, PollFailure)
    with pytest.raises(RuntimeError, match="closed"):
        await client.list_vms()

"""The steps of a poll, one by one, over bodies in files; all times are in milliseconds.

An ordinary one is the median of several: of a few polls one brings a whole window of alerts.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import orjson
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from fluence_watch.alerting.state import AccountState, Change
from fluence_watch.app.decide import Decision, Policy, decide
from fluence_watch.app.polled import Polled
from fluence_watch.app.view import build_view
from fluence_watch.app.wiring import prepare
from fluence_watch.fluence.dialects import v2
from fluence_watch.fluence.dialects.elements import Memo, Reading, read_elements
from fluence_watch.metrics.exposition import AccountView, Exposition
from fluence_watch.model.snapshot import Snapshot, build_snapshot
from fluence_watch.settings import WatchSettings
from fluence_watch.store import Store
from tests.bench.fleet import KEY, moment
from tests.bench.timing import best, took

ACCOUNT = "main"


@dataclass(frozen=True, slots=True)
class Stages:
    """What each step took, by its name; `others` are what it is compared with."""

    samples: int
    megabytes: float
    ours: dict[str, float]
    others: dict[str, float]


@dataclass(frozen=True, slots=True)
class _Poll:
    before: AccountState
    snapshot: Snapshot
    decision: Decision
    view: AccountView


def settings(url: str = "http://127.0.0.1") -> WatchSettings:
    """One account, everything else by default."""
    return WatchSettings.model_validate(
        {"accounts": [{"name": ACCOUNT, "api_key": KEY, "base_url": url, "dialect": "v2"}]}
    )


def measure(files: Sequence[Path], repeats: int) -> Stages:
    """Time every step: of a first poll, and of those that follow."""
    policy = prepare(settings()).policies[ACCOUNT]
    bodies = [file.read_bytes() for file in files]
    ours, others = _decode(bodies, repeats)
    polls = list(_polls(bodies, policy))
    ours |= _evaluate(polls, policy, repeats) | _commit(polls, repeats) | _render(polls, repeats)
    page = _page(polls[0].view)
    others["generate_latest"] = best(max(2, repeats // 2), _official(page))
    samples = sum(1 for line in page.splitlines() if not line.startswith("#"))
    return Stages(samples, len(bodies[0]) / 1e6, ours, others)


def _read(body: bytes, memo: Memo) -> Reading:
    return read_elements(v2.split(body).elements, v2.decode_vm, memo)


def _decode(bodies: Sequence[bytes], repeats: int) -> tuple[dict[str, float], dict[str, float]]:
    """Each in turn, so that whatever else the machine does falls on all."""
    first, again, other = [], [], []
    for _ in range(repeats):
        first.append(took(_read, bodies[0], {}))
        other.append(took(orjson.loads, bodies[0]))
        again.append(took(_read, bodies[1], _read(bodies[0], {}).memo))
    return {"decode, first": min(first), "decode, 1 %": min(again)}, {"orjson.loads": min(other)}


def _polls(bodies: Sequence[bytes], policy: Policy) -> Iterator[_Poll]:
    state: AccountState = AccountState()
    memo: Memo = {}
    for number, body in enumerate(bodies):
        listing, memo = _read(body, memo)
        snapshot = build_snapshot(ACCOUNT, moment(number), listing.vms, listing.rejected)
        decision = decide(state, snapshot, policy)
        polled = Polled(policy, snapshot, decision.after, seconds=0.0)
        yield _Poll(state, snapshot, decision, build_view(polled, None))
        state = decision.after


def _evaluate(polls: Sequence[_Poll], policy: Policy, repeats: int) -> dict[str, float]:
    first, *others = (best(repeats, decide, each.before, each.snapshot, policy) for each in polls)
    return {"evaluate, first": first, "evaluate, 1 %": median(others)}


def _commit(polls: Sequence[_Poll], repeats: int) -> dict[str, float]:
    runs = [_committed(polls) for _ in range(max(2, repeats // 2))]
    return {name: min(run[name] for run in runs) for name in runs[0]}


def _committed(polls: Sequence[_Poll]) -> dict[str, float]:
    with TemporaryDirectory() as folder, Store.open(f"sqlite:///{folder}/bench.db") as store:
        first, *others = (
            took(_commit_one, store, each, number) for number, each in enumerate(polls)
        )
        load = took(store.load, ACCOUNT)
    return {"commit, first": first, "commit, 1 %": median(others), "load at start": load}


def _commit_one(store: Store, poll: _Poll, number: int) -> None:
    change = Change.between(poll.before, poll.decision.after, poll.decision.ended)
    store.commit(ACCOUNT, change, version=number)


def _render(polls: Sequence[_Poll], repeats: int) -> dict[str, float]:
    views = [each.view for each in polls]
    runs = [_rendered(views) for _ in range(repeats)]
    return {name: min(run[name] for run in runs) for name in runs[0]}


def _rendered(views: Sequence[AccountView]) -> dict[str, float]:
    """Compressed pages are made from the first scrape that wants one on."""
    page = Exposition(lambda _: b"")
    first, *plain = (took(page.publish, view) for view in views)
    page.scrape(None, "gzip")
    page.publish(views[0])
    packed = [took(page.publish, view) for view in views[1:]]
    return {
        "render, first": first,
        "render, 1 %": median(plain),
        "render and compress, 1 %": median(packed),
        "scrape in process, gzip": best(3, page.scrape, None, "gzip"),
        "scrape in process, plain": best(3, page.scrape),
    }


def _page(view: AccountView) -> str:
    page = Exposition(lambda _: b"")
    page.publish(view)
    return page.scrape().body.decode()


def _official(page: str) -> Callable[[], bytes]:
    """What prometheus_client does to render the same samples."""

    class _Same:
        def __init__(self) -> None:
            self.families: Sequence[Metric] = list(text_string_to_metric_families(page))

        def collect(self) -> Sequence[Metric]:
            return self.families

    registry = CollectorRegistry()
    registry.register(_Same())
    return lambda: generate_latest(registry)

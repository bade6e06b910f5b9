"""One account, watched: fetch → compare → decide → commit → notify."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import monotonic
from types import MappingProxyType
from typing import TypeVar

import structlog

from fluence_watch.alerting.lifecycle import Alert, Alerts
from fluence_watch.alerting.state import AccountState, Stored
from fluence_watch.app.clock import Clock
from fluence_watch.app.decide import Context, Policy, decide, decide_internal
from fluence_watch.app.faults import described
from fluence_watch.app.kept import Decide, Kept
from fluence_watch.app.polled import Polled
from fluence_watch.app.rented import attempt, fetch_resources
from fluence_watch.app.report import report
from fluence_watch.app.retries import tallied
from fluence_watch.app.runtime import return_memory
from fluence_watch.errors import ApiError, StoreError
from fluence_watch.fluence import AUTO, FluenceClient
from fluence_watch.model.account import AccountBalance
from fluence_watch.model.market import Market
from fluence_watch.model.note import Note
from fluence_watch.model.snapshot import (
    INTERNAL_ERROR,
    Outcome,
    PollFailure,
    Snapshot,
    build_snapshot,
)
from fluence_watch.model.spending import Spending
from fluence_watch.rules import spend_anomaly
from fluence_watch.rules.base import Need
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.store import Store
from fluence_watch.threads import STORE

T = TypeVar("T")

_log = structlog.get_logger(__name__)

Committed = Callable[[str, Alerts, Sequence[Alert], frozenset[str] | None], None]
"""Is called with the account, its open alerts, those that ended, and the paused subjects."""


async def fetch(client: FluenceClient, policy: Policy, clock: Clock) -> Outcome:
    """What the API reports of the account, or why there is no list of VMs.

    All of it is requested at the same time; where a part fails, the snapshot says why.
    """
    account = policy.account
    if client.dialect == AUTO and isinstance(found := await attempt(client.list_vms()), ApiError):
        return PollFailure(account, clock(), found.reason, str(found))
    async with asyncio.TaskGroup() as requests:
        listing = requests.create_task(attempt(client.list_vms()))
        balance = requests.create_task(attempt(client.account_balance()))
        wanted = Need.KEYS in policy.needs
        keys = requests.create_task(attempt(client.list_ssh_keys())) if wanted else None
        asked = Need.MARKET in policy.needs
        prices = requests.create_task(attempt(client.market())) if asked else None
        beside = {"ports"} | ({"SSH keys"} if wanted else set()) | ({"market"} if asked else set())
        days = policy.billed_days(clock())
        rented = requests.create_task(fetch_resources(client, days, beside))
    vms, money, ssh_keys = listing.result(), balance.result(), keys.result() if keys else None
    if isinstance(vms, ApiError):
        return PollFailure(account, clock(), vms.reason, str(vms))
    resources, market = rented.result(), prices.result() if prices else None
    taken_at = clock()
    return build_snapshot(
        account,
        taken_at,
        vms.vms,
        vms.rejected,
        client.dialect,
        ssh_keys=ssh_keys if isinstance(ssh_keys, tuple) else None,
        balance=money if isinstance(money, AccountBalance) else None,
        incomplete_because=vms.incomplete_because,
        billing=client.billing,
        unknown={
            what: str(error)
            for what, error in (("balance", money), ("SSH keys", ssh_keys), ("market", market))
            if isinstance(error, ApiError)
        }
        | resources.unknown
        | _market_flaws(market),
        resources=resources.found,
        kinds=client.kinds,
        permissions=resources.permissions,
        charges=resources.charges if days == policy.billed_days(taken_at) else None,
        market=market if isinstance(market, Market) else None,
    )


def _market_flaws(market: Market | ApiError | None) -> dict[str, str]:
    """Why the market is not known in full, if so."""
    flaws = market.unknown if isinstance(market, Market) else {}
    return {"market": "; ".join(f"{what}: {why}" for what, why in flaws.items())} if flaws else {}


class Watch:
    """The watch over one account, from the state that was last committed.

    `publish` and `crashed` are called in any thread, `committed` in the event loop.
    `crashed` is called with every internal error: the account, the place, and a description.
    """

    def __init__(
        self,
        policy: Policy,
        client: FluenceClient,
        store: Store,
        stored: Stored,
        *,
        clock: Clock,
        publish: Callable[[Polled], None],
        crashed: Callable[[str, str, str], None],
        committed: Committed,
    ) -> None:
        self._policy = policy
        self.client = client
        self._store = store
        self._clock = clock
        self._publish = publish
        self._crashed = crashed
        self._committed = committed
        self._kept = Kept(store, policy.account, stored)
        self._fault = _fault_in(stored.state)
        self._counts: tuple[object, ...] | None = None
        self._polling = asyncio.Lock()
        self._settling = asyncio.Lock()  # may be taken beside `_polling`, never before it

    async def poll(self) -> Polled:
        """Poll the account once; a failure is an outcome, not an error."""
        async with self._polling:
            started, policy = monotonic(), self._policy
            with tallied() as retries:
                outcome = await self._fetch(policy)
            return await self._settle(policy, outcome, started, retries)

    async def fail(self, reason: str, message: str) -> Polled | None:
        """Conclude a failure beside a poll that hangs, unless one is being concluded."""
        if self._settling.locked():
            return None
        failure = PollFailure(self._policy.account, self._clock(), reason, message)
        return await self._settle(self._policy, failure, monotonic())

    async def change(self, policy: Policy, client: FluenceClient | None = None) -> None:
        """Continue with another policy, and with another client if one is given.

        When it returns, no poll runs by the old ones.
        """
        former, self._policy = self.client, policy
        self.client = client or former
        await self.rest()
        if client is not None:
            await former.aclose()

    async def rest(self) -> None:
        """Wait until no poll runs."""
        async with self._polling, self._settling:
            return

    async def _fetch(self, policy: Policy) -> Outcome:
        try:
            return await fetch(self.client, policy, self._clock)
        except Exception as error:  # noqa: BLE001 - of ours: it is an outcome like any other
            return self._internal("poll", error)

    async def _settle(
        self,
        policy: Policy,
        outcome: Outcome,
        started: float,
        retries: Mapping[str, int] = MappingProxyType({}),
    ) -> Polled:
        async with self._settling:
            polled = await STORE.run(self._conclude, policy, outcome, started)
        report(polled, retries, changed=polled.counts != self._counts)
        self._counts = polled.counts
        if not polled.store_error:
            self._committed(policy.account, polled.state.alerts, polled.ended, polled.paused)
        return polled

    def _conclude(self, policy: Policy, outcome: Outcome, started: float) -> Polled:
        """Decide, commit, publish. If that raises, conclude an internal error instead.

        It lasts until a whole poll succeeds, so that it does not flap with the steps of one.
        """
        try:
            polled = self._judge(policy, outcome, started)
        except Exception as error:  # noqa: BLE001 - of ours
            polled = self._judge_internal(policy, self._internal("poll", error), started)
        failure = polled.outcome if isinstance(polled.outcome, PollFailure) else None
        self._fault = failure.message if failure and failure.reason == INTERNAL_ERROR else ""
        try:
            self._publish(polled)
        except Exception as error:  # noqa: BLE001 - of ours
            self._fault = self._internal("exposition", error).message
        return_memory()
        return polled

    def _judge(self, policy: Policy, outcome: Outcome, started: float) -> Polled:
        if isinstance(outcome, PollFailure) and outcome.internal:
            return self._judge_internal(policy, outcome, started)
        notes, unread = self._notes(policy.account)
        context = Context(notes, self._fault, self._spending(policy, outcome))
        polled = self._decided(
            policy,
            outcome,
            lambda state: decide(state, outcome, policy, context),
            started,
            unread,
        )
        return replace(polled, notes=notes)

    def _judge_internal(self, policy: Policy, failure: PollFailure, started: float) -> Polled:
        try:
            return self._decided(
                policy, failure, lambda state: decide_internal(state, failure, policy), started
            )
        except Exception as error:  # noqa: BLE001 - of ours, a second one: there is nobody to notify
            failure = self._internal("poll", error)
            return Polled(policy, failure, self._kept.state, seconds=monotonic() - started)

    def _decided(
        self,
        policy: Policy,
        outcome: Outcome,
        judge: Decide,
        started: float,
        store_error: str | None = None,
    ) -> Polled:
        """The decision, committed if nothing is wrong with the store.

        What was not committed is decided again at the next poll.
        """
        before = self._kept.state.alerts
        try:
            decision = judge(self._kept.state) if store_error else self._kept.change(judge)
        except StoreError as error:
            store_error, decision = str(error), judge(self._kept.state)
        month = outcome.taken_at.date().replace(day=1)
        return Polled(
            policy,
            outcome,
            decision.after,
            seconds=monotonic() - started,
            store_error=store_error,
            before=before,
            ended=decision.ended,
            paused=decision.paused,
            month_to_date=_unless_unreadable(lambda: self._kept.charged_since(month)),
            charged=_unless_unreadable(self._kept.charged),
        )

    def _spending(self, policy: Policy, outcome: Outcome) -> Spending | None:
        """What the account spends, if a rule judges it now and the store can be read."""
        settings = policy.rules[spend_anomaly.NAME]
        assert isinstance(settings, spend_anomaly.SpendAnomalySettings)
        if not settings.enabled or not isinstance(outcome, Snapshot):
            return None
        return _unless_unreadable(
            lambda: self._kept.spending(
                outcome.taken_at, lambda found: spend_anomaly.is_odd(found, settings)
            )
        )

    def _internal(self, where: str, error: Exception) -> PollFailure:
        account, what = self._policy.account, described(error)
        _log.error("internal error, please report it", account=account, where=where, exc_info=error)
        self._crashed(account, where, what)
        return PollFailure(account, self._clock(), INTERNAL_ERROR, what)

    def _notes(self, account: str) -> tuple[list[Note], str | None]:
        """The changes that users made, or why they cannot be read: then nothing can be committed."""
        try:
            return self._store.notes(account), None
        except StoreError as error:
            return [], str(error)


def _unless_unreadable(read: Callable[[], T]) -> T | None:
    """What the store has, `None` if it cannot be read."""
    try:
        return read()
    except StoreError:
        return None


def _fault_in(state: AccountState) -> str:
    """The error of our own that an alert of an earlier run is about: it lasts until a poll goes well."""
    facts = (alert.facts for alert in state.alerts.values())
    found = (f.message for f in facts if isinstance(f, PollFailing) and f.reason == INTERNAL_ERROR)
    return next(found, "")

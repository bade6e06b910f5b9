"""Sends digests when they are due: each slot once, over restarts and changes of the clock.

Which slot is due, `alerting/slots.py` decides. Each digest has its own connection to its receiver,
its own attempts, and is sent beside the others. It is not loaded without digests.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import random

import structlog

from fluence_watch.alerting.attempts import Attempts
from fluence_watch.alerting.slots import Due, Progress, Step, due
from fluence_watch.app.clock import Clock
from fluence_watch.app.digest_plan import DigestPlan
from fluence_watch.errors import NotifyError, StoreError
from fluence_watch.notify.delivery import Observer
from fluence_watch.notify.render import Rendered
from fluence_watch.notify.shipped import SHIPPED, Words
from fluence_watch.store import Store
from fluence_watch.threads import RENDERING, STORE

_log = structlog.get_logger(__name__)

LOOK_SECONDS = 15.0
"""How often to look. A wall clock may jump, so nothing sleeps until a slot."""


@dataclass(slots=True)
class _Running:
    """A digest, how far it is, and what of that is stored.

    `may_repeat` is whether an attempt at the slot that is begun may have arrived.
    """

    plan: DigestPlan
    progress: Progress
    stored: Progress | None
    may_repeat: bool = False
    attempts: Attempts = field(default_factory=Attempts)


class Digests:
    """The digests of the settings. `look` is called again and again."""

    def __init__(self, store: Store, observer: Observer, clock: Clock) -> None:
        self._store = store
        self._observer = observer
        self._clock = clock
        self._plans: Mapping[str, DigestPlan] = {}
        self._words: Words = SHIPPED
        self._since: datetime | None = None
        self._running: dict[str, _Running] = {}

    def take_over(self, plans: Mapping[str, DigestPlan], words: Words = SHIPPED) -> None:
        """Send these digests from the next look on, and no others. A new one begins now."""
        self._plans, self._since = plans, self._clock()
        self._words = words

    async def look(self) -> None:
        """Deal with whatever is due."""
        try:
            await self._adopt()
        except StoreError as error:
            _log.error("cannot read the state of the digests", error=str(error))
        await asyncio.gather(*(self._guarded(each) for each in list(self._running.values())))

    async def _adopt(self) -> None:
        """Follow the plans that were taken over last."""
        if self._since is None:
            return
        plans, since = self._plans, self._since
        await STORE.run(self._store.digests.keep_only, list(plans))
        stored = await STORE.run(self._store.digests.progress)
        self._running = {
            key: self._adopted(plan, stored.get(key), since) for key, plan in plans.items()
        }
        if self._since == since:
            self._since = None

    def _adopted(self, plan: DigestPlan, stored: Progress | None, since: datetime) -> _Running:
        if running := self._running.get(plan.key):
            running.plan = plan
            return running
        progress = stored or Progress(since, is_sent=True)
        return _Running(plan, progress, stored, may_repeat=not progress.is_sent)

    async def _guarded(self, one: _Running) -> None:
        try:
            await self._save(one)
            await self._look_at(one)
        except StoreError as error:
            _log.error("no digest can be sent: the store fails", error=str(error))
        except Exception:  # noqa: BLE001 - of ours; the next look must have its chance
            _log.exception("internal error, please report it", **_named(one))
            self._observer.internal_error("message")
            one.attempts = one.attempts.failed("internal error", self._clock(), random())  # noqa: S311 - spreads retries

    async def _look_at(self, one: _Running) -> None:
        now = self._clock()
        found = due(one.plan.cron, one.progress, now, one.plan.catch_up)
        if found is None:
            return
        if not one.progress.is_sent and (found.step is not Step.SEND or found.slot != one.progress.slot):  # fmt: skip
            self._give_up(one)
        if found.step is not Step.SEND:
            self._tell_skipped(one, found)
            await self._keep(one, Progress(found.slot, is_sent=True))
            return
        if found.slot != one.progress.slot:
            one.attempts, one.may_repeat = Attempts(), False
        if one.attempts.wait_left(now) <= timedelta(0):
            await self._send(one, found.slot, now)

    async def _send(self, one: _Running, slot: datetime, now: datetime) -> None:
        """Make and send the digest of a slot. It is stored as begun before, and as sent after."""
        begun = Progress(slot, is_sent=False)
        await STORE.run(self._store.digests.save, one.plan.key, begun)
        one.progress = one.stored = begun
        rendered = await self._rendered(one.plan, slot, now)
        if one.may_repeat:
            _log.warning("sending a digest again that may have arrived", **_named(one))
            self._observer.possible_duplicate(one.plan.channel.name)
        one.may_repeat = True  # until the outcome is known
        try:
            await one.plan.channel.send(rendered)
        except NotifyError as error:
            one.may_repeat = error.may_have_arrived
            self._refused(one, str(error))
            return
        one.may_repeat = False
        _log.info("digest sent", slot=slot.isoformat(), **_named(one))
        self._observer.delivered(one.plan.channel.name)
        await self._keep(one, Progress(slot, is_sent=True))

    async def _rendered(self, plan: DigestPlan, slot: datetime, now: datetime) -> Rendered:
        digest = await STORE.run(plan.made, self._store, slot, now)
        channel = plan.channel
        return await RENDERING.run(
            self._words.render_digest, digest, channel.format, now, channel.longest
        )

    def _refused(self, one: _Running, error: str) -> None:
        _log.warning("receiver did not accept a digest", error=error, **_named(one))
        self._observer.failed(one.plan.channel.name)
        one.attempts = one.attempts.failed(error, self._clock(), random())  # noqa: S311 - spreads retries

    def _give_up(self, one: _Running) -> None:
        _log.error(
            "digest given up",
            slot=one.progress.slot.isoformat(),
            error=one.attempts.error or "unknown",
            **_named(one),
        )
        self._observer.given_up(one.plan.channel.name, 1)

    def _tell_skipped(self, one: _Running, found: Due) -> None:
        if found.step is Step.START_OVER:
            after = one.progress.slot.isoformat()
            _log.warning("the clock was set far back, digests begin anew", after=after, **_named(one))  # fmt: skip
        elif found.slot != one.progress.slot:
            slot = found.slot.isoformat()
            _log.warning("digest skipped, its time passed too long ago", slot=slot, **_named(one))

    async def _keep(self, one: _Running, progress: Progress) -> None:
        """What happened counts, even if it cannot be stored yet."""
        one.progress = progress
        await self._save(one)

    async def _save(self, one: _Running) -> None:
        if one.progress != one.stored and self._running.get(one.plan.key) is one:
            await STORE.run(self._store.digests.save, one.plan.key, one.progress)
            one.stored = one.progress


def _named(one: _Running) -> dict[str, str]:
    cron = one.plan.cron
    return {"receiver": one.plan.channel.name, "schedule": f"{cron.schedule} {cron.timezone}"}

"""The courier of a cluster: one for each of its members, so that none holds up another."""

import asyncio
from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import datetime

from fluence_watch.alerting.attempts import Attempts
from fluence_watch.alerting.lifecycle import Alert, Episode, State
from fluence_watch.alerting.muting import Muted
from fluence_watch.alerting.scribe import Scribe
from fluence_watch.alerting.telling import Recipient
from fluence_watch.app.alertmanager.desk import Desk
from fluence_watch.app.alertmanager.member import MemberCourier
from fluence_watch.app.book import Waiting
from fluence_watch.notify.alertmanager.cluster import Cluster
from fluence_watch.notify.delivery import Health

_FAREWELL = 5.0
"""Seconds to end what a removed cluster has."""


class ClusterCourier:
    """Notifies one Alertmanager cluster. It has the methods of `courier.Courier`."""

    heeds_mutes = False
    """An Alertmanager has silences and inhibition of its own."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._members: dict[str, MemberCourier] = {}
        self._follow(desk.cluster)

    async def adopt(self, cluster: Cluster, recipient: Recipient) -> None:
        """The receiver of new settings. A member that stays is still known."""
        removed = [self._members.pop(name) for name in self._members.keys() - _names(cluster)]
        former = [each.member for each in self._members.values()]
        self._desk.adopt(cluster, recipient)
        self._follow(cluster)
        for courier in removed:
            await courier.stop()
        for member in former:
            await member.aclose()

    def look(self, account: str, episodes: Iterable[Episode] | None = None) -> None:
        """Post these episodes of the account now, or all of them."""
        known = self._desk.episodes(account) if episodes is None else set(episodes)
        for courier in self._members.values():
            courier.look(known)

    def forget(self, account: str) -> None:
        """The account is no longer watched: its alerts end."""
        self.scribe.forget_account(account)
        for courier in self._members.values():
            courier.forget(account)

    def claims(self, alert: Alert, muted: Muted) -> bool:  # noqa: ARG002 - an Alertmanager heeds none
        """Whether the alert is over and a member is yet to know."""
        over = alert.state is State.RESOLVED
        return over and self._desk.posting(alert.episode, self._desk.delivery.now()) is not None

    def settled(self, episodes: Collection[Episode]) -> None:
        """Nothing is due of these any more."""
        self.scribe.settled(episodes)

    @property
    def scribe(self) -> Scribe:
        """What writes for it into the journal."""
        return self._desk.delivery.scribe

    @property
    def waiting(self) -> Waiting | None:
        """What no member has accepted, `None` before it is counted."""
        return self._desk.waiting

    @property
    def attempts(self) -> Attempts:
        """The attempts to reach the cluster."""
        return self._desk.delivery.attempts

    @property
    def health(self) -> Health:
        """How they went. The cluster works as long as one member does."""
        return self._desk.delivery.health

    @property
    def stuck_since(self) -> datetime | None:
        """Since when no member accepts anything; `None` while one does."""
        oldest = self.waiting.oldest_at if self.waiting and self.attempts.failures else None
        return min(filter(None, (self.health.failing_since, oldest)), default=None)

    @property
    def next_try_at(self) -> datetime | None:
        """When the first member that failed is tried again; may run in any thread."""
        tries = [each.next_try_at for each in list(self._members.values())]
        return min(filter(None, tries), default=None)

    async def hurry(self) -> None:
        """Try once more to post what waits, and return when nothing can be posted now."""
        for courier in self._members.values():
            courier.hurry()
        await self.rest()

    async def rest(self) -> None:
        """Return when nothing can be posted now."""
        for courier in list(self._members.values()):
            await courier.rest()

    async def leave(self) -> None:
        """The receiver is removed: end what it has, if that is possible at once, and stop."""
        self._desk.close()
        for courier in self._members.values():
            courier.refresh()
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                await self.hurry()
        await self.stop()

    async def stop(self) -> None:
        """Stop at once. What fires stays active in the members."""
        for courier in self._members.values():
            await courier.stop()

    def _follow(self, cluster: Cluster) -> None:
        """Post all to the members of the cluster."""
        for member in cluster.members:
            if courier := self._members.get(member.shown):
                courier.member = member
                courier.refresh()
            else:
                self._members[member.shown] = MemberCourier(member, self._desk)
        self._desk.standings = [each.standing for each in self._members.values()]


def _names(cluster: Cluster) -> set[str]:
    return {member.shown for member in cluster.members}

"""What a cluster should have now, and what is remembered of what its members accepted."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from fluence_watch.alerting.journal import What, WhyNot
from fluence_watch.alerting.judging import Judgement, judged
from fluence_watch.alerting.lifecycle import Alert, Episode, State
from fluence_watch.alerting.posting import Posting, patient, posting
from fluence_watch.alerting.telling import Notified, Reason, Recipient
from fluence_watch.app.book import Book, Waiting
from fluence_watch.errors import NotifyError
from fluence_watch.notify.alertmanager.cluster import Cluster
from fluence_watch.notify.alertmanager.payload import Payloads, alert_labels
from fluence_watch.notify.delivery import Delivery

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Standing:
    """How a member stands.

    `works` is whether the last post was accepted, `None` before the first. `due` are the episodes
    to post next. `ended` are those that it knows to be over, with when it last accepted that.
    """

    works: bool | None = None
    due: set[Episode] = field(default_factory=set)
    ended: dict[Episode, datetime] = field(default_factory=dict)

    def is_settled(self, wanted: Posting) -> bool:
        """Whether the member knows for good that it is over."""
        at = self.ended.get(wanted.episode)
        return at is not None and wanted.settles(at)


class Desk:
    """The desk of one cluster. `standings` has one for each member.

    `waiting` is `None` before it is counted. `counted` is called each time that it is.
    """

    def __init__(
        self,
        delivery: Delivery,
        cluster: Cluster,
        recipient: Recipient,
        book: Book,
        *,
        events: frozenset[str],
        counted: Callable[[], None],
    ) -> None:
        self.delivery = delivery
        self.standings: list[Standing] = []
        self.waiting: Waiting | None = None
        self._book = book
        self._events = events
        self._counted = counted
        self._closed = False
        self.adopt(cluster, recipient)

    def adopt(self, cluster: Cluster, recipient: Recipient) -> None:
        """The cluster and the route of new settings."""
        self.delivery.channel = self.cluster = cluster
        self.recipient = patient(recipient)
        ranks = self.delivery.ranks
        self.payloads = Payloads(cluster.name, ranks, cluster.labels, self._broken, cluster.base)

    def close(self) -> None:
        """Nothing is to be posted any more, but ends."""
        self._closed = True

    @property
    def name(self) -> str:
        """The receiver's name."""
        return self.cluster.name

    def episodes(self, account: str | None = None) -> set[Episode]:
        """The episodes, of all accounts or of one, of which a member may be due something."""
        pages = self._book.pages
        names = list(pages) if account is None else [account]
        return {episode for name in names if name in pages for episode in pages[name].alerts}

    def alert(self, episode: Episode) -> Alert | None:
        """The alert as it is now."""
        page = self._book.pages.get(episode.fingerprint.account)
        return page.alerts.get(episode) if page else None

    def posting(self, episode: Episode, now: datetime) -> Posting | None:
        """How the episode should be posted now, if at all."""
        alert = self.alert(episode)
        if alert is None or self._closed:
            return None
        if self._is_superseded(alert):
            judgement = Judgement(What.NEVER, WhyNot.SUPERSEDED)
            self.delivery.scribe.judged(episode, judgement, now)
            return None
        told = self._told(episode)
        wanted = posting(alert, told, self.recipient, now, self._events)
        if wanted is None:
            self._write_why_not(alert, told, now)
        return wanted

    def _write_why_not(self, alert: Alert, told: Notified | None, now: datetime) -> None:
        to, events = self.recipient, self._events
        judgement = judged(alert, told, None, None, recipient=to, now=now, events=events)
        is_event = alert.fingerprint.rule in events
        if judgement is not None and not (told and is_event):  # an event ends by itself
            self.delivery.scribe.judged(alert.episode, judgement, now)

    def is_news(self, wanted: Posting) -> bool:
        """Whether no member knows it yet."""
        known = wanted.over and any(wanted.episode in each.ended for each in self.standings)
        return not known and wanted.is_news(self._told(wanted.episode))

    async def accepted(self, posted: Sequence[Posting], at: datetime, member: str) -> None:
        """A member accepted these. What is new of them is remembered."""
        news = [each for each in posted if self.is_news(each)]
        if news:
            over = Counter("resolved" if each.over else "firing" for each in news)
            _log.info("notified", receiver=self.name, alertmanager=member, **over)
            self.delivery.observer.delivered(self.name)
        for each in news:
            reason = self._reason(each)
            self.delivery.scribe.posted(each.episode, reason, at, member)
        active = [each for each in news if not each.over]
        await self._remember(
            {each.episode: each.notified(self._told(each.episode), at) for each in active}
        )

    async def settle(self, now: datetime) -> None:
        """Remember what each member knows to be over."""
        ended = [each.ended for each in self.standings]
        common = set.intersection(*map(set, ended)) if ended else set[Episode]()
        wanted = (self.posting(episode, now) for episode in common)
        over = [w for w in wanted if w and all(each.is_settled(w) for each in self.standings)]
        if over:
            await self._remember({each.episode: each.resolved(now) for each in over})

    async def failed(self, error: NotifyError) -> None:
        """A member accepts nothing. The receiver fails when none does."""
        self.delivery.observer.failed(self.name)
        if all(each.works is False for each in self.standings):
            await self.delivery.failed(error)

    def count(self, now: datetime) -> None:
        """Count what no member has accepted: one message for each account."""
        due = set.intersection(*(each.due for each in self.standings)) if self.standings else set()
        wanted = [w for episode in due if (w := self.posting(episode, now)) and self.is_news(w)]
        accounts = {each.episode.fingerprint.account for each in wanted}
        since = (each.ends_at if each.over else each.starts_at for each in wanted)
        self.waiting = Waiting(len(accounts), min(since, default=None))
        self._counted()

    async def _remember(self, known: dict[Episode, Notified]) -> None:
        for episode, new in known.items():
            if self.alert(episode):  # what was settled meanwhile is left out
                self._book.told(episode.fingerprint.account, self.name)[episode] = new
        await self.delivery.accepted(known)

    def _reason(self, wanted: Posting) -> Reason:
        told = self._told(wanted.episode)
        if told is None:
            return Reason.MISSED if wanted.over else Reason.FIRST
        return Reason.RESOLVED if wanted.over else Reason.WORSE

    def _told(self, episode: Episode) -> Notified | None:
        account = episode.fingerprint.account
        return self._book.told(account, self.name).get(episode) if self.alert(episode) else None

    def _is_superseded(self, alert: Alert) -> bool:
        """Whether the same problem fires again: its end, posted late, would end that too."""
        page = self._book.pages[alert.fingerprint.account]
        later, labels = page.open.get(alert.fingerprint), self.cluster.labels
        return (
            alert.state is State.RESOLVED
            and later is not None
            and later.state is State.FIRING
            and alert_labels(later, labels) == alert_labels(alert, labels)
        )

    def _broken(self) -> None:
        self.delivery.observer.internal_error("message")

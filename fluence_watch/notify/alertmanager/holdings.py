"""What a member has as active, and what has to end there because it is posted otherwise now."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from fluence_watch.alerting.lifecycle import Episode
from fluence_watch.alerting.posting import Posting, ended_before
from fluence_watch.notify.alertmanager.payload import Labels, Payload, identity


class Holdings:
    """The active alerts of one member, as it accepted them from this process.

    A severity, a name or a status are labels, and other labels are another alert: the one before
    has to end, or it is active for as long as it was meant to.
    """

    def __init__(self) -> None:
        self._active: dict[Episode, Payload] = {}
        self._owners: dict[Labels, Episode] = {}
        self._leaving: dict[Labels, Payload] = {}

    @property
    def episodes(self) -> Sequence[Episode]:
        """The episodes that are active there."""
        return list(self._active)

    def leave(self, episode: Episode, now: datetime) -> None:
        """The episode is not posted any more: what is active of it has to end."""
        payload = self._active.pop(episode, None)
        if payload is None or not self._disown(payload, episode):
            return
        if _time(payload, "endsAt") > now:
            end = ended_before(_time(payload, "startsAt"), now)
            ended: Payload = {**payload, "endsAt": end.isoformat()}
            self._leaving[identity(payload)] = ended

    def endings(self, pairs: Iterable[tuple[Posting, Payload]], now: datetime) -> list[Payload]:
        """What has to end when these are posted."""
        pairs = list(pairs)
        for posting, payload in pairs:
            before = self._active.get(posting.episode)
            if before is not None and identity(before) != identity(payload):
                self.leave(posting.episode, now)
        for posting, payload in pairs:
            if not posting.over:
                self._leaving.pop(identity(payload), None)
        return list(self._leaving.values())

    def accepted(
        self, pairs: Iterable[tuple[Posting, Payload]], endings: Iterable[Payload]
    ) -> None:
        """The member accepted these."""
        for ending in endings:
            if self._leaving.get(identity(ending)) is ending:
                del self._leaving[identity(ending)]
        for posting, payload in pairs:
            if posting.over:
                self._active.pop(posting.episode, None)
                self._disown(payload, posting.episode)
            else:
                self._active[posting.episode] = payload
                self._owners[identity(payload)] = posting.episode

    def _disown(self, payload: Payload, episode: Episode) -> bool:
        """Whether the labels were the episode's: a later one may have the same."""
        owned = self._owners.get(identity(payload)) == episode
        if owned:
            del self._owners[identity(payload)]
        return owned


def _time(payload: Payload, key: str) -> datetime:
    return datetime.fromisoformat(str(payload[key]))  # type: ignore[literal-required] # one of two

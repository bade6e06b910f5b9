"""People who answer: they silence, end silences early, and acknowledge."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from fluence_watch.alerting import muting
from fluence_watch.alerting.lifecycle import Episode as Told
from fluence_watch.alerting.matchers import read_matchers
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.store import Store
from tests.e2e.truth.plan import HOUR
from tests.e2e.truth.post import Line, Mail
from tests.e2e.truth.referee.episodes import Episode
from tests.e2e.truth.referee.hearing import Hearing
from tests.e2e.truth.referee.lines import Silence, Taken
from tests.e2e.truth.referee.verdict import Verdict

_SILENCED, _FOR_LONG, _EXPIRED, _TAKEN = 0.02, 0.004, 0.01, 0.05
"""How likely each is: of a new line, of an active silence at a step, and of a new line."""


@dataclass
class People:
    """What they do about what they are told, by seed. The store is what commands write to."""

    random: Random
    store_url: str
    hearing: Hearing
    silences: int = 0
    expired: int = 0
    acknowledged: int = 0
    _wanted: list[tuple[Line, Episode]] = field(default_factory=list)

    def hear(self, mail: Iterable[Mail], verdict: Verdict) -> None:
        """Remember what was told, to do something about it before the next step."""
        for each in mail:
            for line in each.lines:
                episode = verdict.episode(line)
                if episode and line["status"] == "firing" and not episode.event:
                    self._wanted.append((line, episode))

    def act(self, now: datetime) -> None:
        """Do something about it."""
        for line, episode in self._wanted:
            if line["rule"] != "billing_due" and self.random.random() < _TAKEN:
                self._acknowledge(line, episode, now)
            elif self.random.random() < (_SILENCED if line["rule"] != "billing_due" else 0.001):
                self._silence(episode, now, self.random.uniform(0.3, 9) * HOUR)
            elif line["severity"] == "critical" and self.random.random() < 10 * _FOR_LONG:
                self._silence(episode, now, self.random.uniform(25, 40) * HOUR)
        self._wanted = []
        for silence in list(self.hearing.silences.values()):
            if silence.ends_at > now and self.random.random() < _EXPIRED / 10:
                self._expire(silence, now)

    def _silence(self, episode: Episode, now: datetime, lasts: timedelta) -> None:
        labels = episode.labels
        ways = [(f"rule={labels['rule']}", f"account={labels['account']}")]
        if name := labels.get("vm_name"):
            ways += [(f"vm={name}",), (f"vm={name}", "severity!=critical")] * 2
        match = self.random.choice(ways)
        made = Silence(f"{self.random.getrandbits(32):08x}", match, now, now + lasts)
        self.hearing.silences[made.id] = made
        with self._store() as store:
            store.silences.add(muting.Silence(made.id, read_matchers(match), now, made.ends_at))
        self.silences += 1

    def _expire(self, silence: Silence, now: datetime) -> None:
        with self._store() as store:
            store.silences.expire(silence.id, now)
        self.hearing.silences[silence.id] = Silence(
            silence.id, silence.match, silence.starts_at, now
        )
        self.expired += 1

    def _acknowledge(self, line: Line, episode: Episode, now: datetime) -> None:
        about = Fingerprint(line["account"], line["rule"], line["subject"], line["key"])
        told = Told(about, datetime.fromisoformat(line["active_at"]))
        until, severity = now + self.random.uniform(1, 24) * HOUR, Severity(episode.found.severity)
        taken = muting.Acknowledgement(now, until, severity, episode.found.step)
        with self._store() as store:
            if store.silences.acknowledge(told, taken):
                self.hearing.taken[episode] = Taken(until, episode.rank, episode.found.step)
                self.acknowledged += 1

    def _store(self) -> Store:
        return Store.open(self.store_url, exclusive=False, notes=True)

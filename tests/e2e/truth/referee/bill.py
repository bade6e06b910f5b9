"""Whether the bill of a metered account is wrong: the days that were watched, and what was charged for them."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from tests.e2e.truth.fleet import Sight
from tests.e2e.truth.plan import DAY, HOUR

_SETTLED_AFTER = 6 * HOUR
_RIGHT = 100
_TICK = timedelta(microseconds=1)


@dataclass
class Bills:
    """The bill of each of the last `days` days that are settled.

    `watched` is how much of a day was watched, in microseconds: never longer than an hour without a poll
    that listed all that is billed.
    """

    days: int
    watched: Counter[date] = field(default_factory=Counter)
    is_wrong: bool | None = None
    _whole_at: datetime | None = None

    def see(self, sight: Sight) -> None:
        """A poll saw this. All of the bill is wrong, or none of it."""
        if not sight.unlisted:
            self._watch(sight.at)
        last = (sight.at - _SETTLED_AFTER).date() - DAY
        days = [last - age * DAY for age in range(self.days)]
        known = [day for day in days if self._is_known(day, sight)]
        agrees = bool(known) and sight.bill == _RIGHT
        self.is_wrong = None if len(known) < len(days) and not agrees else not agrees

    def _is_known(self, day: date, sight: Sight) -> bool:
        return sight.bill is not None and self.watched[day] == DAY // _TICK

    def _watch(self, now: datetime) -> None:
        since, self._whole_at = self._whole_at, now
        if since is None or now - since > HOUR:
            return
        while since < now:
            midnight = datetime.combine(since.date() + DAY, time(), UTC)
            until = min(midnight, now)
            self.watched[since.date()] += (until - since) // _TICK
            since = until

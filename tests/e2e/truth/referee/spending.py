"""Whether an account spends far more than usual: today so far, against the same hours of the days before."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from statistics import median

from tests.e2e.truth.plan import ANOMALY_USDC, DAY, MINUTE
from tests.e2e.truth.referee.episodes import End

_DAYS, _HOURS = 28, 24
_SETTLES = 5 * MINUTE
_DEVIATIONS, _SIGMAS, _SHARE = 4, 1.4826, 0.5
_LEAST = ANOMALY_USDC * 10**6


@dataclass
class Spending:
    """What was charged by hours, and the verdict of the hour.

    It is judged once an hour, at which poll of the hour the manual leaves open, and an hour more or less
    of the days before too: `None` is what these make a difference to. `min_days` is how many whole days
    there must be to compare with.
    """

    min_days: int
    charged: Counter[tuple[date, int]] = field(default_factory=Counter)
    is_odd: bool | None = False
    was_odd: bool | None = False
    _hour: datetime | None = None
    _first: tuple[bool | None, bool] = (False, False)

    def add(self, at: datetime, amount: int) -> None:
        """It was charged so much then."""
        self.charged[at.date(), at.hour] += amount

    def judge(self, now: datetime) -> None:
        """Judge the last hour whose charges are known."""
        hour = (now - _SETTLES).replace(minute=0, second=0, microsecond=0)
        latest = self._odd(hour), self._was_odd(hour.date())
        if hour != self._hour:
            self._hour, self._first = hour, latest
        odd, was = ({a, b} for a, b in zip(self._first, latest, strict=True))
        self.is_odd = odd.pop() if len(odd) == 1 else None
        self.was_odd = was.pop() if len(was) == 1 else None

    def absent(self) -> End | None:
        """How it ends: not while yesterday as a whole was odd."""
        return End.TOLD if not self.was_odd else None

    def _days(self, today: date) -> Sequence[date]:
        """The whole days before."""
        first = min((day for day, _ in self.charged), default=today)
        count = (today - first).days - 1
        return [today - age * DAY for age in range(min(count, _DAYS + 1), 0, -1)]

    def _sum(self, day: date, hours: int = _HOURS) -> int:
        return sum(self.charged[day, hour] for hour in range(min(hours, _HOURS)))

    def _odd(self, hour: datetime) -> bool | None:
        """Whether today so far is odd, and the last 24 hours are."""
        today, days = hour.date(), self._days(hour.date())
        if len(days) < self.min_days:
            return False
        whole = [self._sum(day) for day in days]
        found = {self._is_odd(today, hour.hour, days, whole, more) for more in (0, 1)}
        return found.pop() if len(found) == 1 else None

    def _is_odd(
        self, today: date, hours: int, days: Sequence[date], whole: Sequence[int], more: int
    ) -> bool:
        now, before = self._sum(today, hours), [self._sum(day, hours + more) for day in days]
        latest = now + whole[-1] - before[-1]
        return _is_far(now, before[-_DAYS:], whole[-_DAYS:]) and _is_far(
            latest, whole[-_DAYS:], whole[-_DAYS:]
        )

    def _was_odd(self, today: date) -> bool:
        """Whether yesterday as a whole was odd."""
        whole = [self._sum(day) for day in self._days(today)]
        return len(whole) > 1 and _is_far(whole[-1], whole[:-1], whole[:-1])


def _is_far(amount: int, before: Sequence[int], whole: Sequence[int]) -> bool:
    """Whether an amount is far above the median, by all three bounds."""
    middle, excess = median(before), amount - median(before)
    spread = median(abs(each - middle) for each in before)
    usual = max(middle, median(whole))
    return excess > max(_DEVIATIONS * _SIGMAS * spread, _LEAST, _SHARE * usual)

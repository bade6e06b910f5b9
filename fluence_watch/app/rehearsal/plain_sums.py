"""What an account spent, summed up in memory as the store would, while its bookings are plain ones.

They are plain as long as nothing is estimated, corrected or settled, and nothing is first seen twice:
then the store keeps each entry as it is. After that it must be asked, for good.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

from fluence_watch.model.accounting import Booking
from fluence_watch.model.corrections import OF_A_DAY
from fluence_watch.model.ledger import Certainty, Entry, EntryKind
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.spending import DAYS, Hour, Spending

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


class PlainSums:
    """The sums of one account, by day and time of the day (UTC)."""

    def __init__(self) -> None:
        self.is_plain = True
        self._seen: set[str] = set()
        self._days: defaultdict[date, Counter[timedelta]] = defaultdict(Counter)

    def add(self, booking: Booking) -> None:
        """Add what a poll books."""
        is_odd = any(map(_is_odd, booking.entries)) or not self._seen.isdisjoint(booking.first)
        self.is_plain = self.is_plain and not is_odd and not booking.settled
        if not self.is_plain:
            return
        self._seen.update(each.thing for each in booking.entries)
        for each in booking.entries:
            if each.kind in OF_A_DAY:
                midnight = datetime.combine(each.day, time(), UTC)
                self._days[each.day][each.at - midnight] += each.amount

    def spending(self, hour: Hour) -> Spending:
        """What was spent by that hour, and on the days before, from the first whole one on."""
        today, until = hour.day, hour.hours * _HOUR
        known = [day for day in self._days if today - (DAYS + 2) * _DAY <= day <= today]
        first = max(min(known, default=today) + _DAY, today - (DAYS + 1) * _DAY)
        days = [first + number * _DAY for number in range((today - first).days)]
        return Spending(
            hour,
            self._sum(today, until),
            tuple(self._sum(day, until + _HOUR) for day in days),
            tuple(self._sum(day, _DAY) for day in days),
        )

    def _sum(self, day: date, until: timedelta) -> MicroUsdc:
        parts: Mapping[timedelta, int] = self._days.get(day, {})
        return MicroUsdc(sum(amount for at, amount in parts.items() if at < until))


def _is_odd(entry: Entry) -> bool:
    return entry.certainty is Certainty.ESTIMATED or entry.kind is EntryKind.ADJUSTMENT

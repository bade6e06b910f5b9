"""What an account spent, summed up in memory as the store would, while its bookings are plain ones.

They are plain as long as nothing is estimated, corrected or settled, and nothing is first seen twice:
then the store keeps each entry as it is. After that it must be asked, for good.
Both compare days by `model.spending`; only adding up is each one's own. The database does it for the
store, because the daemon should not hold the entries of 100,000 VMs in memory; a rehearsal that asks it
each hour takes four times as long.
"""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, time, timedelta

from fluence_watch.model.accounting import Booking
from fluence_watch.model.corrections import OF_A_DAY
from fluence_watch.model.ledger import Certainty, Entry, EntryKind
from fluence_watch.model.spending import DAYS, Hour, Spending, compared

_DAY = timedelta(days=1)


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
        first = hour.day - (DAYS + 2) * _DAY
        whole = {day: self._sum(day, _DAY) for day in self._days if first <= day <= hour.day}
        by_hour = {day: self._sum(day, hour.until(day)) for day in whole}
        return compared(hour, whole, by_hour)

    def _sum(self, day: date, until: timedelta) -> int:
        return sum(amount for at, amount in self._days[day].items() if at < until)


def _is_odd(entry: Entry) -> bool:
    return entry.certainty is Certainty.ESTIMATED or entry.kind is EntryKind.ADJUSTMENT

"""What the settings mean: matchers on labels, globs, windows of time."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, time, timedelta
from fnmatch import fnmatchcase
from functools import cache
from zoneinfo import ZoneInfo

from tests.e2e.truth.plan import Maintenance, Receiver

RANK = {"info": 0, "warning": 1, "critical": 2}
Labels = Mapping[str, str]
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MUTED_BY = (
    (("rule=vm_vanished",), ("rule!=vm_vanished", "vm_id!="), ("vm_id",)),
    (
        ("rule=vm_status", "status=~terminated|failed"),
        ("rule!~vm_status|locked_funds", "vm_id!="),
        ("vm_id",),
    ),
    (("rule=poll_failing",), ("rule!=poll_failing", "severity!=critical"), ()),
    (("rule=topup_failed",), ("rule=~low_balance|billing_due",), ("vm_id",)),
    (("rule=debt",), ("rule=~funds_exhausted_soon|account_low",), ()),
    (("rule=funds_exhausted_soon",), ("rule=account_low",), ()),
)
"""Sources, targets, and what is equal in both beside the account."""
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"?(.*?)"?$')


def matches(matchers: Iterable[str], labels: Labels) -> bool:
    """Whether all matchers do."""
    return all(_matches(*_parsed(each), labels) for each in matchers)


@cache
def _parsed(matcher: str) -> tuple[str, str, str]:
    found = _MATCHER.match(matcher)
    assert found, matcher
    return found[1], found[2], found[3]


def _matches(name: str, sign: str, wanted: str, labels: Labels) -> bool:
    names = ("vm_name", "vm_id") if name == "vm" else (name,)
    values = [labels.get(each, "") for each in names]
    is_regex = sign.endswith("~")
    found = any(re.fullmatch(wanted, v) if is_regex else wanted == v for v in values)
    return found is not sign.startswith("!")


def takes(receiver: Receiver, labels: Labels, *, of_watcher: bool, about: str = "") -> bool:
    """Whether the receiver's own settings let it hear of this; never of its own failures."""
    return (
        about != receiver.name
        and RANK[labels["severity"]] >= RANK[receiver.min_severity]
        and any(fnmatchcase(labels["rule"], glob) for glob in receiver.rules)
        and (of_watcher or any(fnmatchcase(labels["account"], g) for g in receiver.accounts))
        and matches(receiver.match, labels)
    )


def is_active(receiver: Receiver, at: datetime) -> bool:
    """Whether the receiver is within its active times."""
    local = at.astimezone(ZoneInfo(receiver.timezone))
    return not receiver.active or any(_is_in(each, local) for each in receiver.active)


def _is_in(window: str, local: datetime) -> bool:
    """Whether a local time is in a window such as `Mon-Fri 08:00-18:00` or `22:00-06:00`."""
    days, _, hours = window.rpartition(" ")
    begin, end = (time.fromisoformat(each) for each in hours.split("-"))
    if begin < end:
        return _is_day(days, local.weekday()) and begin <= local.time() < end
    evening = _is_day(days, local.weekday()) and local.time() >= begin
    return evening or (_is_day(days, (local.weekday() - 1) % 7) and local.time() < end)


def _is_day(days: str, number: int) -> bool:
    if not days:
        return True
    first, _, last = days.partition("-")
    return _DAYS.index(first) <= number <= _DAYS.index(last or first)


def is_on(maintenance: Maintenance, at: datetime) -> bool:
    """Whether a window of the maintenance is open."""
    zone = ZoneInfo(maintenance.timezone)
    days = (at.astimezone(zone).date() - timedelta(days=back) for back in (0, 1))
    begins = (datetime.combine(day, time(maintenance.hour), zone) for day in days)
    return any(begin <= at < begin + maintenance.duration for begin in begins)

"""Which alerts fired in the period, and which fire still: at equal severity, those of accounts first.

Reminders of a time, such as `billing_due`, are left out: what is due has a section of its own.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import chain

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.model.digest import AlertLine, Fired, RuleCount
from fluence_watch.model.finding import WATCHER
from fluence_watch.views.digest.account import Account


def fired_in(
    accounts: Sequence[Account],
    others: Collection[Alert],
    ended: Collection[Alert],
    events: Collection[str],
) -> Fired | None:
    """The alerts, worst first; `None` if there were none. `others` are open, and of no account."""
    open_ones = chain(others, *(account.state.alerts.values() for account in accounts))
    firing = [
        _line(alert, events)
        for alert in open_ones
        if alert.state is State.FIRING and not alert.relevant_until
    ]
    over = [_line(each, events) for each in ended if each.starts_at and not each.relevant_until]
    if not firing and not over:
        return None
    counts = Counter(each.fingerprint.rule for each in over)
    return Fired(
        firing=sorted(firing, key=_worst_first),
        ended=sorted(over, key=_worst_first),
        counts=[RuleCount(*each) for each in counts.most_common()],
    )


def _line(alert: Alert, events: Collection[str]) -> AlertLine:
    is_event = alert.fingerprint.rule in events
    return AlertLine(
        alert.fingerprint,
        alert.severity,
        alert.facts,
        alert.starts_at or alert.active_at,
        None if is_event else alert.ends_at,
    )


def _worst_first(line: AlertLine) -> tuple[object, ...]:
    of_vm = line.fingerprint.account != WATCHER and bool(line.fingerprint.subject)
    return -line.severity.rank, of_vm, line.starts_at, line.fingerprint

"""Why receivers were notified, and why they were not, from the store.

`reasons(store, episode)` has the last word of each receiver about an alert: once the alert is over
and settled, it is final, and there is one for every receiver of the settings.
`episodes(store, account, subject)` has the alerts about a VM (its subject is `Vm.key`), newest first,
and `unfired(store, account, subject)` what was found of it and never fired: dropped or muted.
"""

from collections.abc import Mapping, Sequence

from fluence_watch.alerting.journal import Entry
from fluence_watch.alerting.lifecycle import Alert, Episode
from fluence_watch.store import Store
from fluence_watch.views.why import Answer, answers


def reasons(store: Store, episode: Episode) -> Mapping[str, Answer]:
    """The last word of each receiver about an alert, by the receiver's name."""
    return answers(store.journal.of_alert(episode))


def episodes(store: Store, account: str, subject: str) -> Sequence[Alert]:
    """The alerts about a VM or another subject, open or over, newest first."""
    return store.journal.alerts(account, subject)


def unfired(store: Store, account: str, subject: str) -> Sequence[Entry]:
    """What was found of a subject and never fired, oldest first."""
    return store.journal.of_subject(account, subject)

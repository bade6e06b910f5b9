"""Why receivers were notified, and why they were not, from the store.

`reasons(store, episode)` has the last word of each receiver about an alert: once the alert is over
and settled, it is final, and there is one for every receiver of the settings of that time.
`alert_why` has an answer of each receiver of the settings of now, too.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from fluence_watch.alerting.journal import Entry
from fluence_watch.alerting.lifecycle import Alert, Episode
from fluence_watch.alerting.muting import Why
from fluence_watch.alerting.telling import Recipient
from fluence_watch.app.decide import Policy
from fluence_watch.app.wiring import EVENTS, Setup
from fluence_watch.model.finding import VmRef, vm_of
from fluence_watch.model.known import KnownVm
from fluence_watch.model.presence import presence_of
from fluence_watch.notify.render import brief
from fluence_watch.store import Store
from fluence_watch.views.alert import alert_view
from fluence_watch.views.why import AlertWhy, Answer, VmWhy, answers, span, together, told_answer
from fluence_watch.views.why_answers import summaries
from fluence_watch.views.why_folded import folded
from fluence_watch.views.why_others import subject_of
from fluence_watch.views.why_rules import rules_now
from fluence_watch.views.why_unwritten import removed, unwritten
from fluence_watch.views.why_words import Words

MOST_STEPS = 200
"""How many steps of an alert are shown. Anybody may open its page."""
_MOST_READ = 2_000
"""How many entries about its account, and about receivers, are read for them: runs of them are one step."""


def reasons(store: Store, episode: Episode) -> Mapping[str, Answer]:
    """The last word of each receiver about an alert, by the receiver's name."""
    return answers(store.journal.of_alert(episode))


def recipients(store: Store, setup: Setup, now: datetime) -> Sequence[Recipient]:
    """The receivers of the settings. The daemon may not know one yet: it is added now."""
    known = store.receivers()
    return [
        Recipient(
            route,
            known[name].since if name in known else now,
            setup.escalations.get(name, ()),
        )
        for name, route in setup.routes.items()
    ]


def alert_why(
    store: Store,
    alert: Alert,
    now: datetime,
    recipients: Iterable[Recipient],
    *,
    receiver: str | None = None,
    most: int | None = MOST_STEPS,
) -> AlertWhy:
    """What happened to an alert, its newest steps, and the answer of each receiver, or of one."""
    own = store.journal.of_alert(alert.episode)
    beside, is_cut = _beside(store, alert, own, None if most is None else _MOST_READ)
    silences = {each.id: each for each in store.silences.all()}
    words = Words(now, brief, silences, _muting(store, alert.fingerprint.account, own))
    told = folded(together(alert, own, beside, receiver))
    steps = words.steps(told, alert, most)
    known = _unwritten(alert, recipients, now, receiver)
    known |= {**_told(store, alert), **answers(own)}
    found = [each for name, each in sorted(known.items()) if receiver in {None, name}]
    is_cut = is_cut or len(steps) < len(told)
    return AlertWhy(alert_view(alert, now, brief), steps, summaries(found, words), is_cut)


def _beside(
    store: Store, alert: Alert, own: Sequence[Entry], most: int | None
) -> tuple[list[Entry], bool]:
    """What happened to its account and to receivers meanwhile, and whether there is more of it."""
    about, (first, last) = alert.fingerprint, span(alert, own)
    of_account = store.journal.of_account(about.account, about.subject, first, last, most=most)
    of_receivers = store.journal.of_receivers(first, last, most=most)
    is_cut = most is not None and max(len(of_account), len(of_receivers)) >= most
    return [*of_account, *of_receivers], is_cut


def _unwritten(
    alert: Alert, recipients: Iterable[Recipient], now: datetime, receiver: str | None
) -> dict[str, Answer]:
    """The answers where nothing is written."""
    found = {} if receiver is None else {receiver: removed(receiver, alert)}
    for each in recipients:
        found[each.route.receiver] = unwritten(alert, each, now, events=EVENTS)
    return found


def _told(store: Store, alert: Alert) -> Mapping[str, Answer]:
    """What receivers were notified of, as deliveries know it: also before there was a journal."""
    told = store.journal.told(alert.episode)
    return {name: told_answer(name, notified) for name, notified in told.items()}


def _muting(store: Store, account: str, entries: Iterable[Entry]) -> Mapping[str, VmRef]:
    """The VMs whose alerts mute this one, by key, as these alerts name them."""
    details = [each.details for each in entries if each.details.reason == Why.INHIBITED]
    found: dict[str, VmRef] = {}
    for subject in {subject_of(each.by) for each in details} - {""}:
        alerts = store.journal.alerts(account, subject)
        if vm := next(filter(None, (vm_of(each.facts) for each in alerts)), None):
            found[subject] = vm
    return found


def _is_of_rule(entry: Entry) -> bool:
    return entry.about is not None and bool(entry.about.rule)


def vm_why(
    store: Store,
    policy: Policy,
    known: KnownVm | None,
    subject: str,
    recipients: Sequence[Recipient],
    *,
    since: datetime,
    now: datetime,
    receiver: str | None = None,
    most: int | None = None,
) -> VmWhy:
    """The alerts about a VM since then, and why it has no others.

    At most so many are told of; all with all their steps, if `most` is `None`.
    """
    account, state = policy.account, store.load(policy.account).state
    found = [
        a for a in store.journal.alerts(account, subject) if not a.ends_at or a.ends_at >= since
    ]
    steps = None if most is None else MOST_STEPS
    told = [
        alert_why(store, each, now, recipients, receiver=receiver, most=steps)
        for each in found[:most]
    ]
    words = Words(now, brief)
    unfired = store.journal.of_subject(account, subject)
    never = [words.step(e) for e in unfired if e.at >= since and (subject or _is_of_rule(e))]
    presence = presence_of(state.known, policy.presence, policy.billing)
    vm = known.vm if known else None
    name = vm.name if vm else next((each.alert.vm_name for each in told), None)
    return VmWhy(
        account,
        vm.id if vm else subject,
        name,
        told,
        len(found) - len(told),
        never if most is None else never[-most:],
        [*rules_now(subject, state, presence, policy.rules, now)] if known else [],
    )

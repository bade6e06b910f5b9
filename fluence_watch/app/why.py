"""Why receivers were notified, and why they were not, from the store.

The answers about an alert are the last word of each receiver in the journal: once the alert is over
and settled, it is final, and there is one for every receiver of the settings of that time. Where
nothing is written, each receiver of the settings of now has an answer, too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from fluence_watch.alerting.journal import Entry
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.muting import Why
from fluence_watch.alerting.state import AccountState
from fluence_watch.alerting.telling import Recipient
from fluence_watch.app.decide import Policy
from fluence_watch.app.wiring import EVENTS, Setup
from fluence_watch.model.finding import VmRef, vm_of
from fluence_watch.model.presence import presence_of
from fluence_watch.notify.render import brief
from fluence_watch.store import Store
from fluence_watch.views.alert import alert_view
from fluence_watch.views.why import (
    AlertWhy,
    Answer,
    RuleNow,
    Step,
    VmWhy,
    answers,
    span,
    together,
    told_answer,
)
from fluence_watch.views.why_answers import AWAITS_A_TRY, summaries
from fluence_watch.views.why_folded import folded
from fluence_watch.views.why_others import subject_of
from fluence_watch.views.why_rules import rules_now
from fluence_watch.views.why_unwritten import removed, unwritten
from fluence_watch.views.why_words import Words

MOST_STEPS = 200
"""How many steps of an alert are shown. Anybody may open its page."""
_MOST_READ = 2_000
"""How many entries about its account, and about receivers, are read for them: runs of them are one step."""


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


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, as of `now`.

    `recipients` are the receivers of the settings; `receiver` is one of them, if only that matters.
    `most_alerts` of a VM are told of, each with its newest `most_steps`; `None`: with all.
    """

    now: datetime
    recipients: Sequence[Recipient] = ()
    receiver: str | None = None
    most_alerts: int | None = None
    most_steps: int | None = MOST_STEPS


def alert_why(store: Store, alert: Alert, asked: Question) -> AlertWhy:
    """What happened to an alert, its newest steps, and the answer of each receiver, or of one."""
    presumed = _unwritten(store, alert, asked)  # first: what is settled after that is in `own`
    own, most = store.journal.of_alert(alert.episode), asked.most_steps
    beside, is_cut = _beside(store, alert, own, None if most is None else _MOST_READ)
    silences = {each.id: each for each in store.silences.all()}
    words = Words(asked.now, brief, silences, _muting(store, alert.fingerprint.account, own))
    told = folded(together(alert, own, beside, asked.receiver))
    steps = words.steps(told, alert, most)
    known = {**presumed, **_told(store, alert), **_tried(store, answers(own))}
    found = [each for name, each in sorted(known.items()) if asked.receiver in {None, name}]
    is_cut = is_cut or len(steps) < len(told)
    return AlertWhy(alert_view(alert, asked.now, brief), steps, summaries(found, words), is_cut)


def _beside(
    store: Store, alert: Alert, own: Sequence[Entry], most: int | None
) -> tuple[list[Entry], bool]:
    """What happened to its account and to receivers meanwhile, and whether there is more of it."""
    about, (first, last) = alert.fingerprint, span(alert, own)
    of_account = store.journal.of_account(about.account, about.subject, first, last, most=most)
    of_receivers = store.journal.of_receivers(first, last, most=most)
    is_cut = most is not None and max(len(of_account), len(of_receivers)) >= most
    return [*of_account, *of_receivers], is_cut


def _unwritten(store: Store, alert: Alert, asked: Question) -> dict[str, Answer]:
    """The answers where nothing is written."""
    found = {asked.receiver: removed(asked.receiver, alert)} if asked.receiver else {}
    is_settled = store.journal.is_settled(alert.episode)
    for each in asked.recipients:
        answer = unwritten(alert, each, asked.now, is_settled=is_settled, events=EVENTS)
        found[each.route.receiver] = answer
    return found


def _told(store: Store, alert: Alert) -> Mapping[str, Answer]:
    """What receivers were notified of, as deliveries know it: also before there was a journal."""
    told = store.journal.told(alert.episode)
    return {name: told_answer(name, notified) for name, notified in told.items()}


def _tried(store: Store, known: Mapping[str, Answer]) -> Mapping[str, Answer]:
    """The same, with when each receiver is tried again that did not accept the message yet."""
    waiting = {name for name, each in known.items() if each.what in AWAITS_A_TRY}
    tries = store.receivers() if waiting else {}
    again = {
        name: replace(known[name], until=tries[name].next_at) for name in waiting & tries.keys()
    }
    return {**known, **again}


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
    state: AccountState,
    subject: str,
    asked: Question,
    *,
    since: datetime,
) -> VmWhy:
    """The alerts about a VM since then, open ones first, and why it has no others.

    `state` is that of its account.
    """
    alerts = store.journal.alerts(policy.account, subject)
    found = [each for each in alerts if not each.ends_at or each.ends_at >= since]
    found.sort(key=_urgency)
    told = [alert_why(store, each, asked) for each in found[: asked.most_alerts]]
    known, name = state.known.get(subject), next((each.alert.vm_name for each in told), None)
    return VmWhy(
        policy.account,
        known.vm.id if known else subject,
        known.vm.name if known else name,
        told,
        len(found) - len(told),
        _unfired(store, policy.account, subject, asked, since),
        _rules_now(policy, state, subject, asked.now) if known else [],
    )


def _urgency(alert: Alert) -> tuple[bool, bool, int]:
    """What fires before what may, the worst first; then what is over, in the order that there is."""
    if alert.ends_at is not None:
        return True, False, 0
    return False, alert.state is State.PENDING, -alert.severity.rank


def _unfired(
    store: Store, account: str, subject: str, asked: Question, since: datetime
) -> list[Step]:
    """The latest of what was seen and never fired."""
    words = Words(asked.now, brief)
    entries = store.journal.of_subject(account, subject)
    found = [words.step(e) for e in entries if e.at >= since and (subject or _is_of_rule(e))]
    return found if asked.most_alerts is None else found[-asked.most_alerts :]


def _rules_now(policy: Policy, state: AccountState, subject: str, now: datetime) -> list[RuleNow]:
    presence = presence_of(state.known, policy.presence, policy.billing)
    return [*rules_now(subject, state, presence, policy.rules, now)]

"""Compare and decide: the consequences of one poll. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from fluence_watch.alerting.conditions import Conditions, conditions_after, entries_of
from fluence_watch.alerting.episodes import entries_of_alerts
from fluence_watch.alerting.journal import Entry
from fluence_watch.alerting.lifecycle import Alert, Alerts, Timing, advance
from fluence_watch.alerting.state import AccountState
from fluence_watch.app.comparing import Compared, compare
from fluence_watch.model.accounting import Booking
from fluence_watch.model.billing import EPOCH, Billing, EpochBilling
from fluence_watch.model.charge import SETTLED_DAYS, last_settled
from fluence_watch.model.finding import Verdict
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.note import (
    Note,
    apply_notes,
    expected_changes,
    obsolete_notes,
)
from fluence_watch.model.presence import Presence, PresenceLimits, presence_of
from fluence_watch.model.snapshot import Outcome, PollFailure, Snapshot
from fluence_watch.model.spending import Spending
from fluence_watch.model.ssh_key import SshKey
from fluence_watch.rules import (
    Judgements,
    bill_mismatch,
    judge_all,
    needs,
    poll_failing,
    verdict_of,
)
from fluence_watch.rules.base import Need, RuleSettings
from fluence_watch.rules.situation import Expectation, Situation

_NOT_WRITTEN = {"enabled", "severity", "keep_firing_for"}
"""What says nothing of why a rule finds something."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How one account is watched; `rules` and `timings` are keyed by rule name.

    `presence` says when a missing VM is lost.
    """

    account: str
    rules: Mapping[str, RuleSettings]
    timings: Mapping[str, Timing]
    presence: PresenceLimits
    expectations: Sequence[Expectation] = ()
    epoch: timedelta = EPOCH

    def billing_of(self, outcome: Outcome) -> Billing:
        """How VMs are paid. The API does not report the length of epochs, so the settings do."""
        known = outcome.billing if isinstance(outcome, Snapshot) else None
        return self.billing if known is None or isinstance(known, EpochBilling) else known

    @property
    def billing(self) -> Billing:
        """How VMs are paid, as long as no poll says otherwise."""
        return EpochBilling(self.epoch)

    def billed_days(self, now: datetime) -> tuple[date, date] | None:
        """The first and the last day whose charges a poll requests, if a rule needs them."""
        if Need.CHARGES not in self.needs:
            return None
        settings, last = self.rules[bill_mismatch.NAME], last_settled(now)
        assert isinstance(settings, bill_mismatch.BillMismatchSettings)
        return last - timedelta(days=max(settings.days, SETTLED_DAYS) - 1), last

    @property
    def needs(self) -> frozenset[Need]:
        """What a poll requests beside the list of VMs and the balance."""
        return needs(self.rules)

    def written(self, rule: str) -> Mapping[str, object]:
        """The settings by which a rule judges, as they are written in the file."""
        found = self.rules.get(rule)
        return found.model_dump(mode="json", by_alias=True, exclude=_NOT_WRITTEN) if found else {}


@dataclass(frozen=True, slots=True)
class Decision:
    """What is committed in one transaction, and the verdict behind it.

    `applied` are the notes that no later poll needs.
    Alerts with a `paused` subject, such as a missing VM, are not repeated. `None`: as before.
    `booking` goes into the ledger, `entries` into the journal. `situation` is what the rules looked at,
    and `judgements` what each of them says.
    """

    after: AccountState
    ended: Sequence[Alert]
    applied: Sequence[Note]
    verdict: Verdict
    paused: frozenset[str] | None = None
    booking: Booking = field(default_factory=Booking)
    entries: Sequence[Entry] = ()
    situation: Situation | None = None
    judgements: Judgements = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Context:
    """What a decision takes into account beside a poll.

    `notes` are actions of users: the state after it knows what they did to VMs, also when the poll
    failed; notes on SSH keys are for the polls of the next hour too. `fault` is the error of our own in
    an earlier poll, as long as no whole one went well. `spending` is what the ledger has of today and
    the days before, `None` if that is unknown.
    """

    notes: Sequence[Note] = ()
    fault: str = ""
    spending: Spending | None = None


NO_CONTEXT = Context()


def decide(
    before: AccountState, outcome: Outcome, policy: Policy, context: Context = NO_CONTEXT
) -> Decision:
    """The state after a poll, and the alerts that it ended."""
    now, notes = outcome.taken_at, context.notes
    before = replace(before, known=apply_notes(before.known, notes))
    compared = _compared(before, outcome, policy, notes)
    situation = _situation(before, outcome, policy, compared, context)
    judgements = judge_all(situation, policy.rules)
    verdict = verdict_of(situation, policy.rules, judgements)
    turn = _turn(before, outcome, policy, verdict, compared.presence)
    return Decision(
        after=turn.of(_after(before, outcome, compared)),
        ended=turn.ended,
        applied=obsolete_notes(notes, now),
        verdict=verdict,
        paused=compared.presence.subjects,
        booking=compared.books.booking,
        entries=turn.entries,
        situation=situation,
        judgements=judgements,
    )


def _compared(
    before: AccountState, outcome: Outcome, policy: Policy, notes: Sequence[Note]
) -> Compared:
    return compare(
        before,
        outcome,
        policy.presence,
        policy.billing_of(outcome),
        account=policy.account,
        changes=expected_changes(notes, outcome.taken_at),
    )


def _situation(
    before: AccountState, outcome: Outcome, policy: Policy, compared: Compared, context: Context
) -> Situation:
    """What the rules look at."""
    return replace(
        _remembered(before, policy, outcome.taken_at),
        known=compared.known,
        snapshot=outcome if isinstance(outcome, Snapshot) else None,
        failure=None if isinstance(outcome, Snapshot) else outcome,
        presence=compared.presence,
        billing=compared.billing,
        expected_changes=compared.changes,
        resources=compared.resources,
        missing=compared.missing,
        costs=compared.books.costs,
        fault=context.fault,
        spending=context.spending,
    )


def _remembered(before: AccountState, policy: Policy, now: datetime) -> Situation:
    """What the rules compare with."""
    return Situation(
        policy.account,
        now,
        before.known,
        before.known,
        expectations=policy.expectations,
        keys_before=before.ssh_keys,
        since={key: alert.active_at for key, alert in before.alerts.items()},
        resources_before=before.resources,
        last_good_at=before.last_good_at,
        begun_at=before.begun_at,
        forget_after=policy.presence.forget_after,
    )


@dataclass(frozen=True, slots=True)
class _Turn:
    """What a verdict makes of alerts and of what lasts, and what is written of it."""

    alerts: Alerts
    ended: Sequence[Alert]
    conditions: Conditions
    entries: Sequence[Entry]

    def of(self, state: AccountState) -> AccountState:
        """The state with these."""
        return replace(state, alerts=self.alerts, conditions=self.conditions)


def _turn(
    before: AccountState, outcome: Outcome, policy: Policy, verdict: Verdict, presence: Presence
) -> _Turn:
    now, former = outcome.taken_at, before.conditions
    alerts, ended = advance(before.alerts, verdict, policy.timings, now, before.last_poll_at)
    conditions = conditions_after(former, outcome, presence, verdict)
    entries = [
        *entries_of(policy.account, former, conditions, outcome, presence),
        *entries_of_alerts(before.alerts, alerts, ended, verdict, now, settings=policy.written),
    ]
    return _Turn(alerts, ended, conditions, entries)


def _after(before: AccountState, outcome: Outcome, compared: Compared) -> AccountState:
    """The state after a poll, with the alerts and conditions as before."""
    books, now = compared.books, outcome.taken_at
    good_at = now if isinstance(outcome, Snapshot) else None
    return replace(
        before,
        known=compared.known,
        last_poll_at=now,
        last_good_at=good_at or before.last_good_at,
        ssh_keys=_keys_after(before, outcome),
        balance=_balance_after(before, outcome),
        resources=compared.resources,
        costs=books.costs,
        whole_at=books.whole_at,
        counted_at=books.counted_at,
        settled_day=books.settled_day,
        begun_at=min(filter(None, (before.begun_at, good_at)), default=None),
    )


def decide_internal(before: AccountState, failure: PollFailure, policy: Policy) -> Decision:
    """The consequences of an internal error: `poll_failing` finds it, and nothing else changes.

    No other rule is run and no other alert touched: the error may be in any of them.
    """
    now, name = failure.taken_at, poll_failing.NAME
    situation = Situation(policy.account, now, before.known, before.known, failure=failure)
    settings = policy.rules[name]
    found = poll_failing.RULE.judge(situation, settings).findings if settings.enabled else ()
    verdict = Verdict({finding.fingerprint: finding for finding in found})
    ours = {f: before.alerts[f] for f in verdict.findings if f in before.alerts}
    turn = _turn(replace(before, alerts=ours), failure, policy, verdict, Presence())
    after = replace(turn.of(before), alerts={**before.alerts, **turn.alerts}, last_poll_at=now)
    return Decision(after, (), (), verdict, entries=turn.entries)


def paused_subjects(state: AccountState, policy: Policy) -> frozenset[str]:
    """The subjects whose alerts are not repeated: VMs that are missing."""
    return presence_of(state.known, policy.presence, policy.billing).subjects


def _balance_after(before: AccountState, outcome: Outcome) -> MicroUsdc | None:
    seen = outcome.balance if isinstance(outcome, Snapshot) else None
    return seen.balance if seen else before.balance


def _keys_after(before: AccountState, outcome: Outcome) -> tuple[SshKey, ...] | None:
    seen = outcome.ssh_keys if isinstance(outcome, Snapshot) else None
    return before.ssh_keys if seen is None else seen

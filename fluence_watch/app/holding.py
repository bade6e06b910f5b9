"""Decisions that hold: polls that see what the one before saw change nothing for a while. Pure.

A list *settles* an account unless something is missing that may be there: if the next poll sees the
same, what is known stays as it is. Then only time changes anything, and each part says until when it
does not (see `model/horizon.py`): the rules, the lifecycle of alerts, what is known, notes of users, and
books. When the time of a rule has come, it is run again, and all others keep their judgements. So is a rule
whose alerts have just changed and, after a poll that saw something new, one that compares with the poll before.

An account that pays by the second does not settle: each of its polls counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta

from fluence_watch.alerting.conditions import conditions_after
from fluence_watch.alerting.lifecycle import Alert, advance
from fluence_watch.alerting.lifecycle import holds_until as alerts_hold_until
from fluence_watch.alerting.state import AccountState
from fluence_watch.app.books import books_hold_until
from fluence_watch.app.decide import Decision, Policy
from fluence_watch.model.horizon import Horizon, earliest
from fluence_watch.model.known import known_holds_until
from fluence_watch.model.known_resource import resources_hold_until
from fluence_watch.model.note import Note, notes_hold_until
from fluence_watch.model.snapshot import Snapshot
from fluence_watch.model.spending import Spending
from fluence_watch.rules import (
    RULES,
    Judgements,
    horizons_of,
    judge_all,
    mutes_hold_until,
    verdict_of,
    vm_vanished,
)
from fluence_watch.rules.situation import Situation


@dataclass(frozen=True, slots=True)
class Held:
    """What holds of a settled account. `moved` are the rules whose alerts changed at the last poll.

    `horizons` are those of the rules by name. `settled_until` is when more than rules must be looked at,
    and `until` when anything must.
    """

    situation: Situation
    judgements: Judgements
    horizons: Mapping[str, Horizon]
    settled_until: Horizon
    moved: frozenset[str] = frozenset()
    until: Horizon = None

    def covers(self, before: AccountState, policy: Policy, now: datetime) -> bool:
        """Whether the account is still settled at a poll that saw the same."""
        if before.last_poll_at is None or (self.settled_until and now >= self.settled_until):
            return False
        tolerances = (timing.outage_tolerance for timing in policy.timings.values())
        return timedelta(0) <= now - before.last_poll_at <= min(tolerances)

    def changes_nothing(self, now: datetime) -> bool:
        """Whether nothing at all is to be decided at a poll that saw the same."""
        return self.until is None or now < self.until


_COMPARE = frozenset({r.name for r in RULES if r.event} | {vm_vanished.NAME})
"""The rules that compare with what was known before the poll."""


def settle_account(
    before: AccountState, decision: Decision, policy: Policy, notes: Sequence[Note]
) -> Held | None:
    """What holds after a decision. `None` if the account is not settled."""
    situation, after = decision.situation, decision.after
    if situation is None or situation.snapshot is None or situation.fault:
        return None
    now, forget_after = situation.now, situation.forget_after
    settled_until = earliest(
        [
            known_holds_until(after.known, forget_after, now),
            resources_hold_until(after.resources, forget_after, now),
            notes_hold_until(notes, now),
            books_hold_until(situation.snapshot, situation.billing),
        ]
    )
    if settled_until is not None and settled_until <= now:
        return None
    same = replace(
        situation, before=after.known, resources_before=after.resources, keys_before=after.ssh_keys
    )
    horizons = horizons_of(situation, policy.rules, decision.judgements)
    held = Held(same, decision.judgements, horizons, settled_until)
    held = _ending(held, before, after, policy)
    return replace(held, moved=held.moved | (_COMPARE & decision.judgements.keys()), until=now)


def decide_again(
    before: AccountState, held: Held, policy: Policy, now: datetime, spending: Spending | None
) -> tuple[Decision, Held]:
    """The consequences of a poll of a settled account that saw the same, and what holds after it."""
    situation, snapshot = _seen_again(before, held.situation, now, spending)
    due = {name for name, until in held.horizons.items() if until is not None and until <= now}
    kept = {n: each for n, each in held.judgements.items() if n not in due | held.moved}
    judgements = judge_all(situation, policy.rules, kept)
    verdict = verdict_of(situation, policy.rules, judgements)
    alerts, ended = advance(before.alerts, verdict, policy.timings, now, before.last_poll_at)
    lasting = conditions_after(before.conditions, snapshot, situation.presence, verdict)
    after = replace(before, alerts=alerts, last_poll_at=now, last_good_at=now, conditions=lasting)
    horizons = horizons_of(situation, policy.rules, judgements.keys() - kept.keys())
    horizons = {**held.horizons, **horizons}
    again = Held(situation, judgements, horizons, held.settled_until)
    paused = situation.presence.subjects
    decision = Decision(
        after, ended, (), verdict, paused, situation=situation, judgements=judgements
    )
    return decision, _ending(again, before, after, policy)


def _seen_again(
    before: AccountState, situation: Situation, now: datetime, spending: Spending | None
) -> tuple[Situation, Snapshot]:
    """The same situation and list at a later time."""
    assert situation.snapshot
    snapshot = replace(situation.snapshot, taken_at=now)
    later = replace(
        situation,
        now=now,
        snapshot=snapshot,
        since={key: alert.active_at for key, alert in before.alerts.items()},
        last_good_at=before.last_good_at,
        spending=spending,
    )
    return later, snapshot


def _ending(held: Held, before: AccountState, after: AccountState, policy: Policy) -> Held:
    """The same, with until when it holds."""
    moved, now = _moved(before, after), held.situation.now
    until = earliest(
        [
            held.settled_until,
            *held.horizons.values(),
            alerts_hold_until(after.alerts, policy.timings, now),
            mutes_hold_until(held.situation, policy.rules, held.judgements),
        ]
    )
    return replace(held, moved=moved, until=now if moved else until)


def _moved(before: AccountState, after: AccountState) -> frozenset[str]:
    """The rules whose alerts changed."""
    old, new = before.alerts, after.alerts
    changed = (
        key for key in old.keys() | new.keys() if not _is_same_alert(old.get(key), new.get(key))
    )
    return frozenset(key.rule for key in changed)


def _is_same_alert(old: Alert | None, new: Alert | None) -> bool:
    """Whether it is as it was; what its facts reckon from now does not matter."""
    if old is None or new is None:
        return False
    return old is new or _without_facts(old) == _without_facts(new)


def _without_facts(alert: Alert) -> tuple[object, ...]:
    names = (each.name for each in fields(alert) if each.name != "facts")
    return tuple(getattr(alert, name) for name in names)

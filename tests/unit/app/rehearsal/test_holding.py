"""Polls that see the same are left out without anybody noticing."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings

from fluence_watch.alerting.state import AccountState
from fluence_watch.app.decide import decide
from fluence_watch.app.policies import policies
from fluence_watch.app.rehearsal.engine import Rehearsal
from fluence_watch.app.rehearsal.sent import Sent
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import SSH
from fluence_watch.model.snapshot import Outcome, Snapshot, build_snapshot
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules import RULES
from fluence_watch.rules.base import Judgement, Rule, not_beyond_now
from fluence_watch.rules.situation import Scope, Situation
from fluence_watch.settings import WatchSettings
from tests.unit.app.rehearsal.lives import HOUR, MINUTE, NOW, PRICE, lives

SETTINGS = WatchSettings.model_validate(
    {
        "accounts": [{"name": "main"}],
        "receivers": [
            {"name": "ops", "repeat_interval": "40m", "group_wait": "2m"},
            {"name": "pager", "min_severity": "critical"},
        ],
        "rules": {
            "overpriced": {"enabled": True},
            "low_balance": {"keep_firing_for": "20m"},
            "spend_anomaly": {"min_days": 1, "min_usdc": 0, "min_percent": 0},
            "billing_due": {"for": "3m"},
        },
    }
)
OF_ACCOUNTS = [rule for rule in RULES if rule.scope is Scope.ACCOUNT]
TICK = timedelta(microseconds=1)


def is_same(before: Outcome | None, after: Outcome) -> bool:
    """Whether two polls in a row saw the same."""
    if not (isinstance(before, Snapshot) and isinstance(after, Snapshot)):
        return False
    return replace(before, taken_at=after.taken_at) == after


def comparable(state: AccountState) -> object:
    """The state, without what facts reckon from now, and how often what is lost was missed."""
    known = {k: replace(e, missing_polls=0) if e.cause else e for k, e in state.known.items()}
    rented = {k: replace(e, missing_polls=0) if e.cause else e for k, e in state.resources.items()}
    alerts = {key: replace(alert, facts=None) for key, alert in state.alerts.items()}
    return replace(state, known=known, resources=rented, alerts=alerts)


def told(messages: Sequence[Sent]) -> list[object]:
    return [
        (each.at, each.receiver, {(line.episode, line.reason) for line in each.lines})
        for each in messages
    ]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(outcomes=lives)
def test_nothing_is_missed(outcomes: list[Outcome]) -> None:
    """The same messages at the same times, and the same state after each poll, as if all were evaluated."""
    every: list[Sent] = []
    some: list[Sent] = []
    before: Outcome | None = None
    with Rehearsal(SETTINGS, every.append) as whole, Rehearsal(SETTINGS, some.append) as short:
        for outcome in outcomes:
            whole.poll(outcome)
            short.poll(outcome, is_same=is_same(before, outcome))
            before = outcome
            assert comparable(whole.state("main")) == comparable(short.state("main"))
    assert told(every) == told(some)


def found(judgement: Judgement) -> object:
    """What counts of a judgement: not what its facts reckon from now."""
    findings = {each.fingerprint: replace(each, facts=None) for each in judgement.findings}
    return findings, judgement.unknown, judgement.gone


def situations(outcomes: Sequence[Outcome]) -> list[Situation]:
    """What rules look at, at each poll that saw what the one before saw."""
    policy, state, seen = policies(SETTINGS).accounts["main"], AccountState(), list[Situation]()
    before: Outcome | None = None
    for outcome in outcomes:
        decision = decide(state, outcome, policy)
        situation, state = decision.situation, decision.after
        if situation and is_same(before, outcome):
            enabled = frozenset(rule.name for rule in OF_ACCOUNTS)
            seen.append(replace(situation, before=state.known, enabled=enabled))
        before = outcome
    return seen


def later(situation: Situation, by: timedelta) -> Situation:
    """The same, later; the last poll was in between."""
    assert situation.snapshot
    now = situation.now + by
    last = situation.now + by / 2
    return replace(
        situation, now=now, last_good_at=last, snapshot=replace(situation.snapshot, taken_at=now)
    )


@pytest.mark.parametrize("rule", OF_ACCOUNTS, ids=lambda rule: rule.name)
def test_the_horizon_of_every_rule(rule: Rule) -> None:
    """Until then it finds the same, as severe and at the same steps."""
    assert rule.holds_until is not not_beyond_now
    limits = SETTINGS.by_rule[rule.name]

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(outcomes=lives)
    def check(outcomes: list[Outcome]) -> None:
        for situation in situations(outcomes):
            until = rule.holds_until(situation, limits)
            longest = timedelta(days=20) if until is None else until - situation.now - TICK
            expected = found(rule.judge(situation, limits))
            for part in (1, 2, 7, 50) if longest > timedelta(0) else ():
                again = rule.judge(later(situation, longest / part), limits)
                assert expected == found(again), (rule.name, until, part)

    check()


def test_most_polls_of_a_quiet_day_are_left_out() -> None:
    """A VM that waits for its charge is evaluated some twenty times, not once a minute."""
    vm = Vm(
        "a1", "web", Status.ACTIVE, "ACTIVE", PRICE, MicroUsdc(9 * PRICE), MicroUsdc(0),
        next_billing_at=NOW + 12 * HOUR, ports=(SSH,),
    )  # fmt: skip
    with Rehearsal(SETTINGS, lambda _: None) as rehearsal:
        polls = [build_snapshot("main", NOW + minute * MINUTE, [vm]) for minute in range(12 * 60)]
        done = [rehearsal.poll(each, is_same=each is not polls[0]) for each in polls]
    assert sum(each is not None for each in done) <= 2 * 12

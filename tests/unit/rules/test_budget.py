from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.alerting.due import due
from fluence_watch.alerting.lifecycle import Alert, State, Timing, advance
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.telling import Notified, Reason, Recipient
from fluence_watch.model.budget import Budget, BudgetState, Tally
from fluence_watch.model.finding import WATCHER, Absence, Fingerprint, Severity
from fluence_watch.model.money import MicroUsdc, Sum
from fluence_watch.rules import RULES, evaluate
from fluence_watch.rules.base import RuleSettings
from fluence_watch.rules.budget import RULE, BudgetForecast, BudgetSpent
from fluence_watch.rules.situation import Situation

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
NEXT_MONTH = datetime(2026, 5, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
BUDGET = Budget("team", MicroUsdc(1_000))
OTHER = Budget("team", MicroUsdc(800))
SPENT = Fingerprint(WATCHER, "budget", "budget:team", "2026-04 of 0.001000")
AHEAD = SPENT._replace(key="2026-04 of 0.001000 forecast")


def settings(**changes: object) -> dict[str, RuleSettings]:
    given = {"budget": changes}
    return {rule.name: rule.settings.model_validate(given.get(rule.name, {})) for rule in RULES}


def state(
    spent: int, ahead: int | Sum | None = 0, burn: int = 10, budget: Budget = BUDGET
) -> BudgetState:
    known = None if ahead is None else MicroUsdc(burn)
    ahead = Sum(MicroUsdc(ahead)) if isinstance(ahead, int) else ahead
    return BudgetState(budget, Tally(MicroUsdc(spent)), ahead, known)


def seen(
    *states: BudgetState, now: datetime = NOW, firing: Iterable[Fingerprint] = ()
) -> Situation:
    since = dict.fromkeys(firing, now)
    return Situation(
        WATCHER, now, {}, {}, since=since, firing=dict.fromkeys(firing), budgets=states
    )


@pytest.mark.parametrize(
    ("spent", "firing", "found"),
    [
        (0, (), None),
        (499, (), None),
        (500, (), (Severity.WARNING, 50)),
        (799, (), (Severity.WARNING, 50)),
        (800, (), (Severity.WARNING, 80)),
        (999, (), (Severity.WARNING, 80)),
        (1_000, (), (Severity.CRITICAL, 100)),
        (5_000, (), (Severity.CRITICAL, 100)),
        (499, (SPENT,), (Severity.WARNING, 0)),
        (0, (SPENT._replace(key="2026-03 of 0.001000"),), None),
        (499, (SPENT._replace(key="2026-04 of 0.000800"),), None),
    ],
)
def test_thresholds(
    spent: int, firing: tuple[Fingerprint, ...], found: tuple[Severity, int] | None
) -> None:
    """A step each, critical from the limit on; what fires this month fires on below them."""
    findings = evaluate(seen(state(spent), firing=firing), settings()).findings

    assert {SPENT: found} if found else {} == {k: (f.severity, f.step) for k, f in findings.items()}
    assert all(finding.at_once for finding in findings.values())


@pytest.mark.parametrize(
    ("spent", "ahead", "forecast", "firing", "found"),
    [
        (100, 900, True, (), False),
        (100, 901, True, (), True),
        (100, 901, False, (), False),
        (100, None, True, (), False),
        (100, Sum(MicroUsdc(901), 1), True, (), True),
        (100, Sum(MicroUsdc(901), is_unlisted=True), True, (), True),
        (100, Sum(MicroUsdc(900), 1), True, (), False),
        (1_000, 500, True, (), False),
        (999, 2, True, (), True),
        (100, 0, True, (AHEAD,), True),
        (100, None, True, (AHEAD,), True),
        (1_000, 500, True, (AHEAD,), True),
        (1_000, 500, True, (AHEAD, SPENT), False),
    ],
)
def test_a_forecast(
    spent: int,
    ahead: int | Sum | None,
    forecast: bool,  # noqa: FBT001 - a column of the table
    firing: tuple[Fingerprint, ...],
    found: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """It is told while the budget is not exceeded; what fires this month fires on."""
    budget = Budget("team", MicroUsdc(1_000), thresholds=(), forecast=forecast)
    verdict = evaluate(seen(state(spent, ahead, budget=budget), firing=firing), settings())

    assert found == (AHEAD in verdict.findings)
    if found:
        finding = verdict.findings[AHEAD]
        assert (Severity.WARNING, False) == (finding.severity, finding.at_once)
        assert isinstance(finding.facts, BudgetForecast)


def test_the_facts() -> None:
    """What is left, for how long, what the month comes to, and when the limit is reached."""
    finding = evaluate(seen(state(520, 500, 40)), settings(severity="info")).findings[SPENT]
    facts = finding.facts

    assert isinstance(facts, BudgetSpent)
    assert (52, 480, 1_020, NEXT_MONTH) == (
        facts.percent, facts.left, facts.forecast, facts.ends_at
    )  # fmt: skip
    assert NOW + 12 * DAY == facts.reached_at
    assert ("2026-04", Severity.INFO) == (facts.month, finding.severity)


@pytest.mark.parametrize("ahead", [Sum(MicroUsdc(500), 1), Sum(MicroUsdc(500))])
def test_a_forecast_of_which_a_part_is_unknown(ahead: Sum) -> None:
    """What is known of it exceeds the budget, so it is told; the sum for metrics is unknown."""
    of = state(520, ahead)
    facts = evaluate(seen(of), settings()).findings[AHEAD].facts
    assert isinstance(facts, BudgetForecast)
    assert (1_020, not ahead.is_whole) == (facts.forecast, facts.is_least)
    assert (1_020 if ahead.is_whole else None) == of.forecast


@pytest.mark.parametrize(
    ("spent", "ahead", "burn"),
    [(520, 480, 40), (520, None, 0), (1_000, 500, 40), (520, 500, 0), (520, 500, 1)],
)
def test_a_limit_that_is_not_reached_this_month(spent: int, ahead: int | None, burn: int) -> None:
    """Or is reached already, or nobody knows when."""
    findings = evaluate(seen(state(spent, ahead, burn)), settings()).findings

    assert {None} == {
        f.facts.reached_at for f in findings.values() if isinstance(f.facts, BudgetSpent)
    }


@pytest.mark.parametrize(
    ("situation", "absence"),
    [
        (seen(state(0), firing=()), Absence.OVER),
        (seen(state(0), firing=(SPENT,), now=NEXT_MONTH), Absence.UNKNOWN),
        (seen(state(600), firing=(SPENT,), now=NEXT_MONTH + HOUR), Absence.GONE),
        (seen(state(0), firing=(SPENT,), now=NOW - 20 * DAY), Absence.UNKNOWN),
        (seen(state(0, budget=OTHER), firing=(SPENT,), now=NOW - 20 * DAY), Absence.GONE),
        (seen(firing=(SPENT,), now=NOW - 20 * DAY), Absence.GONE),
        (seen(firing=(SPENT, AHEAD)), Absence.GONE),
        (Situation(WATCHER, NOW, {}, {}, since={SPENT: NOW}, budgets=None), Absence.UNKNOWN),
    ],
)
def test_an_end_is_quiet(situation: Situation, absence: Absence) -> None:
    """When the month is over or the budget is removed; a ledger that cannot be read ends nothing.

    Nor does a clock that is set back.
    """
    assert absence is evaluate(situation, settings()).absence(SPENT)
    assert not RULE.sends_resolved


def test_a_forecast_is_over_when_all_is_spent() -> None:
    """Without a message, and it is not told again if the sum falls below the limit."""
    listener = Listener(BUDGET)
    looks = [(0, 400, 700), (2, 400, 700), (4, 1_000, 700), (6, 990, 700), (9, 990, 700)]
    told = [listener.look(NOW + hours * HOUR, *sums) for hours, *sums in looks]
    assert [AHEAD.key, SPENT.key] == [key for each in told for key, *_ in each]
    assert {SPENT} == listener.alerts.keys()


class Listener:
    """Hears of one look after the other, as a receiver that accepts everything."""

    def __init__(self, budget: Budget) -> None:
        self.budget, self.alerts, self.told = budget, dict[Fingerprint, Alert](), {}

    def look(self, now: datetime, spent: int, ahead: int | None) -> list[tuple[str, int, Reason]]:
        """What is told: the key, the step, and why."""
        firing = {k: a.facts for k, a in self.alerts.items() if a.state is State.FIRING}
        since = {key: each.active_at for key, each in self.alerts.items()}
        states = [state(spent, ahead, budget=self.budget)]
        situation = Situation(WATCHER, now, {}, {}, since=since, firing=firing, budgets=states)
        verdict = evaluate(situation, settings())
        timings = {"budget": Timing(timedelta(hours=1), sends_resolved=False)}
        self.alerts, ended = advance(self.alerts, verdict, timings, now, now - timedelta(hours=1))
        told: dict[object, Notified] = self.told
        lines = due([*self.alerts.values(), *ended], told, Recipient(Route("ops")), now).lines
        told |= {line.episode: line.notified(told.get(line.episode), now) for line in lines}
        return [(line.alert.fingerprint.key, line.alert.step, line.reason) for line in lines]


def test_a_clock_that_is_set_back_over_the_end_of_a_month() -> None:
    """Each month's thresholds are told once, and its forecast as well."""
    listener, told = Listener(BUDGET), list[tuple[str, int, Reason]]()
    looks = [(-10, 900, 50), (2, 0, 0), (-4, 900, 50), (3, 600, 0), (-2, 900, 50), (50, 600, 0)]
    for seconds, spent, ahead in looks:
        told += listener.look(NEXT_MONTH + timedelta(seconds=seconds), spent, ahead)
    told += listener.look(NEXT_MONTH + HOUR, 600, 0)
    april, may = "2026-04 of 0.001000", "2026-05 of 0.001000"
    assert [(april, 80, Reason.FIRST), (may, 50, Reason.FIRST)] == told
    assert {may} == {each.key for each in listener.alerts}


SUMS = st.lists(
    st.tuples(
        st.sampled_from([1, 6, 24, 240]), st.integers(0, 2_500), st.none() | st.integers(0, 2_500)
    ),
    max_size=40,
)


@given(SUMS, st.sets(st.integers(1, 250), max_size=5))
def test_each_threshold_is_told_once_a_month(
    looks: list[tuple[int, int, int | None]], thresholds: set[int]
) -> None:
    """Whatever the sums do, and a forecast once a month; nobody hears of an end."""
    listener = Listener(Budget("team", MicroUsdc(1_000), thresholds=tuple(sorted(thresholds))))
    now, told, crossed = NOW, Counter[tuple[str, int]](), dict[str, int]()
    for hours, spent, ahead in looks:
        now += timedelta(hours=hours)
        reached = max((each for each in thresholds if spent >= 10 * each), default=0)
        for key, step, reason in listener.look(now, spent, ahead):
            assert reason in {Reason.FIRST, Reason.WORSE}
            assert key.startswith(f"{now:%Y-%m}")
            told[key, step] += 1
        month = f"{now:%Y-%m} of 0.001000"
        crossed[month] = max(crossed.get(month, 0), reached)
    for month, highest in crossed.items():
        steps = [step for key, step in told.elements() if key == month and step]
        exceeded = sum(1 for step in set(steps) if told[month, step] > 1)
        assert exceeded <= 1  # the limit itself, if it is no threshold
        assert max(steps, default=0) == highest
        assert told[f"{month} forecast", 0] <= 1

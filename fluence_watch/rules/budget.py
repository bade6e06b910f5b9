"""A budget's thresholds are crossed, or its month is going to cost more than the budget.

A budget may span accounts, so it is judged by the watcher's own look. What has fired in a month fires
until the month is over, and ends without a message: sums that fall and rise again, or VMs that come
and go, are told once. A limit that is changed begins anew. A clock that is set back over the end of a
month ends nothing, and begins nothing twice.

    spent                        alert
    at or above a threshold      fires; each higher threshold is a step, and thus news
    at or above the limit        critical
    below the limit, and the month is going to cost more for `for`    the forecast's alert fires
    unreadable                   unknown
    all of it is spent, as an alert says    the forecast's alert is gone, and none begins this month
    that of a month to come, or that is just over    unknown, as long as there is such a budget
    that of any other month      gone

The month is going to cost more if what is known of it does. Before it fires, a forecast that is
unknown, or not above the limit any more, is no reason to.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import Field

from fluence_watch.model.budget import BudgetState, Spender
from fluence_watch.model.finding import WATCHER, Finding, Fingerprint, Impact, Severity
from fluence_watch.model.funding import FOREVER, dry_at
from fluence_watch.model.money import MicroUsdc, plain
from fluence_watch.model.month import month_end
from fluence_watch.rules.base import Duration, Judgement, Level, Rule, RuleSettings
from fluence_watch.rules.situation import Scope, Situation

NAME = "budget"
_PERCENT = 100
_AHEAD = " forecast"
_JUST_OVER = timedelta(minutes=5)  # by so much a clock may be set back


class BudgetRuleSettings(RuleSettings):
    """How budgets are reported."""

    severity: Level = Severity.WARNING
    hold: Duration = Field(
        default=timedelta(hours=1),
        alias="for",
        description="how long the forecast must exceed a budget; a threshold fires at once",
    )
    keep_firing_for: Duration = Field(
        default=timedelta(0), description="without effect: it fires until the month is over"
    )


@dataclass(frozen=True, slots=True)
class BudgetSpent:
    """A budget in micro-USDC, and what is spent of it in the month that ends at `ends_at`.

    `percent` is rounded down. `forecast` is what the month comes to, `None` if that is unknown; if it
    `is_least`, some of it is unknown, and it is at least so much.
    `reached_at` is when the limit is reached at the present burn, to the hour, if that is this month.
    `was_exceeded` is whether all of it was spent at any time this month.
    """

    name: str
    limit: MicroUsdc
    spent: MicroUsdc
    percent: int
    forecast: MicroUsdc | None
    largest: tuple[Spender, ...]
    ends_at: datetime
    reached_at: datetime | None = None
    is_least: bool = False
    was_exceeded: bool = False

    @property
    def left(self) -> MicroUsdc:
        """What is left of it; below zero, by how much it is exceeded."""
        return MicroUsdc(self.limit - self.spent)

    @property
    def month(self) -> str:
        """The month: `2026-04`."""
        return f"{self.ends_at - timedelta(days=1):%Y-%m}"


@dataclass(frozen=True, slots=True)
class BudgetForecast(BudgetSpent):
    """A budget that the month is going to exceed."""


def judge(situation: Situation, settings: BudgetRuleSettings) -> Judgement:
    """Report the thresholds that are crossed, and forecasts. See the table above."""
    alerts = frozenset(each.subject for each in situation.alerts if each.rule == NAME)
    if situation.budgets is None:
        return Judgement(unknown=alerts)
    findings = [
        found for state in situation.budgets for found in _findings(situation, settings, state)
    ]
    kept = frozenset(_kept(situation)) & alerts
    return Judgement(findings, unknown=kept, gone=alerts - kept)


def _kept(situation: Situation) -> Iterator[str]:
    """The budgets that have an alert of another month than now's which is not over for certain."""
    this, ended = _month(situation.now), _month(situation.now - _JUST_OVER)
    limits = {(_subject(each), plain(each.budget.limit)) for each in situation.budgets or ()}
    for alert in situation.alerts:
        month, _, limit = alert.key.removesuffix(_AHEAD).partition(" of ")
        if alert.rule == NAME and ended <= month != this and (alert.subject, limit) in limits:
            yield alert.subject


def _subject(state: BudgetState) -> str:
    """The subject of its alerts. A receiver may have the same name, but never this subject."""
    return f"{NAME}:{state.budget.name}"


def _month(moment: datetime) -> str:
    return f"{moment:%Y-%m}"


def _findings(
    situation: Situation, settings: BudgetRuleSettings, state: BudgetState
) -> Iterator[Finding]:
    budget, spent, now = state.budget, state.spent, situation.now
    month, subject = f"{_month(now)} of {plain(budget.limit)}", _subject(state)
    crossed = [each for each in budget.thresholds if is_crossed(each, spent, budget.limit)]
    exceeded = state.is_exceeded
    this = Fingerprint(WATCHER, NAME, subject, month)
    was_exceeded = exceeded or _was_exceeded(situation.firing.get(this))
    is_told = bool(crossed) or this in situation.firing
    if is_told:
        severity = Severity.CRITICAL if exceeded else settings.severity
        step = max(crossed, default=0)
        facts = replace(_facts(BudgetSpent, state, now), was_exceeded=was_exceeded)
        yield Finding(this, severity, facts, at_once=True, step=step)
    ahead = Fingerprint(WATCHER, NAME, subject, f"{month}{_AHEAD}")
    is_due = budget.forecast and not exceeded and state.is_ahead
    if (is_due or ahead in situation.firing) and not (is_told and was_exceeded):
        yield Finding(ahead, settings.severity, _facts(BudgetForecast, state, now))


def _was_exceeded(facts: object) -> bool:
    """Whether all was spent, as the alert that fires has it."""
    return isinstance(facts, BudgetSpent) and facts.was_exceeded


def is_crossed(threshold: int, spent: MicroUsdc, limit: MicroUsdc) -> bool:
    """Whether so many percent of the limit are spent."""
    return spent * _PERCENT >= threshold * limit


def _facts(kind: type[BudgetSpent], state: BudgetState, now: datetime) -> BudgetSpent:
    budget, comes_to = state.budget, state.comes_to
    return kind(
        name=budget.name,
        limit=budget.limit,
        spent=state.spent,
        percent=state.percent,
        forecast=comes_to.amount if comes_to else None,
        largest=state.tally.largest,
        ends_at=month_end(now),
        reached_at=_reached_at(state, now),
        is_least=comes_to is not None and not comes_to.is_whole,
    )


def _reached_at(state: BudgetState, now: datetime) -> datetime | None:
    left = MicroUsdc(state.budget.limit - state.spent)
    if left <= 0 or state.burn is None or not state.is_ahead:
        return None
    at = dry_at(left, state.burn, now)
    if at == FOREVER or at >= month_end(now):
        return None
    return at.replace(minute=0, second=0, microsecond=0)


RULE = Rule(
    NAME,
    BudgetRuleSettings,
    (BudgetSpent, BudgetForecast),
    judge,
    judges_failures=True,
    sends_resolved=False,
    scope=Scope.WATCHER,
    impact=Impact.COST,
)

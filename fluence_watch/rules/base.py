"""The building blocks of a rule.

A rule is one file with its settings, the facts that it reports, and a judge function.
The judge function is pure. It turns a situation into a judgement, without text and without a clock.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from fluence_watch.model.duration import parse_duration, short
from fluence_watch.model.finding import Finding, Impact, Severity
from fluence_watch.model.horizon import Horizon
from fluence_watch.model.money import MicroUsdc, micro_from_decimal, plain
from fluence_watch.rules.situation import Scope, Situation


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError(f'{value!r} has no unit: write "90s", "15m", "4h" or "2d"')  # noqa: TRY004 - pydantic reports ValueError alone
    return parse_duration(value)


def _amount(value: object) -> MicroUsdc:
    if isinstance(value, Decimal | int | str) and not isinstance(value, bool):
        amount = micro_from_decimal(
            format(value, "f") if isinstance(value, Decimal) else str(value)
        )
        if amount >= 0:
            return amount
    raise ValueError(f"{value!r} is not an amount of USDC, such as 0.5")


def _in_usdc(amount: MicroUsdc) -> Decimal:
    return Decimal(plain(amount)).normalize()


Duration = Annotated[timedelta, BeforeValidator(_duration), PlainSerializer(short)]
Usdc = Annotated[MicroUsdc, BeforeValidator(_amount), PlainSerializer(_in_usdc)]
Level = Annotated[Severity, Field(description="info, warning or critical")]


class Settings(BaseModel):
    """Base class of all settings. Unknown keys are errors, and defaults are validated."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, validate_by_name=True
    )


class RuleSettings(Settings):
    """The settings that all rules share."""

    enabled: bool = Field(default=True, description="whether the rule is evaluated")
    severity: Level
    hold: Duration = Field(
        default=timedelta(0),
        alias="for",
        description="how long the condition must hold before it fires",
    )
    keep_firing_for: Duration = Field(
        default=timedelta(0), description="how long the condition must be over before it resolves"
    )


class EventSettings(RuleSettings):
    """The settings of an event rule, which fires in the poll that sees a change."""

    hold: Duration = Field(
        default=timedelta(0), alias="for", description="without effect: a change fires at once"
    )
    keep_firing_for: Duration = Field(
        default=timedelta(0), description="without effect: a change does not resolve"
    )


class Need(Enum):
    """What a rule needs beyond the list of VMs and the balance, which every poll requests."""

    KEYS = auto()  # the SSH keys of the account
    CHARGES = auto()  # what the API charged
    MARKET = auto()  # what the market asks


@dataclass(frozen=True, slots=True)
class Judgement:
    """The result of one rule for one situation.

    `unknown` are subjects that the rule could not judge.
    `gone` are subjects that no longer concern the rule. Their alerts resolve without a message.
    """

    findings: Sequence[Finding] = ()
    unknown: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()


def not_beyond_now(situation: Situation, _settings: object) -> Horizon:
    """The `holds_until` of a rule that declares nothing: the next poll needs another judgement."""
    return situation.now


def as_long_as_the_same(_situation: Situation, _settings: object) -> Horizon:
    """The `holds_until` of a rule that looks at no clock."""
    return None


def no_deadline(_facts: object) -> None:
    """The `deadline` of rules whose facts have none."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its name, settings, facts, condition and needs.

    A rule with `judges_failures` also runs after failed polls.
    If `sends_resolved` is false, its alerts resolve without a message.
    An `event` rule reports what changed in this poll.
    The next poll, successful or failed, resolves the alert without a message.
    Its findings are therefore `at_once`, and their key contains the time.
    The same change later is a new alert.
    In a message, `impact` orders the rules, and `deadline` orders the findings of one rule.
    A finding says more than those of the rules that it `mutes` about the same subject, as long as it
    fires no later: it is `at_once`, has lasted for its `for`, or has no longer a `for` than theirs.
    They are as if unknown, so that what was notified before still resolves. If one of them is more
    severe, it takes over that severity once that one would fire.
    `holds_until` is until when its judgement holds, if the situation stays as it is but for the time and
    for when it was seen. Then it finds the same, as severe and at the same steps; of the facts, times and
    sums that are reckoned from now may differ. Of alerts, a rule looks at its own alone.
    """

    name: str
    settings: type[RuleSettings]
    facts: tuple[type, ...]
    judge: Callable[[Situation, Any], Judgement]
    judges_failures: bool = False
    sends_resolved: bool = True
    event: bool = False
    needs: frozenset[Need] = frozenset()
    impact: Impact = Impact.NONE
    deadline: Callable[[Any], datetime | None] = no_deadline
    scope: Scope = Scope.ACCOUNT
    mutes: frozenset[str] = frozenset()
    holds_until: Callable[[Situation, Any], Horizon] = not_beyond_now


def event_rule(
    name: str,
    settings: type[EventSettings],
    facts: tuple[type, ...],
    judge: Callable[[Situation, Any], Judgement],
    *,
    impact: Impact = Impact.NONE,
    needs: frozenset[Need] = frozenset(),
) -> Rule:
    """Define a rule that reports changes. Where nothing changes, it finds nothing."""
    return Rule(
        name,
        settings,
        facts,
        judge,
        sends_resolved=False,
        event=True,
        needs=needs,
        impact=impact,
        holds_until=as_long_as_the_same,
    )


def absent_resources(situation: Situation, rule: str) -> tuple[frozenset[str], frozenset[str]]:
    """The subjects of a rule's alerts that are in no list any more: unknown ones, and gone ones.

    While the list of a kind is not complete, nothing is known of those that are not in it.
    """
    assert situation.snapshot
    absent = {each.subject for each in situation.alerts if each.rule == rule}
    absent -= situation.snapshot.resources.keys()
    unlisted = tuple(f"{kind}:" for kind in situation.snapshot.unlisted)
    unknown = frozenset(subject for subject in absent if subject.startswith(unlisted))
    return unknown, frozenset(absent - unknown)

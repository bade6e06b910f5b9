"""What every rule is made of.

A rule is one file: the settings that a user can change, the facts that it reports, and a pure
function from a situation to a judgement. It holds no text and knows no clock.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from fluence_watch.model.duration import parse_duration, short
from fluence_watch.model.finding import WATCHER, Finding, Fingerprint, Impact, Severity
from fluence_watch.model.known import KnownVm
from fluence_watch.model.money import MicroUsdc, micro_from_decimal, plain
from fluence_watch.model.note import NoteAction
from fluence_watch.model.ports import Port
from fluence_watch.model.presence import Presence
from fluence_watch.model.snapshot import PollFailure, Snapshot
from fluence_watch.model.ssh_key import SshKey
from fluence_watch.model.undelivered import Undelivered
from fluence_watch.model.vm import Vm


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
    """Base of all settings: unknown keys are errors, defaults are checked too."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, validate_by_name=True
    )


class RuleSettings(Settings):
    """The settings that every rule has."""

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
    """The settings of a rule about changes: it fires in the poll that sees the change."""

    hold: Duration = Field(
        default=timedelta(0), alias="for", description="without effect: a change fires at once"
    )
    keep_firing_for: Duration = Field(
        default=timedelta(0), description="without effect: a change does not resolve"
    )


@dataclass(frozen=True, slots=True)
class Expectation:
    """The ports that the user expects: `vm` is a glob on the name, or an id."""

    vm: str
    ports: tuple[Port, ...]
    account: str = "*"

    def covers(self, account: str, vm: Vm) -> bool:
        """Whether it is about this VM."""
        here = self.account in {"*", account} or fnmatchcase(account, self.account)
        return here and (fnmatchcase(vm.name or "", self.vm) or self.vm.lower() == vm.key)


class Scope(Enum):
    """What a rule is about."""

    ACCOUNT = auto()  # an account and its VMs, as a poll sees them
    WATCHER = auto()  # the watcher itself


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a rule may look at.

    `known` is what is remembered after this poll, `before` what was before it. `presence` says which
    VMs are missing or lost. After a failed poll `snapshot` is `None` and `failure` says why.
    `keys_before` are the SSH keys as last known, `None` at first sight; `expected_keys` what users
    do to which of them, by fingerprint. `alerts` are those that were open after the poll before.
    `fault` says what went wrong in the watcher itself, until a whole poll goes well.

    Of the watcher itself (the account is `WATCHER`) there are only `alerts`, and `receivers`: for
    each of the settings what it does not accept, `None` while it works.
    """

    account: str
    now: datetime
    known: Mapping[str, KnownVm]
    before: Mapping[str, KnownVm]
    snapshot: Snapshot | None = None
    failure: PollFailure | None = None
    presence: Presence = field(default_factory=Presence)
    epoch: timedelta = timedelta(hours=24)
    expectations: Sequence[Expectation] = ()
    keys_before: tuple[SshKey, ...] | None = None
    expected_keys: frozenset[tuple[NoteAction, str]] = frozenset()
    alerts: Collection[Fingerprint] = frozenset()
    fault: str = ""
    receivers: Mapping[str, Undelivered | None] = field(default_factory=dict)

    @property
    def scope(self) -> Scope:
        """What it is about."""
        return Scope.WATCHER if self.account == WATCHER else Scope.ACCOUNT

    @property
    def vms(self) -> Mapping[str, Vm]:
        """The VMs of this poll; none after a failed one."""
        return self.snapshot.vms if self.snapshot else {}


class Need(Enum):
    """What a rule needs beside the list of VMs and the balance, which every poll asks for."""

    KEYS = auto()  # the SSH keys of the account


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one rule says of one situation.

    `unknown` are subjects that it could not judge, `gone` those that it has nothing to say of any
    more: their alerts end without a message.
    """

    findings: Sequence[Finding] = ()
    unknown: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()


def no_deadline(_facts: object) -> None:
    """Of facts without a deadline."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its name, its settings, its facts, its condition, and what it needs to judge it.

    `judges_failures` rules run after failed polls too. Where `tells_resolved` is false, an alert
    resolves without a message. An `event` rule finds what changed in this poll; the next one, good
    or failed, resolves it without a message. So its findings are `at_once`, and the time is in
    their key: the same change again is another alert. `impact` orders the rules in a
    message, `deadline` the findings of a rule, by their facts.
    """

    name: str
    settings: type[RuleSettings]
    facts: tuple[type, ...]
    judge: Callable[[Situation, Any], Judgement]
    judges_failures: bool = False
    tells_resolved: bool = True
    event: bool = False
    needs: frozenset[Need] = frozenset()
    impact: Impact = Impact.NONE
    deadline: Callable[[Any], datetime | None] = no_deadline
    scope: Scope = Scope.ACCOUNT


def event_rule(
    name: str,
    settings: type[EventSettings],
    facts: type,
    judge: Callable[[Situation, Any], Judgement],
    *,
    impact: Impact = Impact.NONE,
    needs: frozenset[Need] = frozenset(),
) -> Rule:
    """A rule about changes."""
    return Rule(
        name,
        settings,
        (facts,),
        judge,
        tells_resolved=False,
        event=True,
        needs=needs,
        impact=impact,
    )

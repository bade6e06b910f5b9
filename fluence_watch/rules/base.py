"""The building blocks of a rule.

A rule is one file with its settings, the facts that it reports, and a judge function.
The judge function is pure. It turns a situation into a judgement, without text and without a clock.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from fluence_watch.model.bill import DayCost
from fluence_watch.model.billing import EPOCHS, Billing
from fluence_watch.model.budget import BudgetState
from fluence_watch.model.duration import parse_duration, short
from fluence_watch.model.finding import WATCHER, Finding, Fingerprint, Impact, Severity
from fluence_watch.model.horizon import Horizon
from fluence_watch.model.known import KnownVm
from fluence_watch.model.known_resource import KnownResources, Missing
from fluence_watch.model.money import MicroUsdc, micro_from_decimal, plain
from fluence_watch.model.note import NoteAction
from fluence_watch.model.ports import Port
from fluence_watch.model.presence import Presence
from fluence_watch.model.silenced import Silenced
from fluence_watch.model.snapshot import PollFailure, Snapshot
from fluence_watch.model.spending import Spending
from fluence_watch.model.ssh_key import SshKey
from fluence_watch.model.undelivered import Refused, Undelivered
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


@dataclass(frozen=True, slots=True)
class Expectation:
    """The ports that the user expects. `vm` is a glob on the VM's name, or its id."""

    vm: str
    ports: tuple[Port, ...]
    account: str = "*"

    def covers(self, account: str, vm: Vm) -> bool:
        """Whether the expectation applies to this VM."""
        here = self.account in {"*", account} or fnmatchcase(account, self.account)
        return here and (fnmatchcase(vm.name or "", self.vm) or self.vm.lower() == vm.key)


class Scope(Enum):
    """What a rule watches."""

    ACCOUNT = auto()  # an account and its VMs, as seen by a poll
    WATCHER = auto()  # the watcher itself


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that a rule may look at.

    `known` are the known VMs after this poll, `before` those before it.
    `presence` says which VMs are missing or lost.
    After a failed poll, `snapshot` is `None` and `failure` is the reason.
    `keys_before` are the last known SSH keys, `None` before the first list of keys.
    `expected_changes` are the changes that users made to keys, VMs and resources: the fingerprint of
    the key, `Vm.key`, or `Resource.key`.
    `resources` are the known resources after this poll, `resources_before` those before it, and
    `missing` says which of them are lost.
    `costs` are what the latest days should cost, where the account is metered.
    `last_good_at` is the successful poll before, `begun_at` the first one; `None` before the first.
    What was lost is forgotten when it has been missing for longer than `forget_after`.
    `spending` is what the ledger has of today and the days before, `None` if that is unknown.
    `since` holds the alerts that were open after the previous poll, and when each of them began.
    `fault` describes an internal error of the watcher. It stays set until a poll completes.
    `enabled` are the names of the rules that are evaluated; `evaluate` sets it.

    For the watcher itself (the account is `WATCHER`), only `since`, `firing`, `budgets`, `silences`,
    `receivers` and `refused` are set. `firing` are the alerts that fired after the previous look, with
    their facts. `budgets` are `None` while the ledger cannot be read, `silences` (those in force)
    before they are. `receivers` holds what waits for each configured receiver, `None` while it works.
    `refused` holds the alerts that a receiver refuses although it works.
    """

    account: str
    now: datetime
    known: Mapping[str, KnownVm]
    before: Mapping[str, KnownVm]
    snapshot: Snapshot | None = None
    failure: PollFailure | None = None
    presence: Presence = field(default_factory=Presence)
    billing: Billing = EPOCHS
    expectations: Sequence[Expectation] = ()
    keys_before: tuple[SshKey, ...] | None = None
    expected_changes: frozenset[tuple[NoteAction, str]] = frozenset()
    since: Mapping[Fingerprint, datetime] = field(default_factory=dict)
    fault: str = ""
    receivers: Mapping[str, Undelivered | None] = field(default_factory=dict)
    refused: Mapping[str, Refused] = field(default_factory=dict)
    resources: KnownResources = field(default_factory=dict)
    resources_before: KnownResources = field(default_factory=dict)
    missing: Missing = field(default_factory=Missing)
    costs: tuple[DayCost, ...] = ()
    last_good_at: datetime | None = None
    begun_at: datetime | None = None
    forget_after: timedelta = timedelta(0)
    enabled: frozenset[str] = frozenset()
    spending: Spending | None = None
    firing: Mapping[Fingerprint, object] = field(default_factory=dict)
    budgets: Sequence[BudgetState] | None = ()
    silences: Sequence[Silenced] | None = ()

    @property
    def alerts(self) -> Collection[Fingerprint]:
        """The alerts that were open after the previous poll."""
        return self.since.keys()

    @property
    def scope(self) -> Scope:
        """Whether the situation is about an account or the watcher itself."""
        return Scope.WATCHER if self.account == WATCHER else Scope.ACCOUNT

    @property
    def vms(self) -> Mapping[str, Vm]:
        """The VMs of this poll. Empty after a failed one."""
        return self.snapshot.vms if self.snapshot else {}

    @property
    def news(self) -> Iterator[tuple[str, Vm]]:
        """The VMs of this poll that are new, or not as they were."""
        listed = () if self.known is self.before else self.vms.items()
        for key, vm in listed:
            before, after = self.before.get(key), self.known.get(key)
            if before is None or after is None or after.vm is not before.vm:
                yield key, vm


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

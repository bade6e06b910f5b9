"""The settings: their names, types, defaults and bounds. Names are contract; see docs/configuration.md."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BeforeValidator,
    Field,
    PlainSerializer,
    PrivateAttr,
    SecretStr,
    create_model,
)

from fluence_watch.errors import Problem
from fluence_watch.model.ports import Port, parse_port
from fluence_watch.model.presence import PresenceLimits
from fluence_watch.rules import RULES
from fluence_watch.rules.base import Duration, RuleSettings, Settings
from fluence_watch.rules.situation import Expectation
from fluence_watch.settings.budgets import BudgetSettings
from fluence_watch.settings.digests import DigestSettings
from fluence_watch.settings.durations import PositiveDuration
from fluence_watch.settings.heartbeat import HeartbeatSettings
from fluence_watch.settings.muting import InhibitSettings, MaintenanceSettings
from fluence_watch.settings.names import Name
from fluence_watch.settings.places import Places
from fluence_watch.settings.receivers import ReceiverSettings
from fluence_watch.settings.record import RecordSettings
from fluence_watch.settings.secrets import one_secret
from fluence_watch.settings.server import ServerSettings
from fluence_watch.settings.templates import TemplatesSettings


def _sqlite(value: str) -> str:
    if not value.removeprefix("sqlite:///") or not value.startswith("sqlite:///"):
        raise ValueError('write "sqlite:///" and the path of a file')
    return value


def _without_user(value: AnyHttpUrl) -> AnyHttpUrl:
    if value.username or value.password:
        raise ValueError("write it without a user name and a password: the key goes into api_key")
    return value


def _ports(value: object) -> object:
    if not isinstance(value, list | tuple):
        return value  # the type is wrong, which pydantic reports
    read, errors = set[Port](), list[str]()
    for each in value:
        try:
            read.add(each if isinstance(each, Port) else parse_port(str(each)))
        except ValueError as error:
            errors.append(str(error))
    if errors:
        raise ValueError("; ".join(errors))
    return tuple(sorted(read))


Ports = Annotated[
    tuple[Port, ...],
    BeforeValidator(_ports),
    PlainSerializer(lambda ports: [str(port) for port in ports]),
    Field(examples=[["22/tcp", "443/tcp"]]),
]


class PollSettings(Settings):
    """How often the API is polled, and how long a call may take."""

    interval: PositiveDuration = Field(
        default=timedelta(seconds=60), description="time between two polls of an account"
    )
    timeout: PositiveDuration = Field(
        default=timedelta(seconds=10), description="longest time of one poll, retries included"
    )
    jitter: Duration = Field(
        default=timedelta(seconds=5), description="random delay of each poll, up to this"
    )
    concurrency: int = Field(
        default=16, ge=1, le=1000, description="accounts polled at the same time"
    )
    max_body_mb: int = Field(
        default=256, ge=1, le=65_536, description="largest response in MiB, decompressed"
    )


class StoreSettings(Settings):
    """Where the state is kept."""

    url: Annotated[str, AfterValidator(_sqlite)] = Field(
        default="sqlite:///fluence-watch.db",
        description="an SQLite file: sqlite:/// and a relative path, sqlite://// and an absolute",
    )
    retention: PositiveDuration = Field(
        default=timedelta(days=90), description="how long resolved alerts are kept"
    )
    ledger_retention: Duration = Field(
        default=timedelta(days=90),
        ge=timedelta(days=31),  # `spend_anomaly` compares 28 days
        description="how long single charges are kept; the cost of a thing and day is kept for ever",
    )
    forget_accounts_after: PositiveDuration = Field(
        default=timedelta(days=7),
        description="how long to keep the state of an account that is missing from the settings",
    )


class LogSettings(Settings):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="debug, info, warning or error"
    )
    format: Literal["auto", "console", "json"] = Field(
        default="auto", description="auto, console or json; auto is console on a terminal"
    )


class DeliverySettings(Settings):
    """How messages are delivered."""

    give_up_after: PositiveDuration = Field(
        default=timedelta(days=7),
        description="a receiver that was unreachable is not notified of what is over for longer",
    )
    stale_after: PositiveDuration = Field(
        default=timedelta(hours=1), description="without effect: messages are written when sent"
    )


class AccountSettings(Settings):
    """A Fluence account to watch."""

    name: Name = Field(default="main", description="its name in metrics and messages")
    api_key: SecretStr | None = Field(
        default=None, description="the API key; a read-only one is enough"
    )
    api_key_file: Path | None = Field(default=None, description="or a file that holds the key")
    dialect: Literal["v2", "v3", "cloud", "auto"] = Field(
        default="v2",
        description="generation of the API: v2, v3, cloud; auto: the newest that accepts the key",
    )
    base_url: Annotated[AnyHttpUrl, AfterValidator(_without_user)] = Field(
        default=AnyHttpUrl("https://api.fluence.dev"), description="address of the API"
    )
    auth: Literal["both", "x-api-key", "bearer"] = Field(
        default="both", description="header that carries the key: both, x-api-key or bearer"
    )
    epoch: PositiveDuration = Field(
        default=timedelta(hours=24),
        description="billing period; other values are for the simulator. In cloud it is always 1h",
    )
    gpu: bool = Field(
        default=False, description="whether to watch the account's instances of the GPU cloud too"
    )

    @property
    def key(self) -> str:
        """The API key, from the setting or its file."""
        return one_secret(self.api_key, self.api_key_file, "api_key").get_secret_value()

    @property
    def url(self) -> str:
        """The base URL without a trailing slash."""
        return str(self.base_url).rstrip("/")


class ExpectSettings(Settings):
    """The ports that some VMs should have."""

    vm: str = Field(min_length=1, description="glob on the VM's name, or its id")
    ports: Ports = Field(description="ports that should be open; no others should")
    account: str = Field(default="*", description="glob on the account's name")

    @property
    def expectation(self) -> Expectation:
        """The expectation as the rules know it."""
        return Expectation(self.vm, self.ports, self.account)


RulesSettings = create_model(
    "RulesSettings",
    __base__=Settings,
    **{rule.name: (rule.settings, Field(default_factory=rule.settings)) for rule in RULES},  # type: ignore[call-overload] # one field a rule, by name
)


class WatchSettings(Settings):
    """All settings. `load_settings` builds them from the file and the environment, and checks them."""

    poll: PollSettings = PollSettings()
    server: ServerSettings = ServerSettings()
    store: StoreSettings = StoreSettings()
    log: LogSettings = LogSettings()
    delivery: DeliverySettings = DeliverySettings()
    heartbeat: HeartbeatSettings = HeartbeatSettings()
    templates: TemplatesSettings = TemplatesSettings()
    record: RecordSettings = RecordSettings()
    accounts: tuple[AccountSettings, ...] = ()
    rules: RulesSettings = RulesSettings()  # type: ignore[valid-type] # made above
    expect: tuple[ExpectSettings, ...] = ()
    budgets: tuple[BudgetSettings, ...] = ()
    receivers: tuple[ReceiverSettings, ...] = ()
    digests: tuple[DigestSettings, ...] = ()
    maintenance: tuple[MaintenanceSettings, ...] = ()
    inhibit: tuple[InhibitSettings, ...] = ()
    _notes: tuple[Problem, ...] = PrivateAttr(default=())
    _places: Places | None = PrivateAttr(default=None)

    @property
    def by_rule(self) -> Mapping[str, RuleSettings]:
        """The settings of each rule, by its name."""
        return {rule.name: getattr(self.rules, rule.name) for rule in RULES}

    @property
    def presence(self) -> PresenceLimits:
        """When a VM that is missing is lost, and when it is forgotten."""
        limits: PresenceLimits = self.rules.vm_vanished.limits  # type: ignore[attr-defined] # see RulesSettings
        return limits

    @property
    def expectations(self) -> tuple[Expectation, ...]:
        """The expectations in the order of the file: the first that covers a VM counts."""
        return tuple(entry.expectation for entry in self.expect)

    @property
    def notes(self) -> tuple[Problem, ...]:
        """What is doubtful in these settings, with its place; they remain usable."""
        return self._notes

    def with_notes(self, notes: Iterable[Problem]) -> Self:
        """The same settings with these notes."""
        copy = self.model_copy()
        copy._notes = tuple(notes)  # noqa: SLF001 - our own, of another instance
        return copy

    def placed(self, problems: Iterable[Problem]) -> list[Problem]:
        """These problems of single settings, each with the place of its key."""
        return [self._places.placed(each) if self._places else each for each in problems]

    def placed_by(self, places: Places) -> Self:
        """The same settings, which know where they come from."""
        copy = self.model_copy()
        copy._places = places  # noqa: SLF001 - our own, of another instance
        return copy

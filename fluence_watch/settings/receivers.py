"""The settings of receivers: who is notified of what, and when."""

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, SecretStr

from fluence_watch.model.finding import Severity
from fluence_watch.rules.base import Duration, Settings
from fluence_watch.settings.digests import Zone
from fluence_watch.settings.matchers import MatchList
from fluence_watch.settings.names import Name
from fluence_watch.settings.secrets import one_secret, read_secret

if TYPE_CHECKING:
    from fluence_watch.alerting.active import ActiveTimes

# ruff: noqa: PLC0415 - only with active times

_LABEL = re.compile(r"(?!__)[A-Za-z_][A-Za-z0-9_]*")
_OWN_LABELS = frozenset(
    {
        "account", "alertname", "datacenter", "key", "rule", "severity", "status", "subject",
        "vm_id", "vm_name",
    }
)  # fmt: skip


def _label(value: str) -> str:
    name, equals, text = value.partition("=")
    if not (equals and text and _LABEL.fullmatch(name)):
        raise ValueError(f'{value!r} is no label: write its name, =, its value: "instance=eu-1"')
    if name in _OWN_LABELS:
        raise ValueError(f"{name!r} is a label that alerts have already: choose another name")
    return value


_Label = Annotated[str, AfterValidator(_label)]


def _windows(text: str) -> str:
    from fluence_watch.alerting.active import parse_windows

    parse_windows(text)
    return text


Windows = tuple[Annotated[str, AfterValidator(_windows)], ...]
"""Texts with windows of days and hours, each checked by itself."""


class ReceiverSettings(Settings):
    """A service or mailbox to notify."""

    name: Name = Field(description="its name in metrics and logs")
    url: SecretStr | None = Field(default=None, description="one Apprise URL")
    url_file: Path | None = Field(default=None, description="or a file that holds the URL")
    alertmanager: tuple[SecretStr, ...] | None = Field(
        default=None,
        min_length=1,
        examples=[["http://am-1:9093"]],
        description="in place of url: each member of an Alertmanager cluster",
    )
    alertmanager_file: Path | None = Field(
        default=None, description="or a file that holds their URLs, one a line"
    )
    alertmanager_ca_file: Path | None = Field(
        default=None, description="certificates (PEM) to trust in place of the system's"
    )
    alertmanager_labels: tuple[_Label, ...] | None = Field(
        default=None,
        examples=[["instance=eu-1"]],
        description="labels of all its alerts, to tell several daemons apart",
    )
    min_severity: Severity = Field(
        default=Severity.INFO, description="info, warning or critical: lower ones are not sent"
    )
    rules: tuple[str, ...] = Field(default=("*",), description="globs on rule names")
    accounts: tuple[str, ...] = Field(default=("*",), description="globs on account names")
    match: MatchList = Field(
        default=(), description="matchers on labels, as in Alertmanager; all of them must match"
    )
    send_resolved: bool = Field(default=True, description="notify when an alert resolves")
    repeat_interval: Duration = Field(
        default=timedelta(0), description="notify again while an alert fires, after this; 0s: never"
    )
    group_wait: Duration = Field(
        default=timedelta(0), description="how long a new alert of an account waits for others"
    )
    group_interval: Duration = Field(
        default=timedelta(0), description="the shortest time between two messages about an account"
    )
    escalate_after: Duration = Field(
        default=timedelta(0),
        le=timedelta(days=365),
        description="what fires for so long, and nobody acknowledged, goes to escalate_to too; 0s: never",
    )
    escalate_to: str = Field(default="", description="name of the receiver to escalate to")
    active: Windows = Field(
        default=(),
        examples=[["Mon-Fri 08:00-18:00"]],
        description='when messages are sent, such as "Mon-Fri 08:00-18:00"; []: always',
    )
    timezone: Zone = Field(
        default="UTC", description="time zone of these times, such as Europe/Paris"
    )
    critical_at_once: bool = Field(
        default=True, description="whether critical alerts are sent at other times too"
    )

    @property
    def is_alertmanager(self) -> bool:
        """Whether it takes alerts as states, and no messages."""
        return self.alertmanager is not None or self.alertmanager_file is not None

    @property
    def apprise_url(self) -> str:
        """The Apprise URL, from the setting or its file."""
        self._check_one_address()
        return one_secret(self.url, self.url_file, "url").get_secret_value()

    @property
    def alertmanager_urls(self) -> tuple[str, ...]:
        """The URLs of the members, from the setting or its file. They may hold a password."""
        self._check_one_address()
        if self.alertmanager is not None:
            return tuple(url.get_secret_value() for url in self.alertmanager)
        return tuple(read_secret(self.alertmanager_file or Path()).get_secret_value().split())

    @property
    def extra_labels(self) -> dict[str, str]:
        """The labels of all its alerts, by name."""
        parts = (each.partition("=") for each in self.alertmanager_labels or ())
        return {name: text for name, _, text in parts}

    @property
    def active_times(self) -> "ActiveTimes | None":
        """When messages are sent; `None`: always."""
        if not self.active:
            return None
        from fluence_watch.alerting.active import ActiveTimes, parse_windows

        windows = tuple(window for text in self.active for window in parse_windows(text))
        return ActiveTimes(windows, self.timezone)

    def _check_one_address(self) -> None:
        given = (self.url, self.url_file, self.alertmanager, self.alertmanager_file)
        if sum(each is not None for each in given) != 1:
            raise ValueError(
                "give url or url_file, or alertmanager or alertmanager_file: one of the four"
            )

"""The settings of the run: as data for the referee, as TOML for the daemon."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Receiver:
    """A receiver, with the names and the defaults of the manual."""

    name: str
    min_severity: str = "info"
    rules: tuple[str, ...] = ("*",)
    accounts: tuple[str, ...] = ("*",)
    match: tuple[str, ...] = ()
    send_resolved: bool = True
    repeat_interval: timedelta = timedelta(0)
    group_wait: timedelta = timedelta(0)
    escalate_after: timedelta = timedelta(0)
    escalate_to: str = ""
    active: tuple[str, ...] = ()
    timezone: str = "UTC"
    critical_at_once: bool = True


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A daily window: it begins at that hour of its zone."""

    name: str
    match: tuple[str, ...]
    hour: int
    duration: timedelta
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Inhibit:
    """While the source fires, the target is muted."""

    source: tuple[str, ...]
    target: tuple[str, ...]
    equal: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Budget:
    """What some VMs of prepaid accounts may cost in a month, in USDC."""

    name: str
    monthly_usdc: int
    accounts: tuple[str, ...] = ("*",)
    vms: tuple[str, ...] = ("*",)
    thresholds: tuple[int, ...] = (50, 80, 100)
    forecast: bool = True


RECEIVERS = (
    Receiver("ops"),
    Receiver("pager", min_severity="critical", repeat_interval=4 * HOUR),
    Receiver("web", match=('vm=~"web-.*"', "severity!=info")),
    Receiver(
        "office", min_severity="warning", active=("Mon-Fri 08:00-18:00",), timezone="Europe/Paris"
    ),
    Receiver(
        "night", accounts=("shop",), rules=("vm_*", "port_*", "price_*"), send_resolved=False,
        active=("22:00-06:00",), critical_at_once=False,
    ),
    Receiver(
        "duty", rules=("topup_failed", "vm_*", "port_drift"), min_severity="warning",
        escalate_after=30 * MINUTE, escalate_to="boss",
    ),
    Receiver("boss", rules=()),
    Receiver("slow", rules=("port_drift", "vm_status", "low_balance"), group_wait=20 * MINUTE),
)  # fmt: skip
MAINTENANCE = (Maintenance("backups", ('vm=~"db-.*"',), 3, 2 * HOUR, "Europe/Paris"),)
INHIBITS = (
    Inhibit(("rule=vm_status", "status=stopped"), ("rule=port_drift",), ("vm_id",)),
    Inhibit(("rule=port_drift", "severity=critical"), ("rule=price_changed",)),
)
LOW_DAYS = 7
"""How long a balance must last for `account_low`, which speaks before `funds_exhausted_soon`."""
ANOMALY_USDC = 10
"""How much more than usual is odd: more than the account that pays by the second ever spends more."""
EXPECTED = {"ci-*": ("22/tcp",)}
"""Globs on the names of VMs, and the ports that they should have."""

_HEAD = """\
[poll]
interval = "{interval}s"
jitter = "0s"
timeout = "2s"
[store]
url = "sqlite:///{folder}/truth.db"
[rules.account_low]
min_days = {low_days}
[rules.bill_mismatch]
days = {bill_days}
[rules.spend_anomaly]
min_days = {anomaly_days}
min_usdc = {anomaly_usdc}
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is set. `accounts` have a dialect each, `urls` their API; `post` is where receivers are."""

    interval: timedelta
    accounts: Mapping[str, str]
    receivers: Sequence[Receiver] = RECEIVERS
    maintenance: Sequence[Maintenance] = MAINTENANCE
    inhibits: Sequence[Inhibit] = INHIBITS
    expected: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: EXPECTED)
    budgets: Sequence[Budget] = ()
    bill_days: int = 2
    anomaly_days: int = 7

    def toml(self, folder: Path, urls: Mapping[str, str], post: str) -> str:
        """The settings file."""
        seconds = int(self.interval.total_seconds())
        text = _HEAD.format(
            interval=seconds, folder=folder, low_days=LOW_DAYS, bill_days=self.bill_days,
            anomaly_days=self.anomaly_days, anomaly_usdc=ANOMALY_USDC,
        )  # fmt: skip
        for name, dialect in self.accounts.items():
            text += _table(
                "accounts", name=name, api_key="k", dialect=dialect, base_url=urls[name],
                gpu=dialect == "cloud",
            )  # fmt: skip
        for receiver in self.receivers:
            url = f"json://{post}/{receiver.name}"
            changed = {
                each.name: value
                for each in fields(receiver)
                if (value := getattr(receiver, each.name)) != each.default
            }
            text += _table("receivers", url=url, **changed)
        for budget in self.budgets:
            text += _table("budgets", **asdict(budget))
        for glob, ports in self.expected.items():
            text += _table("expect", vm=glob, ports=ports)
        for each in self.maintenance:
            schedule = f"0 {each.hour} * * *"
            text += _table(
                "maintenance", name=each.name, match=each.match, schedule=schedule,
                duration=each.duration, timezone=each.timezone,
            )  # fmt: skip
        for rule in self.inhibits:
            text += _table("inhibit", source=rule.source, target=rule.target, equal=rule.equal)
        return text


def budgets(burn: Mapping[str, float], days: float) -> Sequence[Budget]:
    """Budgets of which something is told in so many days. `burn` is what accounts cost a day, in USDC.

    One is spent meanwhile, one that both accounts share is spent soon, and one will be exceeded if a
    fleet grows.
    """
    main, shop = burn["main"], burn["shop"]
    return (
        Budget("main", int(0.9 * days * main) + 1, ("main",), forecast=False),
        Budget("shop", int(30.3 * shop), ("shop",), thresholds=(5, 40, 100)),
        Budget("web", int(0.1 * days * (main + shop)) + 1, ("main", "sh*"), ("web-*",), (20, 90, 150)),
    )  # fmt: skip


def _table(_name: str, /, **values: Any) -> str:  # noqa: ANN401 - any value of TOML
    lines = (f"{key} = {_value(value)}" for key, value in values.items())
    return "\n".join(("", f"[[{_name}]]", *lines, ""))


def _value(value: Any) -> str:  # noqa: ANN401 - any value of TOML
    match value:
        case bool():
            return str(value).lower()
        case timedelta():
            return f'"{int(value.total_seconds())}s"'
        case tuple():
            return f"[{', '.join(map(_value, value))}]"
        case int():
            return str(value)
    return f"'{value}'"

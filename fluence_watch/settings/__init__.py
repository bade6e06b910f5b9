"""All settings, typed: TOML file, environment, secret files."""

from fluence_watch.settings.budgets import BudgetSettings
from fluence_watch.settings.digests import DigestSettings
from fluence_watch.settings.heartbeat import HeartbeatSettings
from fluence_watch.settings.model import (
    AccountSettings,
    DeliverySettings,
    LogSettings,
    PollSettings,
    StoreSettings,
    WatchSettings,
)
from fluence_watch.settings.receivers import ReceiverSettings
from fluence_watch.settings.record import RecordSettings
from fluence_watch.settings.server import ServerSettings
from fluence_watch.settings.source import find_file, load_settings

__all__ = [
    "AccountSettings",
    "BudgetSettings",
    "DeliverySettings",
    "DigestSettings",
    "HeartbeatSettings",
    "LogSettings",
    "PollSettings",
    "ReceiverSettings",
    "RecordSettings",
    "ServerSettings",
    "StoreSettings",
    "WatchSettings",
    "find_file",
    "load_settings",
]

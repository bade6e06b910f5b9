"""The settings as TOML: the effective ones with secrets hidden, and the example."""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from pydantic import AnyHttpUrl, BaseModel, SecretStr
from pydantic.fields import FieldInfo

from fluence_watch.rules import RULES
from fluence_watch.settings.budgets import BudgetSettings
from fluence_watch.settings.digests import DigestSettings
from fluence_watch.settings.heartbeat import HeartbeatSettings
from fluence_watch.settings.model import (
    AccountSettings,
    ExpectSettings,
    WatchSettings,
)
from fluence_watch.settings.muting import InhibitSettings, MaintenanceSettings
from fluence_watch.settings.receivers import ReceiverSettings
from fluence_watch.settings.record import RecordSettings
from fluence_watch.settings.templates import TemplatesSettings

HIDDEN = "********"

_HEAD = """\
# fluence-watch settings. Every value but the account's key is the default.
# Read from --config, else $FLUENCE_WATCH_CONFIG, else ./config.toml, else /etc/fluence-watch/config.toml.
# Every key can be set by the environment too:
# FLUENCE_WATCH_POLL__INTERVAL=30s, or FLUENCE_WATCH_ACCOUNTS__MAIN__API_KEY=… by an entry's name.
# Durations are "90s", "15m", "4h", "2d"; amounts are USDC; times are UTC.
"""
_SAMPLES: Mapping[str, Mapping[str, object]] = {
    "server": {
        "external_url": "https://watch.example.com/fluence",
        "action_secret": "what-openssl-rand-hex-32-prints",
        "action_secret_file": "/run/secrets/link-secret",
    },
    "accounts": {"api_key": "put-the-api-key-here", "api_key_file": "/run/secrets/fluence-api-key"},
    "expect": {"vm": "web-*", "ports": ["22/tcp", "443/tcp"]},
    "budgets": {"name": "team", "monthly_usdc": 100},
    "receivers": {
        "name": "ops",
        "url": "slack://token-a/token-b/token-c/#ops",
        "url_file": "/run/secrets/slack-url",
        "alertmanager": ["http://am-1:9093", "http://am-2:9093"],
        "alertmanager_file": "/run/secrets/alertmanager-urls",
        "alertmanager_ca_file": "/etc/ssl/our-ca.pem",
        "alertmanager_labels": ["instance=eu-1"],
    },
    "digests": {"receiver": "ops"},
    "heartbeat": {
        "url": "https://hc-ping.com/ping-key/fluence-watch",
        "url_file": "/run/secrets/heartbeat-url",
    },
    "templates": {"dir": "/etc/fluence-watch/templates"},
    "record": {"dir": "/var/lib/fluence-watch/record"},
    "maintenance": {
        "name": "backups",
        "match": ['vm=~"db-.*"'],
        "schedule": "0 3 * * 0",
        "duration": "2h",
    },
    "inhibit": {
        "source": ["rule=vm_status", 'vm="proxy"'],
        "target": ["rule=port_drift"],
    },
}
_OTHER = re.compile(r".*_file$|alertmanager|external_url$|action_secret")
"""Settings that the example only shows: a twin, or what must be one's own."""
_OPTIONAL: Mapping[str, type[BaseModel]] = {
    "heartbeat": HeartbeatSettings,
    "templates": TemplatesSettings,
    "record": RecordSettings,
    "expect": ExpectSettings,
    "budgets": BudgetSettings,
    "receivers": ReceiverSettings,
    "digests": DigestSettings,
    "maintenance": MaintenanceSettings,
    "inhibit": InhibitSettings,
}


def show(settings: WatchSettings) -> str:
    """The effective settings; secrets are shown as stars."""
    blocks = []
    for name, value in settings:
        if name == "rules":
            blocks += [_table(f"[rules.{rule.name}]", getattr(value, rule.name)) for rule in RULES]
        elif isinstance(value, BaseModel):
            blocks.append(_table(f"[{name}]", value))
        else:
            blocks += [_table(f"[[{name}]]", entry) for entry in value]
    return "\n\n".join(blocks) + "\n"


def _table(header: str, model: BaseModel) -> str:
    values = model.model_dump(by_alias=True, exclude_none=True)
    return "\n".join([header, *(f"{key} = {_toml(value)}" for key, value in values.items())])


def example() -> str:
    """A settings file with every key, its meaning and its default."""
    blocks = [_HEAD.rstrip()]
    for name, info in WatchSettings.model_fields.items():
        if name == "accounts":
            blocks.append(_example_table("[[accounts]]", AccountSettings, "accounts"))
        elif name == "rules":
            blocks += [_example_table(f"[rules.{r.name}]", r.settings) for r in RULES]
        elif name in _OPTIONAL:
            header = f"[{name}]" if isinstance(info.default, BaseModel) else f"[[{name}]]"
            blocks.append(_commented(_example_table(header, _OPTIONAL[name], name)))
        else:
            blocks.append(_example_table(f"[{name}]", type(info.default), name))
    return "\n\n".join(blocks) + "\n"


def _example_table(header: str, model: type[BaseModel], sample: str = "") -> str:
    pairs = list(_pairs(model, _SAMPLES.get(sample, {})))
    width = max(len(text) for text, _ in pairs) + 2
    return "\n".join([header, *(f"{text:<{width}}# {note}" for text, note in pairs)])


def _pairs(model: type[BaseModel], samples: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, info in model.model_fields.items():
        key = info.alias or name
        value = samples[name] if name in samples else _default(model, name, info)
        text = f"{key} = {_toml(value)}"
        yield f"# {text}" if _OTHER.match(name) else text, info.description or ""


def _default(model: type[BaseModel], name: str, info: FieldInfo) -> object:
    assert not info.is_required(), f"{name} has no default and no sample"
    return model.model_construct().model_dump(warnings=False)[name]


def _commented(text: str) -> str:
    return "\n".join(f"# {line}" for line in text.splitlines())


def _toml(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | Decimal():
            return format(value, "f") if isinstance(value, Decimal) else str(value)
        case SecretStr():
            return f'"{HIDDEN}"'
        case list() | tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case _:
            text = str(value).rstrip("/") if isinstance(value, AnyHttpUrl) else str(value)
            return "".join(map(_visible, json.dumps(text, ensure_ascii=False)))


def _visible(character: str) -> str:
    """The text with invisible characters escaped, because TOML forbids some of them."""
    return character if character.isprintable() else f"\\U{ord(character):08X}"

import json
import tomllib
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from pydantic import BaseModel

from fluence_watch.rules import RULES
from fluence_watch.settings import WatchSettings
from fluence_watch.settings.document import HIDDEN, example, show

Load = Callable[..., WatchSettings]

COMMITTED = Path(__file__).parents[3] / "config.example.toml"
KEY = 'accounts = [{ api_key = "k" }]\n'
# The Configuration block of the contract: what users' files rely on.
DEFAULTS = """
[poll]
interval = "60s"
timeout = "10s"
jitter = "5s"
max_body_mb = 256
[server]
listen = "127.0.0.1:9824"
[store]
url = "sqlite:///fluence-watch.db"
[log]
level = "info"
format = "auto"
[[accounts]]
name = "main"
dialect = "v2"
base_url = "https://api.fluence.dev"
auth = "both"
epoch = "24h"
[rules.low_balance]
enabled = true
severity = "critical"
min_epochs = 1
min_usdc = 0
for = "30m"
[rules.vm_vanished]
enabled = true
severity = "critical"
confirm_polls = 2
[rules.port_drift]
enabled = true
severity = "warning"
for = "0s"
[rules.billing_due]
enabled = true
severity = "info"
lead_time = "1h"
[rules.poll_failing]
enabled = true
severity = "critical"
for = "10m"
[[expect]]
account = "*"
[[budgets]]
accounts = ["*"]
vms = ["*"]
thresholds = [50, 80, 100]
forecast = true
[[receivers]]
min_severity = "info"
rules = ["*"]
accounts = ["*"]
send_resolved = true
repeat_interval = "0s"
[[digests]]
schedule = "0 8 * * 1-5"
timezone = "UTC"
catch_up = "12h"
"""
NEEDED = {
    "accounts": {"api_key": "k"},
    "expect": {"vm": "a", "ports": []},
    "budgets": {"name": "a", "monthly_usdc": 5},
    "receivers": {"name": "a", "url": "json://h"},
    "digests": {"receiver": "a"},
}


def flat(tables: Any, path: str = "") -> Iterator[tuple[str, object]]:  # noqa: ANN401 - TOML
    """Every value with its path; lists of tables are told by the position of the entry."""
    if isinstance(tables, dict):
        for key, value in tables.items():
            yield from flat(value, f"{path}.{key}".lstrip("."))
    elif isinstance(tables, list) and tables and isinstance(tables[0], dict):
        for number, value in enumerate(tables):
            yield from flat(value, f"{path}[{number}]")
    else:
        yield path, tables


def shown(settings: WatchSettings) -> dict[str, Any]:
    return tomllib.loads(show(settings), parse_float=Decimal)


def uncommented(text: str) -> str:
    """The example with every `# key = …`, `# [table]` and `# [[table]]` of it in force."""
    lines = []
    for line in text.splitlines():
        bare = line
        while bare.startswith("# ") and (" = " in bare or bare[2:].lstrip("# ")[:1] == "["):
            bare = bare.removeprefix("# ")
        lines.append(bare)
    return "\n".join(lines)


@pytest.mark.parametrize(("key", "default"), list(flat(tomllib.loads(DEFAULTS))))
def test_the_defaults_of_the_contract(load: Load, key: str, default: object) -> None:
    """Users rely on these; a change is a breaking one."""
    text = "\n".join(
        f"[[{name}]]\n" + "\n".join(f"{k} = {json.dumps(v)}" for k, v in entry.items())
        for name, entry in NEEDED.items()
    )
    assert default == dict(flat(shown(load(text))))[key]


def test_the_example_is_the_committed_one() -> None:
    """`config.example.toml` is what `config example` prints."""
    assert COMMITTED.read_text(encoding="utf-8") == example()


def test_the_example_changes_nothing(load: Load) -> None:
    """Copied as it is, it is the defaults and an account."""
    settings = load(example())
    given_key = load('[[accounts]]\napi_key = "put-the-api-key-here"\n')

    assert given_key == settings
    assert show(given_key) == show(settings)


def test_the_example_names_every_key() -> None:
    """All that can be set stands in it, with a word on what it means."""
    lines = example().splitlines()
    named = dict(flat(tomllib.loads(uncommented(example()))))
    wanted = set()
    for name, info in WatchSettings.model_fields.items():
        if name == "rules":
            wanted |= {f"rules.{rule.name}.{k}" for rule in RULES for k in fields(rule.settings)}
        elif isinstance(info.default, BaseModel):
            wanted |= {f"{name}.{key}" for key in fields(type(info.default))}
        else:
            model = info.annotation.__args__[0]  # type: ignore[union-attr] # tuple[Model, ...]
            wanted |= {f"{name}[0].{key}" for key in fields(model)}

    assert wanted == named.keys()
    assert [] == [
        line for line in lines if " = " in line and line.count("#") == line[:4].count("#")
    ]


def fields(model: type[BaseModel]) -> Iterator[str]:
    return (info.alias or name for name, info in model.model_fields.items())


def test_what_is_shown_can_be_read_again(load: Load) -> None:
    """`config show` is a settings file; only the secrets have to be put back."""
    settings = load(
        f"{KEY}[[expect]]\nvm = 'a\"b\\c'\nports = ['22', '443/tcp']\n"
        "[rules.low_balance]\nmin_epochs = 1.5\nmin_usdc = 0.1\nfor = '90s'\n"
    )
    again = load(show(settings).replace(HIDDEN, "k"))

    assert settings == again


@given(st.text(min_size=1, max_size=20))
@how(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_shown_as_toml(vm: str) -> None:
    """Quotes, control characters and line breaks in a value cannot break what is shown."""
    settings = WatchSettings.model_validate(
        {"accounts": [{"api_key": "k"}], "expect": [{"vm": vm, "ports": []}]}
    )
    assert vm == shown(settings)["expect"][0]["vm"]


def test_passwords_of_alertmanagers_are_not_shown(load: Load) -> None:
    """Their URLs may hold some; nothing of them is in what is shown, nor in what is logged."""
    members = '["http://watch:s3cret@am-1:9093", "http://am-2:9093"]'
    settings = load(
        f'[[accounts]]\napi_key = "k"\n[[receivers]]\nname = "am"\nalertmanager = {members}\n'
    )

    assert "s3cret" not in show(settings) + repr(settings)
    assert ["********"] * 2 == shown(settings)["receivers"][0]["alertmanager"]

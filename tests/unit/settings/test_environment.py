from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import AnyHttpUrl, BaseModel, SecretStr

from fluence_watch.errors import Problem
from fluence_watch.model.finding import Severity
from fluence_watch.rules import RULES
from fluence_watch.settings import WatchSettings
from fluence_watch.settings.environment import variables

Load = Callable[..., WatchSettings]
Problems = Callable[..., tuple[Problem, ...]]

FILE = """\
accounts = [{ api_key = "k" }, { name = "second", api_key = "l" }]
expect = [{ vm = "a", ports = [] }]
budgets = [{ name = "team", monthly_usdc = 5 }]
receivers = [
    { name = "mail-1", url = "json://h", escalate_after = "1h", escalate_to = "ops" },
    { name = "ops", url = "json://h" },
    { name = "boss", url = "json://h" },
]
digests = [{ receiver = "ops" }]
maintenance = [{ name = "weekly", match = ["rule=debt"], schedule = "0 3 * * 0", duration = "2h" }]
inhibit = [{ source = ["rule=debt"], target = ["rule=budget"] }]
server = { external_url = "https://watch.test" }
"""
PLACES = {
    "accounts": "MAIN",
    "expect": "0",
    "budgets": "TEAM",
    "receivers": "MAIL_1",
    "digests": "0",
    "maintenance": "WEEKLY",
    "inhibit": "0",
}
TEXTS = {
    "action_secret": "long enough to sign what is in a message",
    "action_secret_file": "signing.txt",
    "external_url": "https://other/prefix",
    "account": "main",
    "alertmanager": "http://am-1:9093 http://user:secret@am-2:9093",
    "alertmanager_ca_file": "ca.pem",
    "alertmanager_file": "members.txt",
    "alertmanager_labels": "instance=eu-1 team=ops",
    "accounts": "main second",
    "api_key": "other",
    "api_key_file": "secret.txt",
    "active": "Mon-Fri 8:00-18:00, Sat 10:00-14:00",
    "auth": "bearer",
    "base_url": "http://127.0.0.1:9825",
    "dialect": "v2",
    "dir": "templates",
    "equal": "vm_id status",
    "escalate_to": "boss",
    "source": 'rule=debt, vm="d e"',
    "target": 'rule=debt, vm="d e"',
    "maintenance.duration": "5m",
    "format": "json",
    "level": "debug",
    "listen": "0.0.0.0:1",
    "match": "rule=debt,vm!=b",
    "name": "Other",
    "ports": "22/tcp 443/tcp",
    "rules": "low_balance port_*",
    "rules.funds_exhausted_soon.warn": "2d",
    "store.url": "sqlite:////tmp/x.db",
    "store.ledger_retention": "60d",
    "receivers.url": "json://other",
    "record.dir": "seen",
    "heartbeat.url": "https://other/secret",
    "heartbeat.url_file": "address.txt",
    "receiver": "mail-1",
    "schedule": "0 9 * * 1",
    "timezone": "Europe/Paris",
    "url_file": "secret.txt",
    "thresholds": "10 20",
    "budgets.monthly_usdc": "7",
    "vm": "web-*",
    "vms": "web-* db-*",
}


def tables() -> Iterator[tuple[str, type[BaseModel]]]:
    """Every table of the settings, by its path, with its model."""
    defaults = WatchSettings.model_construct()
    for name, value in defaults:
        if name == "rules":
            yield from ((f"rules.{rule.name}", rule.settings) for rule in RULES)
        elif isinstance(value, BaseModel):
            yield name, type(value)
        else:
            annotation = WatchSettings.model_fields[name].annotation
            yield name, annotation.__args__[0]  # type: ignore[union-attr] # tuple[Model, ...]


def keys() -> Iterator[tuple[str, str, str]]:
    """Every key of the settings: its table, itself, and a value that is not its default."""
    for table, model in tables():
        for name, info in model.model_fields.items():
            default = None if info.is_required() else info.get_default()
            yield table, info.alias or name, another(table, info.alias or name, default)


def another(table: str, key: str, default: object) -> str:
    match default:
        case bool():
            return "no" if default else "yes"
        case timedelta():
            return TEXTS.get(f"{table}.{key}", "7m")
        case Severity():
            return "info" if default is Severity.WARNING else "warning"
        case int() | Decimal():
            return str(default + 1)
        case _:
            return TEXTS.get(f"{table}.{key}") or TEXTS[key]


def found(settings: WatchSettings, table: str, key: str) -> object:
    """What the settings hold there, as text where it is not a truth."""
    value: object = settings
    for part in table.split("."):
        value = getattr(value, part)
    entry = value if isinstance(value, BaseModel) else value[0]  # type: ignore[index] # a list of tables
    held = entry.model_dump(by_alias=True)[key]
    match held:
        case bool():
            return "yes" if held else "no"
        case SecretStr():
            return held.get_secret_value()
        case list() | tuple():
            return " ".join(
                each.get_secret_value() if isinstance(each, SecretStr) else str(each)
                for each in held
            )
        case AnyHttpUrl():
            return str(held).rstrip("/")
        case _:
            return str(held)


@pytest.mark.parametrize(
    ("table", "key", "value"), [pytest.param(*k, id=".".join(k[:2])) for k in keys()]
)
def test_every_key_can_be_set(load: Load, table: str, key: str, value: str) -> None:
    """Whatever can be set in the file can be set by a variable, in lists by name or number."""
    Path("secret.txt").write_text("json://secret\n", encoding="utf-8")
    Path("members.txt").write_text("http://am-1:9093\nhttp://am-2:9093\n", encoding="utf-8")
    Path("address.txt").write_text("https://other/secret\n", encoding="utf-8")
    Path("signing.txt").write_text("1234567890" * 4, encoding="utf-8")
    place = [table.replace(".", "__"), *([PLACES[table]] if table in PLACES else []), key]
    settings = load(FILE, **{"__".join(place).upper(): value})

    assert value == found(settings, table, key)


def test_the_dialect_is_read_too(problems: Problems) -> None:
    """Its value above may be the default; that a wrong one is refused shows that it counts."""
    (problem,) = problems(FILE, ACCOUNTS__MAIN__DIALECT="v9")

    assert "accounts[0].dialect" == problem.where
    assert "environment, FLUENCE_WATCH_ACCOUNTS__MAIN__DIALECT" == problem.source


def test_what_a_variable_does_not_name_stays(load: Load) -> None:
    """A variable changes one key; the rest of its entry and of the list is the file's."""
    settings = load(FILE, ACCOUNTS__SECOND__EPOCH="1h", RECEIVERS__OPS__SEND_RESOLVED="false")

    assert [("main", "k"), ("second", "l")] == [(a.name, a.key) for a in settings.accounts]
    assert [24, 1] == [a.epoch // timedelta(hours=1) for a in settings.accounts]
    assert [True, False, True] == [receiver.send_resolved for receiver in settings.receivers]
    assert 1 == len(settings.expect)


@pytest.mark.parametrize(
    ("names", "variable", "chosen"),
    [
        (["Prod", "b"], "PROD", "Prod"),
        (["a", "prod.eu-1"], "PROD_EU_1", "prod.eu-1"),
        (["a", "prod eu"], "PRODEU", "prod eu"),
        (["web1", "web-1"], "WEB_1", "web-1"),
        (["web-1", "web1"], "WEB1", "web1"),
        (["a", "b"], "1", "b"),
    ],
)
def test_which_entry_a_variable_means(
    load: Load, names: list[str], variable: str, chosen: str
) -> None:
    """Case and punctuation, which variables cannot have, do not matter; the nearest name wins."""
    text = "\n".join(f'[[accounts]]\nname = "{name}"\napi_key = "k"' for name in names)
    settings = load(text, **{f"ACCOUNTS__{variable}__API_KEY": "changed"})

    assert names == [account.name for account in settings.accounts]
    assert [chosen] == [account.name for account in settings.accounts if account.key == "changed"]


@pytest.mark.parametrize(
    ("given", "keys_of"),
    [
        ({"API_KEY": "a"}, {"main": "a"}),
        ({"API_KEY": "a", "ACCOUNTS__MAIN__EPOCH": "1h"}, {"main": "a"}),
        ({"API_KEY": "a", "ACCOUNTS__0__NAME": "prod"}, {"prod": "a"}),
        ({"ACCOUNTS__PROD__API_KEY": "a", "ACCOUNTS__B__API_KEY": "b"}, {"prod": "a", "b": "b"}),
        ({"ACCOUNTS__0__API_KEY": "a"}, {"main": "a"}),
        ({"ACCOUNTS__1__API_KEY": "a", "ACCOUNTS__1__NAME": "b"}, {"b": "a"}),
    ],
)
def test_accounts_without_a_file(
    load: Load, given: Mapping[str, str], keys_of: Mapping[str, str]
) -> None:
    """An account can come from the environment alone."""
    assert keys_of == {account.name: account.key for account in load(**given).accounts}


def test_the_short_variables_beside_a_file(load: Load) -> None:
    """`API_KEY` is the first account's; the URLs of `NOTIFY_URLS` come after the file's receivers."""
    Path("urls").write_text("json://three\n\njson://four\n", encoding="utf-8")
    settings = load(
        FILE, API_KEY="new", NOTIFY_URLS=" json://one json://two\n", NOTIFY_URLS_FILE="urls"
    )

    assert ["new", "l"] == [account.key for account in settings.accounts]
    assert [
        ("mail-1", "json://h"),
        ("ops", "json://h"),
        ("boss", "json://h"),
        ("notify-1", "json://one"),
        ("notify-2", "json://two"),
        ("notify-3", "json://three"),
        ("notify-4", "json://four"),
    ] == [(receiver.name, receiver.apprise_url) for receiver in settings.receivers]


def test_a_receiver_and_an_expectation_of_the_environment(load: Load) -> None:
    """Entries of every list can be made; an expectation has no name, any word will do."""
    settings = load(
        FILE,
        RECEIVERS__PAGER__URL="json://pager",
        RECEIVERS__PAGER__RULES="low_balance",
        EXPECT__DB__VM="db-*",
        EXPECT__DB__PORTS="5432",
    )

    assert [("pager", ("low_balance",))] == [(r.name, r.rules) for r in settings.receivers[3:]]
    assert [("a", []), ("db-*", ["5432/tcp"])] == [
        (e.vm, list(map(str, e.ports))) for e in settings.expect
    ]


@pytest.mark.parametrize(
    ("text", "truth"), [("TRUE", True), ("1", True), ("No", False), ("0", False)]
)
def test_truths(load: Load, text: str, truth: bool) -> None:  # noqa: FBT001 - a table's column
    """Yes and no in the ways that people write them in an environment."""
    assert truth is load(FILE, RECEIVERS__OPS__SEND_RESOLVED=text).receivers[1].send_resolved


def test_variables_of_others_are_left_alone() -> None:
    """The prefix decides, in any case; what Kubernetes adds for a service of our name is not ours."""
    environ = {
        "HOME": "/",
        "FLUENCE_API_KEY": "no",
        "fluence_watch_poll__interval": "5s",
        "FLUENCE_WATCH_PORT": "tcp://10.0.0.1:9824",
        "FLUENCE_WATCH_PORT_9824_TCP": "tcp://10.0.0.1:9824",
        "FLUENCE_WATCH_PORT_9824_TCP_ADDR": "10.0.0.1",
        "FLUENCE_WATCH_PORT_9824_TCP_PORT": "9824",
        "FLUENCE_WATCH_PORT_9824_TCP_PROTO": "tcp",
        "FLUENCE_WATCH_SERVICE_HOST": "10.0.0.1",
        "FLUENCE_WATCH_SERVICE_PORT": "9824",
        "FLUENCE_WATCH_SERVICE_PORT_METRICS": "9824",
        "FLUENCE_WATCH_PORTS": "ours, and wrong",
    }

    assert {"POLL__INTERVAL": "5s", "PORTS": "ours, and wrong"} == variables(environ)

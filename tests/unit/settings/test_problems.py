from collections.abc import Callable
from pathlib import Path

import pytest

from fluence_watch.errors import ConfigError, Problem
from fluence_watch.settings import load_settings

Problems = Callable[..., tuple[Problem, ...]]

FOUR = "give url or url_file, or alertmanager or alertmanager_file: one of the four"
MEMBER = (
    "number {} is no URL of an Alertmanager: "
    "write http:// or https://, a host, and a port, such as http://am-1:9093"
)
KEY = 'accounts = [{ api_key = "k" }]\n'
UNIT = 'write "90s", "15m", "4h" or "2d"'
NAMES = (
    "write 1 to 64 letters, digits, blanks, dots, dashes or underscores; the first a letter or a "
    "digit"
)
SECTIONS = "poll, server, store, log, delivery, heartbeat, templates, record, accounts, rules, expect, budgets, receivers, digests, maintenance, inhibit"
RECEIVER = (
    "Apprise cannot use this {!r} URL: write one URL, as Apprise's page on that service shows it"
)

IN_FILE = [
    # durations
    ("[poll]\ninterval = 5", "poll.interval", f"5 has no unit: {UNIT}", 3),
    ("[poll]\ninterval = true", "poll.interval", f"True has no unit: {UNIT}", 3),
    ('[poll]\ninterval = "5 weeks"', "poll.interval", f"'5 weeks' is not a duration: {UNIT}", 3),
    ('[poll]\ninterval = "-5s"', "poll.interval", f"'-5s' is not a duration: {UNIT}", 3),
    ('[poll]\n\ninterval = "0s"', "poll.interval", "must be above zero", 4),
    ('[poll]\ntimeout = "0s"', "poll.timeout", "must be above zero", 3),
    ('[store]\nretention = "0s"', "store.retention", "must be above zero", 3),
    ('[delivery]\nstale_after = "0s"', "delivery.stale_after", "must be above zero", 3),
    # numbers
    ("[poll]\nmax_body_mb = 0", "poll.max_body_mb", "must be greater than or equal to 1", 3),
    ("[poll]\nmax_body_mb = 65537", "poll.max_body_mb", "must be less than or equal to 65536", 3),
    (
        "[rules.vm_vanished]\nconfirm_polls = 0",
        "rules.vm_vanished.confirm_polls",
        "must be greater than or equal to 1",
        3,
    ),
    (
        '[rules.low_balance]\nmin_epochs = "some"',
        "rules.low_balance.min_epochs",
        "write a number, such as 1.5",
        3,
    ),
    (
        "[rules.low_balance]\nmin_usdc = -1",
        "rules.low_balance.min_usdc",
        "-1 is not an amount of USDC, such as 0.5",
        3,
    ),
    (
        "[rules.low_balance]\nmin_usdc = 0.0000001",
        "rules.low_balance.min_usdc",
        "'0.0000001' has more than 6 decimals",
        3,
    ),
    # words
    ('[server]\nlisten = "9824"', "server.listen", None, 3),
    ('[server]\nlisten = ":9824"', "server.listen", None, 3),
    ('[server]\nlisten = "localhost:http"', "server.listen", None, 3),
    ('[server]\nlisten = "localhost:65536"', "server.listen", None, 3),
    ('[store]\nurl = "redis://h"', "store.url", 'write "sqlite:///" and the path of a file', 3),
    ('[store]\nurl = "sqlite:///"', "store.url", 'write "sqlite:///" and the path of a file', 3),
    (
        '[log]\nlevel = "loud"',
        "log.level",
        "must be 'debug', 'info', 'warning' or 'error'",
        3,
    ),
    ('[log]\nformat = "xml"', "log.format", "must be 'auto', 'console' or 'json'", 3),
    (
        '[rules.port_drift]\nseverity = "bad"',
        "rules.port_drift.severity",
        "must be 'info', 'warning' or 'critical'",
        3,
    ),
    (
        '[rules.port_drift]\nenabled = "maybe"',
        "rules.port_drift.enabled",
        "write true or false",
        3,
    ),
    # entries
    ('[[expect]]\nvm = ""\nports = []', "expect[0].vm", "is empty", 3),
    ("[[expect]]\nports = []", "expect[0].vm", "is missing", 2),
    ("[[budgets]]\nname = 'a'", "budgets[0].monthly_usdc", "is missing", 2),
    (
        "[[budgets]]\nname = 'a'\nmonthly_usdc = 0",
        "budgets[0].monthly_usdc",
        "must be above zero",
        4,
    ),
    (
        "[[budgets]]\nname = 'a'\nmonthly_usdc = 5\nthresholds = [0, 50]",
        "budgets[0].thresholds[0]",
        "0 is no percent: write whole numbers from 1 to 10000, such as [50, 80, 100]",
        5,
    ),
    (
        "[[budgets]]\nname = 'a'\nmonthly_usdc = 5\nthresholds = \"50\"",
        "budgets[0].thresholds",
        "write a list, such as [50, 80, 100]",
        5,
    ),
    (
        "[[budgets]]\nname = 'a'\nmonthly_usdc = 5\nthresholds = [50.5]",
        "budgets[0].thresholds[0]",
        "write a whole number",
        5,
    ),
    (
        '[[expect]]\nvm = "a"\nports = "22/tcp"',
        "expect[0].ports",
        'write a list, such as ["22/tcp", "443/tcp"]',
        4,
    ),
    (
        '[[expect]]\nvm = "a"\nports = ["70000/tcp"]',
        "expect[0].ports",
        '\'70000/tcp\' is not a port: write "22/tcp" or "8000-8100/tcp"',
        4,
    ),
    ('[[receivers]]\nurl = "json://h"', "receivers[0].name", "is missing", 2),
    ('[[receivers]]\nname = "a"', "receivers[0].url", FOUR, 2),
    (
        '[[receivers]]\nname = "a"\nalertmanager = ["http://am"]\nurl = "json://h"',
        "receivers[0].url",
        FOUR,
        5,
    ),
    (
        '[[receivers]]\nname = "a"\nalertmanager_file = "b"\nalertmanager = ["http://am"]',
        "receivers[0].alertmanager",
        FOUR,
        5,
    ),
    ('[[receivers]]\nname = "a"\nalertmanager = []', "receivers[0].alertmanager", "is empty", 4),
    (
        '[[receivers]]\nname = "a"\nalertmanager = "http://am"',
        "receivers[0].alertmanager",
        'write a list, such as ["http://am-1:9093"]',
        4,
    ),
    (
        '[[receivers]]\nname = "a"\nalertmanager = ["http://am", "http://user:s3cret@h?a=b"]',
        "receivers[0].alertmanager",
        MEMBER.format(2),
        4,
    ),
    (
        '[[receivers]]\nname = "a"\nalertmanager = ["http://am/", "http://user:s3cret@am"]',
        "receivers[0].alertmanager",
        "http://am is there twice",
        4,
    ),
    (
        '[[receivers]]\nname = "a"\nalertmanager_file = "none"',
        "receivers[0].alertmanager_file",
        "cannot read the secret file none: No such file or directory",
        4,
    ),
    (
        '[[receivers]]\nname = "a"\nalertmanager = ["http://am"]\nalertmanager_labels = ["a"]',
        "receivers[0].alertmanager_labels[0]",
        "'a' is no label: write its name, =, its value: \"instance=eu-1\"",
        5,
    ),
    (
        '[[receivers]]\nname = "a"\nalertmanager = ["http://am"]\nalertmanager_labels = ["rule=a"]',
        "receivers[0].alertmanager_labels[0]",
        "'rule' is a label that alerts have already: choose another name",
        5,
    ),
    (
        '[[receivers]]\nname = "a"\nurl = "json://h"\nrules = "*"',
        "receivers[0].rules",
        'write a list, such as ["*"]',
        5,
    ),
    ('[[receivers]]\nname = "a"\nurl = "ftp://h"', "receivers[0].url", RECEIVER.format("ftp"), 4),
    ('[[receivers]]\nname = "a"\nurl = "ops"', "receivers[0].url", RECEIVER.format(""), 4),
    (
        '[[receivers]]\nname = "a"\nurl = "json://h, json://i"',
        "receivers[0].url",
        RECEIVER.format("json"),
        4,
    ),
    (
        '[[receivers]]\nname = "a"\nurl = "json://h"\n[[receivers]]\nname = "a"\nurl = "json://i"',
        "receivers[1].name",
        "'a' is already the name of receivers[0]",
        6,
    ),
    (
        '[[receivers]]\nname = "a"\nurl = "json://h"\nactive = ["Mom 08:00-18:00"]',
        "receivers[0].active[0]",
        "'Mom' is no day: write Mon, Tue, Wed, Thu, Fri, Sat, Sun",
        5,
    ),
    (
        '[[receivers]]\nname = "a"\nurl = "json://h"\nactive = ["8-18"]',
        "receivers[0].active[0]",
        '\'8-18\' has no hours: write days and hours, such as "Mon-Fri 08:00-18:00", "Sat 10:00-14:00" or "22:00-06:00"',
        5,
    ),
    (
        '[[receivers]]\nname = "a"\nurl = "json://h"\ntimezone = "Europe/Pariss"',
        "receivers[0].timezone",
        "'Europe/Pariss' is no time zone; did you mean 'Europe/Paris'?",
        5,
    ),
    # matchers
    *(
        (
            f'[[inhibit]]\nsource = ["rule=low_balance"]\n{key} = "vm=x"{more}',
            f"inhibit[0].{key}",
            f"write a list, such as {such}",
            4,
        )
        for key, such, more in [
            ("target", '["rule=low_balance"]', ""),
            ("equal", '["vm_id"]', '\ntarget = ["rule=billing_due"]'),
        ]
    ),
    (
        '[[maintenance]]\nname = "a"\nduration = "1h"\nschedule = "0 3 * * 0"\nmatch = "vm=x"',
        "maintenance[0].match",
        'write a list, such as ["rule=low_balance"]',
        6,
    ),
    (
        '[[maintenance]]\nname = "a"\nduration = "1h"\nschedule = "0 3 * * 0"\nmatch = ["vms=x"]',
        "maintenance[0].match[0]",
        "there is no label 'vms': labels are rule, severity, account, vm, vm_id, vm_name, datacenter, status",
        6,
    ),
    (
        f'[[receivers]]\nname = "a"\nurl = "json://h"\nmatch = {["vm=a"] * 101}',
        "receivers[0].match",
        "there are more than 100 matchers",
        5,
    ),
    # shapes
    ("receivers = 5", "receivers", "write [[receivers]] tables", 2),
    ("receivers = [5]", "receivers[0]", "write a table of keys and values", 2),
    ("poll = 5", "poll", "write a table of keys and values", 2),
    ("poll = { interval = 5 }", "poll.interval", f"5 has no unit: {UNIT}", 2),
    ("poll.interval = 5", "poll.interval", f"5 has no unit: {UNIT}", 2),
    # unknown keys
    ("[pol]\nx = 1", "pol", "unknown key; did you mean 'poll'?", 2),
    ("quite = 1", "quite", f"unknown key; known here: {SECTIONS}", 2),
    ("_cli_parse_args = true", "_cli_parse_args", f"unknown key; known here: {SECTIONS}", 2),
    ('[poll]\nintervall = "5s"', "poll.intervall", "unknown key; did you mean 'interval'?", 3),
    (
        "[rules.low_balanc]",
        "rules.low_balanc",
        "unknown key; did you mean 'low_balance'?",
        2,
    ),
    (
        '[rules.low_balance]\nfore = "5m"',
        "rules.low_balance.fore",
        "unknown key; did you mean 'for'?",
        3,
    ),
    (
        "[[expect]]\nvm='a'\nports=[]\nport=1",
        "expect[0].port",
        "unknown key; did you mean 'ports'?",
        5,
    ),
]
LISTEN = 'write an address and a port, such as "127.0.0.1:9824" or "[::]:9824"'


@pytest.mark.parametrize(("text", "where", "what", "line"), IN_FILE)
def test_what_is_wrong_with_a_file(
    problems: Problems, text: str, where: str, what: str | None, line: int
) -> None:
    """Each mistake is told with its key as the user writes it, in words, with its line."""
    assert (Problem(where, what or LISTEN, "config.toml", line),) == problems(KEY + text)


ACCOUNTS = [
    ("", "accounts[0].api_key", "give api_key or api_key_file, one of the two", 1),
    ('api_key = "a"\napi_key_file = "b"', "accounts[0].api_key", "give api_key or api_key_file, one of the two", 2),
    ('api_key = ""', "accounts[0].api_key", "is empty", 2),
    ('api_key = "  "', "accounts[0].api_key", "is empty", 2),
    ("api_key = 5", "accounts[0].api_key", 'write text in quotes: "…"', 2),
    ('api_key = "k"\nname = "a/b"', "accounts[0].name", NAMES, 3),
    (f'api_key = "k"\nname = "{"a" * 65}"', "accounts[0].name", NAMES, 3),
    ('api_key = "k"\nname = "a\\n"', "accounts[0].name", NAMES, 3),
    ('api_key = "k"\nname = "-a"', "accounts[0].name", NAMES, 3),
    ('api_key = "k"\nauth = "x"', "accounts[0].auth", "must be 'both', 'x-api-key' or 'bearer'", 3),
    ('api_key = "k"\nepoch = "0s"', "accounts[0].epoch", "must be above zero", 3),
    ('api_key = "k"\nbase_url = "ftp://h"', "accounts[0].base_url", "URL scheme should be 'http' or 'https'", 3),
    ('api_key = "k"\nbase_url = "localhost:9825"', "accounts[0].base_url", "has no scheme: write https://…", 3),
    ('api_key = "k"\nbase_url = "api.fluence.dev"', "accounts[0].base_url", "has no scheme: write https://…", 3),
    (
        'api_key = "k"\nbase_url = "https://user:pw@h"',
        "accounts[0].base_url",
        "write it without a user name and a password: the key goes into api_key",
        3,
    ),
    (
        'api_key = "k"\n[[accounts]]\napi_key = "l"',
        "accounts[1].name",
        "'main' is already the name of accounts[0]",
        3,
    ),
    (
        'api_key = "k"\n[[accounts]]\nname = "b"\napi_key = "l"\nepok = 1',
        "accounts[1].epok",
        "unknown key; did you mean 'epoch'?",
        6,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "where", "what", "line"), ACCOUNTS)
def test_what_is_wrong_with_an_account(
    problems: Problems, text: str, where: str, what: str, line: int
) -> None:
    """An account has one key, a usable name and a usable address."""
    assert (Problem(where, what, "config.toml", line),) == problems(f"[[accounts]]\n{text}")


def test_a_dialect_that_nobody_speaks(problems: Problems) -> None:
    """The words are those that there are."""
    (problem,) = problems('[[accounts]]\napi_key = "k"\ndialect = "v9"')

    assert ("accounts[0].dialect", "config.toml", 3) == (
        problem.where,
        problem.source,
        problem.line,
    )
    assert problem.what.startswith("must be 'v2'")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("poll = [", "not valid TOML: Invalid value (at end of document)"),
        ("a = 1\na = 2", "not valid TOML: Cannot overwrite a value (at end of document)"),
        ("a = 1e999999999999999999999", None),
        ("a = 1e-200", None),
        ("a = " + "[" * 5_000 + "]" * 5_000, None),
    ],
)
def test_a_file_that_is_no_settings_at_all(problems: Problems, text: str, what: str | None) -> None:
    """What is no TOML, or would not fit the memory, is one clear problem and no crash."""
    absurd = "not usable: a number is far out of range, or tables are nested too deeply"
    assert (Problem("", what or absurd, "config.toml"),) == problems(text)


def test_no_file(tmp_path: Path) -> None:
    """A file that was named but is not there, or is not text, says so and what to do."""
    hint = "there is no such file; `fluence-watch config example` prints one to start from"
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff")

    for file, what in [
        (tmp_path / "none.toml", hint),
        (tmp_path, "cannot be read: Is a directory"),
        (binary, "cannot be read: it is not UTF-8 text"),
    ]:
        with pytest.raises(ConfigError) as caught:
            load_settings(file)
        assert (Problem("", what, str(file)),) == caught.value.problems


@pytest.mark.parametrize("text", [None, "", '[poll]\ninterval = "5s"'])
def test_no_account(problems: Problems, text: str | None) -> None:
    """Without an account there is nothing to watch."""
    what = "no account to watch: add [[accounts]] to the file, or set FLUENCE_WATCH_API_KEY"
    source = "environment" if text is None else "config.toml"
    assert (Problem("accounts", what, source),) == problems(text)


def test_everything_at_once(problems: Problems) -> None:
    """All problems are told together, those of the environment among them."""
    text = '[[accounts]]\napi_key = ""\n[poll]\ninterval = 5\n[log]\nlevel = "loud"\n'
    found = [str(problem) for problem in problems(text, RULES__LOW_BALANCE__FOR="1x", POL__X="1")]

    variable = "environment, FLUENCE_WATCH_RULES__LOW_BALANCE__FOR"
    assert {
        "config.toml:2: accounts[0].api_key: is empty",
        f"config.toml:4: poll.interval: 5 has no unit: {UNIT}",
        "config.toml:6: log.level: must be 'debug', 'info', 'warning' or 'error'",
        f"{variable}: rules.low_balance.for: '1x' is not a duration: {UNIT}",
        "environment, FLUENCE_WATCH_POL__X: pol: unknown key; did you mean 'poll'?",
    } == set(found)
    assert 5 == len(found)


def test_every_item_of_a_list_in_the_order_of_the_lines(
    problems: Problems,
) -> None:
    """Two bad items of a list are two problems, and what comes later in the file comes later."""
    text = """\
[[expect]]
vm = "web-*"
ports = ["22/tcp", "99999/tcp", "x"]

[[accounts]]
name = "a"
api_key = "k"

[[accounts]]
name = "a"
api_key = 5

[[receivers]]
name = "ops"
url = "json://localhost"
rules = ["low_*", 5, 7]
accounts = ["gone"]
"""
    found = problems(text)

    assert [3, 10, 11, 16, 16, 17] == [each.line for each in found]
    assert "'99999/tcp' is not a port" in found[0].what
    assert "'x' is not a port" in found[0].what
    assert ["receivers[0].rules[1]", "receivers[0].rules[2]"] == [each.where for each in found[3:5]]


def test_every_item_of_a_list(problems: Problems) -> None:
    """The bad ones are named all at once, those of a wrong type and those out of bounds."""
    found = problems(
        KEY + "[[budgets]]\nname = 'a'\nmonthly_usdc = 5\nthresholds = [0, 'x', 20000]"
    )
    assert [f"budgets[0].thresholds[{item}]" for item in range(3)] == [each.where for each in found]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("CEST", ": write a name such as Europe/Paris"),
        ("EDT", ": write a name such as Europe/Paris"),
        ("paris", "; did you mean 'Europe/Paris'?"),
        ("Pariss", "; did you mean 'Europe/Paris'?"),
        ("Europe/Pariss", "; did you mean 'Europe/Paris'?"),
        ("new york", "; did you mean 'America/New_York'?"),
    ],
)
def test_time_zones(problems: Problems, name: str, hint: str) -> None:
    """A hint is a zone of a city, never an abbreviation that has no summer."""
    text = f"[[receivers]]\nname = 'a'\nurl = 'json://h'\n[[digests]]\nreceiver = 'a'\ntimezone = '{name}'"
    (found,) = problems(KEY + text)
    assert f"{name!r} is no time zone{hint}" == found.what


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("[[maintenance]]\n", ["name", "match", "schedule", "duration"]),
        ("[[maintenance]]\nname = 'a'\nmatch = ['rule=x', 'y']\nschedule = '@'\n", ["match[1]", "schedule", "duration"]),
        ("[[inhibit]]\nsource = []\nequal = ['colour']\n", ["source", "target", "equal[0]"]),
    ],
)  # fmt: skip
def test_what_keeps_messages_back(problems: Problems, text: str, keys: list[str]) -> None:
    """Each wrong value is named, and the rest is checked."""
    account = "[[accounts]]\napi_key = 'k'\n"
    found = [each.where.partition(".")[2] for each in problems(account + text)]
    assert sorted(keys) == sorted(found)

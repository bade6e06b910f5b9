from collections.abc import Callable, Mapping

import pytest

from fluence_watch.errors import Problem

Problems = Callable[..., tuple[Problem, ...]]

KEY = 'accounts = [{ api_key = "k" }]\n'
RECEIVER = (
    "Apprise cannot use this {!r} URL: write one URL, as Apprise's page on that service shows it"
)
BAD = """'1x' is not a duration: write "90s", "15m", "4h" or "2d\""""
ONE = "give {0} or {0}_file, one of the two"
AM = (
    "number 1 is no URL of an Alertmanager: "
    "write http:// or https://, a host, and a port, such as http://am-1:9093"
)
FOUR = "give url or url_file, or alertmanager or alertmanager_file: one of the four"
BOTH = (
    '[[accounts]]\nname = "a"\napi_key = "k"\n[[accounts]]\nname = "b"\napi_key = "l"\nepoch = "1x"'
)
IN_ENVIRONMENT: list[tuple[str | None, Mapping[str, str], str, str, str]] = [
    (KEY, {"POLL__INTERVAL": "1x"}, "poll.interval", BAD, "POLL__INTERVAL"),
    (KEY, {"POLL": "5"}, "poll", "write a table of keys and values", "POLL"),
    (KEY, {"POLL": "5", "POLL__TIMEOUT": "5s"}, "poll", "write a table of keys and values", "POLL"),
    (KEY, {"POL__INTERVAL": "5s"}, "pol", "unknown key; did you mean 'poll'?", "POL__INTERVAL"),
    (KEY, {"POLL__INTERVALL": "5s"}, "poll.intervall", "unknown key; did you mean 'interval'?", "POLL__INTERVALL"),
    (KEY, {"ACCOUNTS__MAIN__EPOCH": "1x"}, "accounts[0].epoch", BAD, "ACCOUNTS__MAIN__EPOCH"),
    (KEY, {"ACCOUNTS__0__EPOCH": "1x"}, "accounts[0].epoch", BAD, "ACCOUNTS__0__EPOCH"),
    (KEY, {"ACCOUNTS__MAIN": "x"}, "accounts[1]", "write a table of keys and values", "ACCOUNTS__MAIN"),
    (KEY, {"API_KEY": ""}, "accounts[0].api_key", "is empty", "API_KEY"),
    (KEY, {"ACCOUNTS__MAIN__API_KEY": ""}, "accounts[0].api_key", "is empty", "ACCOUNTS__MAIN__API_KEY"),
    (KEY, {"ACCOUNTS__B__EPOCH": "1h"}, "accounts[1].api_key", ONE.format("api_key"), "ACCOUNTS__B__EPOCH"),
    (KEY, {"RECEIVERS__OPS__RULES": "*"}, "receivers[0].url", FOUR, "RECEIVERS__OPS__RULES"),
    (KEY, {"RECEIVERS__OPS__ALERTMANAGER": "am-1:9093"}, "receivers[0].alertmanager", AM, "RECEIVERS__OPS__ALERTMANAGER"),
    (KEY, {"RECEIVERS__0__URL": "json://h"}, "receivers[0].name", "is missing", "RECEIVERS__0__URL"),
    (KEY, {"RECEIVERS__OPS__URL": "ftp://h"}, "receivers[0].url", RECEIVER.format("ftp"), "RECEIVERS__OPS__URL"),
    (KEY, {"EXPECT__0__VM": "a"}, "expect[0].ports", "is missing", "EXPECT__0__VM"),
    (KEY, {"NOTIFY_URLS": "json://h ftp://h"}, "receivers[1].url", RECEIVER.format("ftp"), "NOTIFY_URLS"),
    (KEY, {"NOTIFY_URL": "json://h"}, "notify_url", "unknown; did you mean FLUENCE_WATCH_NOTIFY_URLS?", "NOTIFY_URL"),
    (KEY, {"NOTIFY_URLS_FILE": "none"}, "receivers", "cannot read none: No such file or directory", "NOTIFY_URLS_FILE"),
    (None, {"API_KEY": "a", "API_KEY_FILE": "b"}, "accounts[0].api_key", ONE.format("api_key"), "API_KEY"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "variables", "where", "what", "blamed"), IN_ENVIRONMENT)
def test_what_is_wrong_with_the_environment(
    problems: Problems,
    text: str | None,
    variables: Mapping[str, str],
    where: str,
    what: str,
    blamed: str,
) -> None:
    """A mistake in a variable names the variable, whatever is in the file."""
    source = f"environment, FLUENCE_WATCH_{blamed}"
    assert (Problem(where, what, source),) == problems(text, **variables)


@pytest.mark.parametrize(
    ("text", "variables", "where", "what", "line"),
    [
        (BOTH, {"API_KEY": "z"}, "accounts[1].epoch", BAD, 7),
        ('[[accounts]]\napi_key = ""', {"ACCOUNTS__MAIN__EPOCH": "1h"}, "accounts[0].api_key", "is empty", 2),
        ("accounts = 5", {"API_KEY": "z"}, "accounts", "write [[accounts]] tables", 1),
        ("accounts = [5]", {"API_KEY": "z"}, "accounts[0]", "write a table of keys and values", 1),
        (f"{KEY}receivers = 5", {"NOTIFY_URLS": "json://h"}, "receivers", "write [[receivers]] tables", 2),
        (
            f'{KEY}[[receivers]]\nname = "a"\nurl = "ftp://h"',
            {"NOTIFY_URLS": "json://h"},
            "receivers[0].url",
            RECEIVER.format("ftp"),
            4,
        ),
    ],
)  # fmt: skip
def test_the_environment_is_not_blamed_for_the_file(
    problems: Problems, text: str, variables: Mapping[str, str], where: str, what: str, line: int
) -> None:
    """A mistake in the file stays the file's, also beside a variable for the same list."""
    assert (Problem(where, what, "config.toml", line),) == problems(text, **variables)

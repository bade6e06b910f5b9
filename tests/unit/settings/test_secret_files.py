from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from fluence_watch.errors import ConfigError, Problem
from fluence_watch.settings import WatchSettings
from fluence_watch.settings.document import show
from fluence_watch.settings.secrets import read_secret

Load = Callable[..., WatchSettings]
Problems = Callable[..., tuple[Problem, ...]]

ACCOUNT = '[[accounts]]\napi_key_file = "key"\n'
MARKER = "S3cr3tM4rk3r"


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        ("abc", "abc"),
        ("abc\n", "abc"),
        ("abc\r\n", "abc"),
        ("abc\n\n", "abc"),
        (" a b \n", " a b "),
    ],
)
def test_a_secret_from_a_file(load: Load, content: str, secret: str) -> None:
    """The trailing newline that every editor leaves is cut, and nothing else."""
    Path("key").write_bytes(content.encode())
    assert secret == read_secret(Path("key")).get_secret_value()
    Path("key").write_bytes(content.strip(" \n").replace(" ", "").encode() + b"\n")
    assert secret.replace(" ", "") == load(ACCOUNT).accounts[0].key
    assert secret.replace(" ", "") == load(API_KEY_FILE="key").accounts[0].key


def test_a_receiver_from_a_file(load: Load) -> None:
    """The address of a receiver may be in a file too."""
    Path("url").write_text("json://token@host\n", encoding="utf-8")
    text = 'accounts = [{ api_key = "k" }]\n[[receivers]]\nname = "ops"\nurl_file = "url"\n'

    assert "json://token@host" == load(text).receivers[0].apprise_url


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "cannot read the secret file key: No such file or directory"),
        (b"", "the secret file key is empty"),
        (b"\n", "the secret file key is empty"),
        (b"  \n", "is empty"),
        (b"\xff\xfe", "cannot read the secret file key: not UTF-8 text"),
    ],
)
def test_a_secret_file_that_is_no_use(problems: Problems, content: bytes | None, what: str) -> None:
    """A missing or empty file is found when the settings are read, by its path."""
    if content is not None:
        Path("key").write_bytes(content)

    assert (Problem("accounts[0].api_key_file", what, "config.toml", 2),) == problems(ACCOUNT)


def test_a_variable_takes_the_place_of_the_twin(load: Load) -> None:
    """What the environment gives counts, also where the file keeps the secret the other way."""
    Path("key").write_text("from-file\n", encoding="utf-8")

    assert "given" == load(ACCOUNT, ACCOUNTS__MAIN__API_KEY="given").accounts[0].key
    settings = load('[[accounts]]\napi_key = "given"\n', ACCOUNTS__MAIN__API_KEY_FILE="key")
    assert "from-file" == settings.accounts[0].key


def test_urls_in_a_file_that_is_no_text(problems: Problems) -> None:
    """`NOTIFY_URLS_FILE` fails as clearly as the others."""
    Path("urls").write_bytes(b"\xff")
    source = "environment, FLUENCE_WATCH_NOTIFY_URLS_FILE"

    assert (Problem("receivers", "cannot read urls: not UTF-8 text", source),) == problems(
        API_KEY="k", NOTIFY_URLS_FILE="urls"
    )


def test_secrets_are_hidden(load: Load) -> None:
    """Neither `config show` nor a repr nor a dump tells a secret; they say that there is one."""
    Path("url").write_text(f"json://{MARKER}@host\n", encoding="utf-8")
    text = (
        f'[[accounts]]\napi_key = "{MARKER}"\n'
        f'[[receivers]]\nname = "a"\nurl = "json://{MARKER}@host/{MARKER}"\n'
        '[[receivers]]\nname = "b"\nurl_file = "url"\n'
    )
    settings = load(text, NOTIFY_URLS=f"json://{MARKER}@host")
    shown = show(settings)

    for told in (shown, repr(settings), str(settings), str(settings.model_dump())):
        assert MARKER not in told
    assert 'api_key = "********"' in shown
    assert 'url = "********"' in shown
    assert 'url_file = "url"' in shown


SECRETS = st.sampled_from(
    [
        MARKER,
        f"{MARKER} {MARKER}",
        f"json://{MARKER}@h",
        f"nonsense://{MARKER}",
        f"slack://{MARKER}",
        f"mailto://user:{MARKER}@h, json://{MARKER}",
        f"tgram://{MARKER}/{MARKER}/",
    ]
)
LINES = {
    "api_key": "accounts",
    "api_kye": "accounts",
    "url": "receivers",
    "urll": "receivers",
}


@given(
    st.dictionaries(st.sampled_from(sorted(LINES)), SECRETS, min_size=1),
    st.booleans(),
    st.sampled_from(["", 'epoch = "x"\n', "[[["]),
)
@how(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_problem_tells_a_secret(
    load: Load,
    secrets: dict[str, str],
    in_environment: bool,  # noqa: FBT001 - drawn
    more: str,
) -> None:
    """Whatever is wrong beside a secret or with it, no text that tells of it shows the secret."""
    variables = {}
    text = '[[accounts]]\nname = "a"\n'
    for section in ("accounts", "receivers"):
        text += f'[[{section}]]\nname = "b"\n'
        for key in [key for key in secrets if LINES[key] == section]:
            text += f'{key} = "{secrets[key]}"\n'
            if in_environment:
                variables[f"{section}__B__{key}".upper()] = secrets[key]
    if in_environment:
        variables |= {"NOTIFY_URLS": " ".join(secrets.values()), "API_KEY": f"{MARKER}\n"}
    with pytest.raises(ConfigError) as caught:
        load(text + more, **variables)

    assert MARKER not in str(caught.value)
    assert MARKER not in repr(caught.value.problems)
    assert caught.value.__cause__ is None

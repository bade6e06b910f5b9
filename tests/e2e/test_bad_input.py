"""What a user gets wrong: one clear line that names the key and the file, and exit code 2."""

# ruff: noqa: ANN401 - the parts' classes are in conftest.py, which is not imported

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ACCOUNT = '[[accounts]]\napi_key = "t0p-secret-key"\n'
FILE = "settings.toml"


def refusal(ran: Any) -> str:
    """The words of a refusal, which holds neither a traceback nor a secret."""
    assert 2 == ran.returncode
    assert "" == ran.stdout
    assert "Traceback" not in ran.stderr
    assert "t0p" not in ran.stderr
    lines: list[str] = ran.stderr.splitlines()
    assert all(line.startswith("fluence-watch: ") for line in lines)
    return "\n".join(line.removeprefix("fluence-watch: ") for line in lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", f"{FILE}: accounts: no account to watch: add [[accounts]] to the file"),
        ('[[accounts]]\nname = "main"\n', f"{FILE}:1: accounts[0].api_key: give api_key or api_key_file"),
        ('[[accounts]]\napi_key = "t0p\\nsecret"\n', f"{FILE}:2: accounts[0].api_key: the API key "),
        ('[[accounts]]\napi_key_file = "nowhere"\n',
         f"{FILE}:2: accounts[0].api_key_file: cannot read the secret file nowhere: No such file"),
        (ACCOUNT + '[poll]\ninterval = "soon"\n', f"{FILE}:4: poll.interval: 'soon' is not a duration"),
        (ACCOUNT + '[poll]\nintervall = "5s"\n', f"{FILE}:4: poll.intervall: unknown key; did you mean 'interval'?"),
        (ACCOUNT + "[rules.low_balance]\nmin_epoch = 2\n",
         f"{FILE}:4: rules.low_balance.min_epoch: unknown key; did you mean 'min_epochs'?"),
        (ACCOUNT + '[[receivers]]\nname = "ops"\nurl = "slack://t0p-secret"\n',
         f"{FILE}:5: receivers[0].url: Apprise cannot use this 'slack' URL"),
        ("[[accounts]]\napi_key = t0p-secret\n", f"{FILE}: not valid TOML: Invalid value (at line 2"),
        (ACCOUNT + '[store]\nurl = "postgresql://ada:t0p@db/watch"\n', f"{FILE}:4: store.url: "),
        (ACCOUNT + '[store]\nurl = "sqlite:////nowhere/at/all.db"\n', "the store /nowhere/at/all.db: there is no folder"),
    ],
)  # fmt: skip
def test_one_mistake(cli: Callable[..., Any], tmp_path: Path, text: str, said: str) -> None:
    """The daemon does not start, and says why in one line."""
    (tmp_path / FILE).write_text(text, encoding="utf-8")

    words = refusal(cli("run", "--config", FILE))

    assert words.startswith(said)
    assert 1 == len(words.splitlines())


def test_all_mistakes_at_once(cli: Callable[..., Any], tmp_path: Path) -> None:
    """Nobody has to mend one to hear of the next; `config check` says the same."""
    (tmp_path / FILE).write_text(
        """\
[poll]
interval = "soon"
timeouts = "5s"
[rules.vm_vanished]
confirm_polls = 0
[[accounts]]
name = "main"
[[receivers]]
name = "ops"
url = "bad://t0p-secret"
""",
        encoding="utf-8",
    )
    said = refusal(cli("run", "--config", FILE))

    assert ["2", "3", "5", "6", "10"] == sorted(
        (line.split(":")[1] for line in said.splitlines()), key=int
    )
    assert said == refusal(cli("config", "check", "--config", FILE))


def test_file_that_is_not_there(cli: Callable[..., Any]) -> None:
    """A `--config` that leads nowhere is not taken for no settings at all."""
    said = refusal(cli("run", "--config", "nowhere.toml", FLUENCE_WATCH_API_KEY="t0p-secret-key"))

    assert said.startswith("nowhere.toml: there is no such file; `fluence-watch config example`")


def test_busy_port(cli: Callable[..., Any], receiver: Any, tmp_path: Path) -> None:
    """Somebody else listens there."""
    busy = f"127.0.0.1:{receiver.port}"
    text = f'{ACCOUNT}[server]\nlisten = "{busy}"\n[log]\nlevel = "warning"\n'
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    said = refusal(cli("run", "--config", FILE))

    assert said.startswith(f"Could not bind to {busy}: Address already in use. Choose another ")
    assert "server.listen" in said

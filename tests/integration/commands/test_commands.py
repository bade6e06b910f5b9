from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fluence_watch import __version__

# ruff: noqa: ANN401 - the fakes' classes are in conftest.py, which is not imported

Run = Callable[..., Any]
KEY = "S3cr3tK3y"


def test_the_version(run: Run) -> None:
    """`--version` prints it and nothing else."""
    ran = run("--version")
    assert (0, f"{__version__}\n") == (ran.code, ran.out)


@pytest.mark.parametrize(
    "args",
    [
        ["nonsense"],
        ["run", "--nonsense"],
        ["check", "--format", "xml"],
        ["vm", "ls", "--sort", "xml"],
    ],
)
def test_what_is_no_command(run: Run, args: list[str]) -> None:
    """Wrong usage ends with 2 and says what is wrong."""
    ran = run(*args)
    assert 2 == ran.code
    assert args[-1] in ran.err
    assert "Value error" not in ran.err


def test_settings_that_are_fine(run: Run) -> None:
    """`config check` says where they come from and what is in them."""
    ran = run("config", "check", API_KEY=KEY)
    assert (0, "environment: valid: accounts: 1, receivers: 0") == (
        ran.code,
        ran.out.splitlines()[0],
    )
    assert (
        "note: environment: receivers: there are no [[receivers]], and FLUENCE_WATCH_NOTIFY_URLS is not set: nobody is notified"
        in ran.out
    )

    Path("config.toml").write_text('[poll]\ninterval = "30s"\n', encoding="utf-8")
    ran = run("config", "check", API_KEY=KEY, NOTIFY_URLS="json://localhost")
    assert (0, "config.toml: valid: accounts: 1, receivers: 1\n") == (ran.code, ran.out)


@pytest.mark.parametrize(
    "command", [["config", "check"], ["config", "show"], ["run"], ["check"], ["forecast"]]
)
def test_settings_that_are_not(run: Run, command: list[str]) -> None:
    """Every command that needs them tells all that is wrong, one line each, and ends with 2."""
    Path("other.toml").write_text('[poll]\ninterval = 5\n[log]\nlevel = "loud"\n', encoding="utf-8")
    ran = run(*command, "--config", "other.toml", API_KEY=KEY)

    assert (2, "") == (ran.code, ran.out)
    lines = ran.err.splitlines()
    if command == ["config", "check"]:
        note = "other.toml: receivers: there are no [[receivers]], and FLUENCE_WATCH_NOTIFY_URLS is not set: nobody is notified"
        assert f"fluence-watch: note: {note}" == lines.pop(0)
    assert [
        'fluence-watch: other.toml:2: poll.interval: 5 has no unit: write "90s", "15m", "4h" or "2d"',
        "fluence-watch: other.toml:4: log.level: must be 'debug', 'info', 'warning' or 'error'",
    ] == lines


def test_doubtful_settings(run: Run) -> None:
    """`config check` notes them, with their place, and ends with 0."""
    Path("config.toml").write_text('[poll]\ntimeout = "2m"\n', encoding="utf-8")
    ran = run("config", "check", API_KEY=KEY, NOTIFY_URLS="json://localhost")

    note = (
        "config.toml:2: poll.timeout: poll.timeout (2m) is longer than poll.interval (60s): "
        "a slow poll delays the next"
    )
    assert (0, f"note: {note}") == (ran.code, ran.out.splitlines()[1])


def test_a_key_that_no_header_can_carry(run: Run) -> None:
    """`config check` finds what `run` would stumble over."""
    ran = run("config", "check", API_KEY="two words")
    assert 2 == ran.code
    assert (
        "fluence-watch: environment, FLUENCE_WATCH_API_KEY: accounts[0].api_key: the API key"
        in ran.err
    )
    assert "two words" not in ran.err


def test_settings_are_shown_without_secrets(run: Run) -> None:
    """`config show` may be pasted into an issue."""
    ran = run("config", "show", API_KEY=KEY, NOTIFY_URLS=f"json://{KEY}@localhost")
    assert 0 == ran.code
    assert '[poll]\ninterval = "60s"\n' in ran.out
    assert KEY not in ran.out + ran.err


def test_the_example_is_printed(run: Run) -> None:
    """`config example > config.toml` is a start."""
    ran = run("config", "example")
    committed = Path(__file__).parents[3] / "config.example.toml"
    assert (0, committed.read_text(encoding="utf-8")) == (ran.code, ran.out)


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (["--dialect", "v9"], "'v9' is not one of 'v2', 'v3', 'cloud', 'all'."),
        (["--faults", "nope"], "'nope' is not one of 'none', 'flaky', 'slow', 'chaos', 'hostile'."),
        (["--epoch", "5x"], "'5x' is not a duration"),
        (["--epoch", "0s"], "it must be above zero"),
        (["--vms", "-1"], "--vms"),
        (["--vms", "many"], "--vms"),
        (["--seed", "x"], "--seed"),
        (["--listen", "9825"], 'write an address and a port, such as "127.0.0.1:8080"'),
        (["--listen", "127.0.0.1:http"], "write an address and a port"),
        (["--listen", "127.0.0.1:65536"], "write an address and a port"),
    ],
)
def test_options_of_the_simulator(run: Run, args: list[str], what: str) -> None:
    """A value that cannot be used ends it before it begins, with the reason."""
    ran = run("simulate", *args)
    plain = " ".join(ran.err.replace("│", " ").split())

    assert 2 == ran.code
    assert what in plain


def test_the_simulator_on_a_busy_port(run: Run, api: Any) -> None:
    """An address that cannot be had is one clear line."""
    busy = api.url.removeprefix("http://")
    ran = run("simulate", "--listen", busy)

    assert 2 == ran.code
    assert f"fluence-watch: Could not bind to {busy}: Address already in use" in ran.err


def test_the_daemon_on_a_busy_port(run: Run, api: Any) -> None:
    """So it is for the daemon, which says which setting to change."""
    busy = api.url.removeprefix("http://")
    ran = run("run", API_KEY=KEY, SERVER__LISTEN=busy)

    assert 2 == ran.code
    assert f"Could not bind to {busy}: Address already in use" in ran.err
    assert "server.listen" in ran.err

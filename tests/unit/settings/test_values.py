from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from fluence_watch.errors import ConfigError
from fluence_watch.rules.low_balance import LowBalanceSettings
from fluence_watch.settings import ServerSettings, WatchSettings, find_file, load_settings

Load = Callable[..., WatchSettings]

KEY = 'accounts = [{ api_key = "k" }]\n'


@pytest.mark.parametrize(
    ("text", "micro"),
    [("0.1", 100_000), ("0.000001", 1), ("3", 3_000_000), ('"0.3"', 300_000), ("1e-2", 10_000)],
)
def test_amounts_are_exact(load: Load, text: str, micro: int) -> None:
    """A TOML float is the decimal number that was written, never a binary one beside it."""
    rule = load(f"{KEY}[rules.low_balance]\nmin_usdc = {text}\n").by_rule["low_balance"]

    assert isinstance(rule, LowBalanceSettings)
    assert micro == rule.min_usdc


def test_epochs_are_exact(load: Load) -> None:
    """So is a number of epochs."""
    rule = load(f"{KEY}[rules.low_balance]\nmin_epochs = 1.1\n").by_rule["low_balance"]

    assert isinstance(rule, LowBalanceSettings)
    assert Decimal("1.1") == rule.min_epochs


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("4h", 14_400),
        ("2d", 172_800),
        ("500ms", 0.5),
        (" 1.5 h ", 5_400),
    ],
)
def test_durations(load: Load, text: str, seconds: float) -> None:
    """Durations are a number and a unit."""
    assert timedelta(seconds=seconds) == load(f'{KEY}[store]\nretention = "{text}"').store.retention


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [
        ("127.0.0.1:9824", "127.0.0.1", 9824),
        ("0.0.0.0:0", "0.0.0.0", 0),
        ("[::]:9824", "::", 9824),
        ("[::1]:65535", "::1", 65_535),
        ("watch.internal:80", "watch.internal", 80),
    ],
)
def test_listen_addresses(listen: str, host: str, port: int) -> None:
    """An address and a port; an IPv6 address is in brackets."""
    server = ServerSettings(listen=listen)
    assert (host, port) == (server.host, server.port)


def test_the_url_of_an_account_ends_without_a_slash(load: Load) -> None:
    """Paths are put behind it."""
    text = '[[accounts]]\napi_key = "k"\nbase_url = "https://h/api/"\n'
    assert "https://h/api" == load(text).accounts[0].url


def test_ports_are_sorted_and_single(load: Load) -> None:
    """The same ports are the same expectation, however they are written."""
    ports = '["443", "22/TCP", "22/tcp", "8000-8100/udp"]'
    expected = load(f'{KEY}[[expect]]\nvm = "a"\nports = {ports}\n').expectations[0].ports

    assert ["22/tcp", "443/tcp", "8000-8100/udp"] == list(map(str, expected))


def test_where_the_file_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`--config`, else the variable, else the first usual place that there is, else none."""
    usual = (tmp_path / "config.toml", tmp_path / "etc.toml")
    monkeypatch.setattr("fluence_watch.settings.source.PLACES", usual)
    given, named = Path("given.toml"), Path("named.toml")

    assert find_file() is None
    usual[1].touch()
    assert usual[1] == find_file()
    usual[0].touch()
    assert usual[0] == find_file()
    monkeypatch.setenv("FLUENCE_WATCH_CONFIG", str(named))
    assert named == find_file()
    assert given == find_file(given)
    monkeypatch.setenv("FLUENCE_WATCH_CONFIG", "")
    assert usual[0] == find_file()


def test_the_usual_places() -> None:
    """The working folder, and the system's."""
    from fluence_watch.settings.source import PLACES  # noqa: PLC0415 - the constant is what is tested

    assert (Path("config.toml"), Path("/etc/fluence-watch/config.toml")) == PLACES


def test_a_place_that_may_not_be_searched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What might be in there is not passed over: the file is named with the reason."""
    closed = tmp_path / "closed" / "config.toml"

    def refuse(self: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("fluence_watch.settings.source.PLACES", (closed,))
    monkeypatch.setattr(Path, "stat", refuse)  # root may look everywhere
    monkeypatch.setattr(Path, "read_text", refuse)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    monkeypatch.setattr(Path, "open", refuse)

    with pytest.raises(ConfigError, match="Permission denied"):
        load_settings(find_file())

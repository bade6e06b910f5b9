"""The settings of the heartbeat."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fluence_watch.errors import Problem
from fluence_watch.settings import WatchSettings
from fluence_watch.settings.document import show

Load = Callable[..., WatchSettings]
Problems = Callable[..., tuple[Problem, ...]]

KEY = 'accounts = [{ api_key = "k" }]\n'
SECRET = "S3cr3tM4rk3r"
ADDRESS = f"https://hc-ping.com/{SECRET}"
WRONG = "is not an address: write http(s)://HOST/PATH, as the service shows it"


def test_it_is_off_by_default(load: Load) -> None:
    """Nobody is called."""
    assert not load(KEY).heartbeat.enabled


def test_the_address_is_a_secret(load: Load) -> None:
    """It may be in a file or in the environment, and is never shown."""
    Path("url").write_text(f"{ADDRESS}\n", encoding="utf-8")
    for settings in (
        load(f'{KEY}[heartbeat]\nurl = "{ADDRESS}"'),
        load(f'{KEY}[heartbeat]\nurl_file = "url"'),
        load(KEY, HEARTBEAT__URL=ADDRESS),
        load(f'{KEY}[heartbeat]\nurl = "https://other"', HEARTBEAT__URL_FILE="url"),
    ):
        assert ADDRESS == settings.heartbeat.address
        assert SECRET not in show(settings) + repr(settings)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (f'url = "{SECRET}"', WRONG),
        (f'url = "ftp://host/{SECRET}"', WRONG),
        (f'url = "https:///{SECRET}"', WRONG),
        (f'url = "https://host/{SECRET} x"', WRONG),
        (f'url = "https://host:x/{SECRET}"', WRONG),
        (f'url = "https://host/{SECRET}#x"', WRONG),
        ('url = ""', "is empty"),
        (f'url = "{ADDRESS}"\nurl_file = "x"', "give url or url_file, one of the two"),
        ('url_file = "x"', "cannot read the secret file x: No such file or directory"),
    ],
)
def test_an_address_that_is_no_use(problems: Problems, line: str, what: str) -> None:
    """Found when the settings are read, by its line, and never shown."""
    (problem,) = problems(f"{KEY}[heartbeat]\n{line}")
    assert (what, 3) == (problem.what, problem.line)
    assert SECRET not in str(problem)


def test_it_travels_encrypted(load: Load) -> None:
    """Over the open network; a service of one's own may be near."""
    noted = load(f'{KEY}[heartbeat]\nurl = "http://hc-ping.com/{SECRET}"').notes
    assert "http sends the address, a secret, unencrypted: write https" in {n.what for n in noted}
    near = load(f'{KEY}[heartbeat]\nurl = "http://127.0.0.1:8000/{SECRET}"').notes
    assert not any("unencrypted" in note.what for note in near)

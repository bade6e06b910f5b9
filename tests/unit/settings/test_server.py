"""The settings of links."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fluence_watch.errors import Problem
from fluence_watch.settings import WatchSettings
from fluence_watch.settings.document import show

Load = Callable[..., WatchSettings]
Problems = Callable[..., tuple[Problem, ...]]

KEY = 'accounts = [{ api_key = "k" }]\n'
URL = 'external_url = "https://watch.example.com/fw/"\n'
SECRET = "S3cr3tM4rk3r" * 3


def test_they_are_off_by_default(load: Load) -> None:
    """Messages have no links."""
    server = load(KEY).server
    assert ("", "", False) == (server.base, server.secret, server.has_actions)


def test_the_secret_is_never_shown(load: Load) -> None:
    """It may be in a file or in the environment."""
    Path("secret").write_text(f"{SECRET}\n", encoding="utf-8")
    for settings in (
        load(f'{KEY}[server]\n{URL}action_secret = "{SECRET}"'),
        load(f'{KEY}[server]\n{URL}action_secret_file = "secret"'),
        load(f"{KEY}[server]\n{URL}", SERVER__ACTION_SECRET=SECRET),
        load(f'{KEY}[server]\n{URL}action_secret = "x"', SERVER__ACTION_SECRET_FILE="secret"),
    ):
        assert SECRET == settings.server.secret
        assert "https://watch.example.com/fw" == settings.server.base
        assert SECRET not in show(settings) + repr(settings)


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        (f'action_secret = "{SECRET}"\naction_secret_file = "x"', "give action_secret or"),
        (f'action_secret = "{SECRET[:31]}"', "is shorter than 32 characters"),
        (f'action_secret = "{SECRET[:20]}{" " * 40}"', "is shorter than 32 characters"),
        ('action_secret_file = "none"', "cannot read the secret file none"),
    ],
)
def test_a_secret_that_cannot_be_used(problems: Problems, lines: str, what: str) -> None:
    """The error names the key, and shows nothing of the secret."""
    (problem,) = problems(f"{KEY}[server]\n{URL}{lines}")
    assert problem.where.startswith("server.action_secret")
    assert what in problem.what
    assert SECRET[:8] not in str(problem)


@pytest.mark.parametrize(
    "url",
    ["watch.example.com", "ftp://watch", "https://ann@watch", "https://ann:pw@watch", "https://watch/?a=b",
     "https://watch/#a", "https://watch/a b", "https://watch/<b>", "https://watch/(a)", "https://watch/@all",
     "https://"],
)  # fmt: skip
def test_an_address_that_is_refused(problems: Problems, url: str) -> None:
    """It is in every message: without a user, a query, and characters that mean something there."""
    (problem,) = problems(f'{KEY}[server]\nexternal_url = "{url}"')
    assert "server.external_url" == problem.where

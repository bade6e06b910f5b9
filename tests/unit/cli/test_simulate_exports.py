from datetime import timedelta

import pytest

from fluence_watch.cli.service.simulate import KEY, exports
from fluence_watch.settings import load_settings


@pytest.mark.parametrize(
    ("dialect", "spoken", "epoch"),
    [("v2", "v2", 5), ("v3", "v3", 5), ("all", "v2", 5), ("cloud", "cloud", 24 * 60)],
)
def test_what_it_prints_points_commands_at_it(
    monkeypatch: pytest.MonkeyPatch, dialect: str, spoken: str, epoch: int
) -> None:
    """With these variables alone the settings are those of the simulated account."""
    for line in exports("http://127.0.0.1:9825", dialect, timedelta(minutes=5)).splitlines():
        name, _, value = line.removeprefix("  export ").partition("=")
        monkeypatch.setenv(name, value)
    settings = load_settings()
    (account,) = settings.accounts

    assert (KEY, "http://127.0.0.1:9825") == (account.key, account.url)
    assert (spoken, timedelta(minutes=epoch)) == (account.dialect, account.epoch)
    assert not [note for note in settings.notes if note.where.startswith("accounts")]

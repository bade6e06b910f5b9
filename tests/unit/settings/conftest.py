"""Settings read as the program reads them: from a file, and an environment that holds nothing else."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fluence_watch.errors import ConfigError, Problem
from fluence_watch.settings import WatchSettings, load_settings

Load = Callable[..., WatchSettings]


def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("FLUENCE_WATCH_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clean(monkeypatch)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load the text as `config.toml`, if there is one, with these variables (without prefix)."""

    def _load(text: str | None = None, **variables: str) -> WatchSettings:
        clean(monkeypatch)
        for name, value in variables.items():
            monkeypatch.setenv(f"FLUENCE_WATCH_{name}", value)
        file = None if text is None else Path("config.toml")
        if text is not None:
            Path("config.toml").write_text(text, encoding="utf-8")
        return load_settings(file)

    return _load


@pytest.fixture
def problems(load: Load) -> Callable[..., tuple[Problem, ...]]:
    """All that is wrong with the settings that `load` would load."""

    def _problems(text: str | None = None, **variables: str) -> tuple[Problem, ...]:
        with pytest.raises(ConfigError) as caught:
            load(text, **variables)
        return caught.value.problems

    return _problems

"""Reads the settings and reports every problem at once."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from fluence_watch.errors import ConfigError, Problem
from fluence_watch.settings.checks import doubts
from fluence_watch.settings.checks.doubt import nearest
from fluence_watch.settings.environment import OWN, PREFIX, Loc, Overlay, Tables, variables
from fluence_watch.settings.lines import lines_of
from fluence_watch.settings.model import WatchSettings
from fluence_watch.settings.places import Places, overlap
from fluence_watch.settings.toml_file import parse_toml, read_tables, read_text
from fluence_watch.settings.wording import errors_of, in_doubt, words_of

PLACES = (Path("config.toml"), Path("/etc/fluence-watch/config.toml"))

_HOW_TO_BEGIN = "; `fluence-watch config example` prints one to start from"
_FILL: Mapping[str, Tables] = {
    "accounts": {},
    "expect": {"vm": "*", "ports": []},
    "budgets": {"name": "unnamed", "monthly_usdc": 1},
    "receivers": {"name": "unnamed"},
    "digests": {"receiver": "unnamed"},
    "maintenance": {
        "name": "unnamed",
        "match": ['rule!=""'],
        "schedule": "0 0 1 1 *",
        "duration": "1m",
    },
    "inhibit": {"source": ['rule!=""'], "target": ['rule!=""']},
}


def find_file(given: Path | None = None) -> Path | None:
    """The settings file: `given`, else `FLUENCE_WATCH_CONFIG`, else the first existing default."""
    if given is not None:
        return given
    if named := os.environ.get(f"{PREFIX}CONFIG"):
        return Path(named)
    return next((place for place in PLACES if _may_be_there(place)), None)


def _may_be_there(place: Path) -> bool:
    """Whether a file is there, or is where we may not look: reading it then says so."""
    try:
        return place.exists()
    except PermissionError:
        return True


def load_settings(file: Path | None = None) -> WatchSettings:
    """Read the settings from the file, if any, and the environment.

    Doubtful but usable settings are in their `notes`.

    Raises:
        ConfigError: the settings cannot be used. It lists every problem with its key, file and
            line.
    """
    text = read_text(file, _HOW_TO_BEGIN) if file else ""
    given = variables(os.environ)
    try:
        overlay = Overlay(given, parse_toml(text, str(file)))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        what = f"cannot read {given['NOTIFY_URLS_FILE']}: {why}"
        variable = f"{PREFIX}NOTIFY_URLS_FILE"
        raise ConfigError([Problem("receivers", what, f"environment, {variable}")]) from None
    return _Reading(overlay, Places(file, lines_of(text), overlay.origins)).settings()


def rehearsal_settings(file: Path | None) -> WatchSettings:
    """The settings in a file, or the defaults, for a rehearsal: without the environment and secrets.

    Raises:
        ConfigError: the settings cannot be used.
    """
    if file is None:
        return settings_to_rehearse({}, PLACES[0], "")
    text, tables = read_tables(file)
    return settings_to_rehearse(tables, file, text)


def settings_to_rehearse(tables: Tables, file: Path, text: str) -> WatchSettings:
    """The same for tables that were read from a file.

    Raises:
        ConfigError: the settings cannot be used.
    """
    if not tables.get("accounts"):
        tables = tables | {"accounts": [{}]}
    places = Places(file, lines_of(text), {})
    return _Reading(Overlay({}, tables), places, secrets=False).settings()


@dataclass(frozen=True, slots=True)
class _Reading:
    """The tables before validation, with the place of each key."""

    overlay: Overlay
    places: Places
    secrets: bool = True

    def settings(self) -> WatchSettings:
        """Validate each value alone, then check the valid ones together."""
        settings, errors = _validated(self.overlay.tables)
        problems = [self._error(each) for each in errors]
        wrong = [loc for error in errors for loc in in_doubt(error, WatchSettings)]
        notes: list[Problem] = []
        for doubt in doubts(settings, secrets=self.secrets):
            if not any(overlap(a, b) for a in doubt.where for b in wrong):
                found = self.places.problem(self._likeliest(doubt.where), doubt.what)
                (problems if doubt.fatal else notes).append(found)
        if problems:
            raise ConfigError(sorted(problems, key=_place), sorted(notes, key=_place))
        return settings.placed_by(self.places).with_notes(sorted(notes, key=_place))

    def _error(self, error: ErrorDetails) -> Problem:
        unknown = error["type"] == "extra_forbidden"
        return self.places.problem(error["loc"], self._words(error), unknown=unknown)

    def _words(self, error: ErrorDetails) -> str:
        loc: Loc = error["loc"]
        if error["type"] == "extra_forbidden" and len(loc) == 1 and loc in self.overlay.origins:
            close = nearest(str(loc[0]).upper(), sorted(OWN), 0.8)
            if close:
                return f"unknown; did you mean {PREFIX}{close[0]}?"
        return words_of(error, WatchSettings)

    def _likeliest(self, where: Sequence[Loc]) -> Loc:
        """The first of the keys that the user has set."""
        return next((loc for loc in where if _is_set(self.overlay.tables, loc)), where[0])


def _place(problem: Problem) -> tuple[bool, int]:
    """Where a problem is: by line in the file, then in the environment."""
    return problem.line is None, problem.line or 0


def _validated(tables: Tables) -> tuple[WatchSettings, Sequence[ErrorDetails]]:
    """The settings, with defaults for invalid values, and the problems of those values."""
    try:
        return WatchSettings.model_validate(tables), ()
    except ValidationError as error:
        errors = errors_of(error)
    for each in errors:
        _mend(tables, each["loc"])
    return WatchSettings.model_validate(tables), errors


def _mend(tables: Tables, loc: Loc) -> None:
    """Replace invalid values by valid ones, so that the rest can be checked."""
    node: Any = tables
    key = loc[0]
    for part in loc[1:]:
        below = node.get(key) if isinstance(node, dict) else node[int(key)]
        if below is None:
            return  # an earlier problem has dropped it
        if not isinstance(below, dict) and not (node is tables and isinstance(below, list)):
            break  # an item of a list: the whole list is dropped
        node, key = below, part
    fill = _FILL.get(str(loc[0]), {})
    if isinstance(node, list):
        node[int(key)] = dict(fill)
        return
    node.pop(key, None)
    if node is not tables and key in fill:
        node[key] = fill[str(key)]


def _is_set(tables: Tables, loc: Loc) -> bool:
    node: Any = tables
    for part in loc:
        within = isinstance(node, list) and isinstance(part, int) and part < len(node)
        if not within and not (isinstance(node, dict) and part in node):
            return False
        node = node[part]
    return True

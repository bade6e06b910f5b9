"""Reading the settings, and saying all that is wrong with them at once."""

import difflib
import os
import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from fluence_watch.errors import ConfigError, Problem
from fluence_watch.settings.environment import PREFIX, variables
from fluence_watch.settings.lines import dotted, line_of
from fluence_watch.settings.model import WatchSettings

PLACES = (Path("config.toml"), Path("/etc/fluence-watch/config.toml"))

_SECTIONS = frozenset(WatchSettings.model_fields)

Loc = tuple[int | str, ...]


def find_file(given: Path | None = None) -> Path | None:
    """The settings file: `given`, else `FLUENCE_WATCH_CONFIG`, else the first usual place."""
    if given is not None:
        return given
    if named := os.environ.get(f"{PREFIX}CONFIG"):
        return Path(named)
    return next((place for place in PLACES if place.exists()), None)


def load_settings(file: Path | None = None) -> WatchSettings:
    """Read the settings from the file, if there is one, and the environment.

    Raises:
        ConfigError: they cannot be used; it lists every problem, with its key, file and line.
    """
    text = _read(file) if file else ""
    tables = _parse(text, str(file))
    given = variables(os.environ)
    try:
        return WatchSettings(**tables)
    except ValidationError as error:
        problems = [_problem(each, file, text, given) for each in error.errors()]
        raise ConfigError(problems) from None
    except OSError as error:
        where = f"{PREFIX}NOTIFY_URLS_FILE"
        what = f"cannot read {error.filename}: {error.strerror}"
        raise ConfigError([Problem(where, what, "environment")]) from None


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        what = "there is no such file; `fluence-watch config example` prints one to start from"
    except (OSError, UnicodeDecodeError) as error:
        what = f"cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}"
    raise ConfigError([Problem("", what, str(file))])


def _parse(text: str, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([Problem("", f"not valid TOML: {error}", source)]) from None


def _problem(
    error: ErrorDetails, file: Path | None, text: str, given: Mapping[str, str]
) -> Problem:
    loc: Loc = error["loc"]
    if variable := _variable_for(loc, given):
        return Problem(dotted(loc), _words(error), f"environment, {PREFIX}{variable}")
    line = line_of(text, loc) if file else None
    return Problem(dotted(loc), _words(error), str(file or "environment"), line)


def _variable_for(loc: Loc, given: Mapping[str, str]) -> str | None:
    name = "__".join(str(part) for part in loc).upper()
    for variable in given:
        if variable == name or (variable.startswith(f"{name}__") and loc[-1] not in _SECTIONS):
            return variable
    if loc[:1] == ("accounts",):
        return next((key for key in ("API_KEY", "API_KEY_FILE") if key in given), None)
    return "NOTIFY_URLS" if loc[:1] == ("receivers",) and "NOTIFY_URLS" in given else None


def _words(error: ErrorDetails) -> str:
    loc: Loc = error["loc"]
    if error["type"] == "extra_forbidden":
        return "unknown key" + _nearest(str(loc[-1]), _known_keys(loc[:-1]))
    if error["type"] == "missing":
        return "is missing"
    return error["msg"].removeprefix("Value error, ")


def _nearest(key: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known here: {', '.join(known)}"


def _known_keys(loc: Loc) -> list[str]:
    model: type[BaseModel] = WatchSettings
    for part in loc:
        if isinstance(part, str) and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation)
    return [info.alias or name for name, info in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel]:  # noqa: ANN401 - annotations have no common type
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return _model_in(get_args(annotation)[0])

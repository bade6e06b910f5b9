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
from fluence_watch.settings.environment import PREFIX, TWINS, Loc, Overlay, variables
from fluence_watch.settings.lines import dotted, line_of
from fluence_watch.settings.model import WatchSettings

PLACES = (Path("config.toml"), Path("/etc/fluence-watch/config.toml"))

_WORDS = {
    "missing": "is missing",
    "model_type": "write a table of keys and values",
    "string_too_short": "is empty",
}
_DIGITS = 100

Origins = Mapping[Loc, str]


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
        origins = Overlay(given, tables).origins
        problems = [_problem(each, file, text, origins) for each in error.errors()]
        raise ConfigError(problems) from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        what = f"cannot read {given['NOTIFY_URLS_FILE']}: {why}"
        variable = f"{PREFIX}NOTIFY_URLS_FILE"
        raise ConfigError([Problem("receivers", what, f"environment, {variable}")]) from None


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
        tables = tomllib.loads(text, parse_float=_number)
    except tomllib.TOMLDecodeError as error:
        what = f"not valid TOML: {error}"
    except (ArithmeticError, RecursionError):
        what = "not usable: a number is out of all range, or tables are nested too deep"
    else:
        # pydantic-settings would take these as orders to itself
        problems = [
            Problem(key, "unknown key", source, line_of(text, (key,)))
            for key in tables
            if key.startswith("_")
        ]
        if not problems:
            return tables
        raise ConfigError(problems)
    raise ConfigError([Problem("", what, source)])


def _number(text: str) -> Decimal:
    number = Decimal(text)
    if number.is_finite() and abs(number.adjusted()) > _DIGITS:
        raise OverflowError  # written out it would fill the memory
    return number


def _problem(error: ErrorDetails, file: Path | None, text: str, origins: Origins) -> Problem:
    loc: Loc = error["loc"]
    if variable := _inside(loc, origins, error["type"]) or _around(loc, origins):
        return Problem(dotted(loc), _words(error), f"environment, {PREFIX}{variable}")
    line = line_of(text, loc) if file else None
    return Problem(dotted(loc), _words(error), str(file or "environment"), line)


def _inside(loc: Loc, origins: Origins, kind: str) -> str | None:
    """The variable that is to blame for a whole table: any, if nobody knows such a table.

    Else one that gives a secret: what is wrong with a whole entry is that it has none or two.
    """
    below = ((at, variable) for at, variable in origins.items() if at[: len(loc)] == loc)
    unknown, entry = kind == "extra_forbidden", isinstance(loc[-1], int)
    found = (variable for at, variable in below if unknown or (entry and at[-1] in TWINS))
    return next(found, None)


def _around(loc: Loc, origins: Origins) -> str | None:
    """The variable that gave this value, or made what it is part of."""
    found = (origins.get(loc[:length]) for length in range(len(loc), 0, -1))
    return next((variable for variable in found if variable), None)


def _words(error: ErrorDetails) -> str:
    loc: Loc = error["loc"]
    if error["type"] == "extra_forbidden":
        return "unknown key" + _nearest(str(loc[-1]), _known_keys(loc[:-1]))
    if error["type"] == "tuple_type":
        return f"write [[{loc[0]}]] tables" if len(loc) == 1 else 'write a list, such as ["*"]'
    if words := _WORDS.get(error["type"]):
        return words
    return error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")


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

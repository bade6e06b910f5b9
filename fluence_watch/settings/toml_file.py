"""Reads TOML files; what is wrong with one is a `ConfigError` that names it."""

import tomllib
from decimal import Decimal
from pathlib import Path

from fluence_watch.errors import ConfigError, Problem
from fluence_watch.settings.environment import Tables

_DIGITS = 100


def read_tables(file: Path) -> tuple[str, Tables]:
    """The text of a TOML file, and the tables in it.

    Raises:
        ConfigError: it cannot be read.
    """
    text = read_text(file)
    return text, parse_toml(text, str(file))


def read_text(file: Path, hint: str = "") -> str:
    """The text of a file; the `hint` is for where there is none.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        what = f"there is no such file{hint}"
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        what = "cannot be read: it is not UTF-8 text"
    except ValueError:  # a null in the path
        what = "cannot be read: no file can have this name"
    raise ConfigError([Problem("", what, str(file))])


def parse_toml(text: str, source: str) -> Tables:
    """The tables in a text; `source` names it in errors.

    Raises:
        ConfigError: it is not TOML, or not usable.
    """
    try:
        tables = tomllib.loads(text, parse_float=_number)
    except tomllib.TOMLDecodeError as error:
        what = f"not valid TOML: {error}"
    except (ArithmeticError, RecursionError):
        what = "not usable: a number is far out of range, or tables are nested too deeply"
    else:
        return tables
    raise ConfigError([Problem("", what, source)])


def _number(text: str) -> Decimal:
    number = Decimal(text)
    if number.is_finite() and abs(number.adjusted()) > _DIGITS:
        raise OverflowError  # printing it would fill the memory
    return number

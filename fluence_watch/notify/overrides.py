"""Templates of users: files with the names of shipped ones, which they replace, one by one."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from fluence_watch.errors import ConfigError, Problem

_SHIPPED = Path(__file__).with_name("templates")
_LARGEST = 256 * 2**10
_SETTING = "templates.dir"

TOO_SLOW = "it takes too long"
TOO_BIG = "it needs too much memory"
"""Why a template fails that takes more time or memory than a message may."""


class Override(NamedTuple):
    """A template of a user, as it was read."""

    path: str
    text: str


Overrides = Mapping[str, Override]
"""The templates of a user, by the name of the shipped one."""


def read_overrides(folder: Path) -> dict[str, Override]:
    """Read all templates of the folder. Hidden files, folders and backups (`x~`) are left out.

    Raises:
        ConfigError: a file has the name of no template, or cannot be read. It lists them all.
    """
    found, problems = readable_overrides(folder)
    if problems:
        raise ConfigError(problems)
    return found


def readable_overrides(folder: Path) -> tuple[dict[str, Override], list[Problem]]:
    """The templates of the folder that can be used, and what is wrong with its other files.

    Raises:
        ConfigError: the folder cannot be read.
    """
    found, problems = dict[str, Override](), list[Problem]()
    for path in _files(folder):
        try:
            found[path.name] = Override(str(path), _read(path))
        except ValueError as error:
            problems.append(Problem(_SETTING, str(error), str(path)))
    return found, problems


def shipped_names() -> list[str]:
    """The names of the shipped templates."""
    return sorted(path.name for path in _SHIPPED.glob("*.jinja"))


def _files(folder: Path) -> Iterator[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        what = f"cannot read the folder {folder}: {error.strerror}"
        raise ConfigError([Problem(_SETTING, what)]) from None
    yield from (
        path
        for path in paths
        if not path.name.startswith(".") and not path.name.endswith("~") and not path.is_dir()
    )


def _read(path: Path) -> str:
    if path.name not in shipped_names():
        raise ValueError(_unknown(path.name, shipped_names()))
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ValueError("is not a file")
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            raise ValueError(f"is larger than {_LARGEST // 2**10} KiB")
        return text.decode("utf-8-sig")
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None


def _unknown(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1, cutoff=0.4)
    hint = f"did you mean {close[0]!r}?" if close else "docs/templates.md lists them"
    return f"there is no template of this name to replace; {hint}"

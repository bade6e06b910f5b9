"""Globs on names, as the shell has them, upper and lower case apart."""

from collections.abc import Iterable
from fnmatch import fnmatchcase


def matches_any(globs: Iterable[str], name: str) -> bool:
    """Whether one of the globs matches the name."""
    return any(fnmatchcase(name, glob) for glob in globs)

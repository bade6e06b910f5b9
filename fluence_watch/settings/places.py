"""Where each key of the settings comes from: a line of the file, or a variable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fluence_watch.errors import Problem
from fluence_watch.settings.environment import PREFIX, Loc
from fluence_watch.settings.lines import dotted, line_in, undotted

Origins = Mapping[Loc, str]
"""The variable that set a key."""


@dataclass(frozen=True, slots=True)
class Places:
    """The file, the lines of its keys, and the variables that set other ones. Without values.

    All are equal: the same settings from another place are the same settings.
    """

    file: Path | None = field(compare=False)
    lines: Mapping[str, int] = field(compare=False)
    origins: Origins = field(compare=False)

    def problem(self, loc: Loc, what: str, *, unknown: bool = False) -> Problem:
        """A problem of a key, with its place; `unknown` is whether there is no such setting."""
        inside = _inside(loc, self.origins) if unknown else None
        if variable := inside or _around(loc, self.origins):
            return Problem(dotted(loc), what, f"environment, {PREFIX}{variable}")
        line = line_in(self.lines, loc) if self.file else None
        return Problem(dotted(loc), what, str(self.file or "environment"), line)

    def placed(self, problem: Problem) -> Problem:
        """The problem with the place of its key, unless it has a place of its own."""
        return problem if problem.source else self.problem(undotted(problem.where), problem.what)


def overlap(one: Loc, other: Loc) -> bool:
    """Whether one path equals or contains the other."""
    return all(a == b for a, b in zip(one, other, strict=False))


def _inside(loc: Loc, origins: Origins) -> str | None:
    """A variable that sets a key of this table."""
    return next((variable for at, variable in origins.items() if at[: len(loc)] == loc), None)


def _around(loc: Loc, origins: Origins) -> str | None:
    """The variable that set this value or the table around it."""
    found = (origins.get(loc[:length]) for length in range(len(loc), 0, -1))
    return next((variable for variable in found if variable), None)

"""Reads tests in spite of what is wrong with some values, so that the rest can be checked too."""

import copy
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from fluence_watch.app.rehearsal.cases.table import CaseFile
from fluence_watch.settings.environment import Loc, Tables
from fluence_watch.settings.wording import errors_of, in_doubt

_FILL: Tables = {
    "name": "unnamed",
    "at": "0s",
    "for": "1s",
    "match": ['rule!=""'],
    "receiver": "unnamed",
    "rule": "unnamed",
}
_ROUNDS = 5
"""A value that is dropped may be missing then, and what is put there too little for its table."""


def read_cases(tables: Tables) -> tuple[CaseFile | None, Sequence[ErrorDetails]]:
    """The tests without their invalid values, `None` if nothing can be said of them, and what is wrong."""
    tables, first = copy.deepcopy(tables), None
    for _ in range(_ROUNDS):
        try:
            return CaseFile.model_validate(tables), first or ()
        except ValidationError as error:
            errors = errors_of(error)
        first = first or errors
        for each in errors:
            _mend(tables, each)
    return None, first or ()


def _mend(tables: Tables, error: ErrorDetails) -> None:
    """Drop the value, or put something where it is missing. Of a list whose item is no table, drop all."""
    node: Any = tables
    owner, key = tables, ""
    for part in error["loc"]:
        if isinstance(node, dict):
            owner, key = node, str(part)
            node = node.get(key)
        elif isinstance(node, list) and isinstance(node[int(part)], dict):
            node = node[int(part)]
        else:
            break
    owner.pop(key, None)
    if error["type"] == "missing" and key in _FILL:
        owner[key] = _FILL[key]


def all_in_doubt(error: ErrorDetails) -> list[Loc]:
    """What the error leaves unknown; of an unknown key that is like no other, the whole table."""
    found = in_doubt(error, CaseFile)
    is_strange = error["type"] == "extra_forbidden" and len(found) == 1
    return [*found, error["loc"][:-1]] if is_strange else found


def knows_things(number: int, doubtful: Sequence[Loc]) -> bool:
    """Whether the names of all VMs and rented things of a test are known."""
    inside = [loc[2:] for loc in doubtful if loc[:2] == ("tests", number)]
    return not any(_hides_names(loc) for loc in inside)


def _hides_names(loc: Loc) -> bool:
    return not loc or (loc[0] in {"vms", "rented"} and (len(loc) < 3 or loc[-1] == "name"))  # noqa: PLR2004 - list, place, key

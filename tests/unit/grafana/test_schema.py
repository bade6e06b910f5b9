"""The dashboards fit the schema that they name, as the library types it for that Grafana."""

import json
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.source.rendering import DASHBOARDS

FOLDER = Path(__file__).parents[3] / "grafana" / "dashboards"
SCHEMA = 41

Hint = Any
Found = Iterator[str]


def read(name: str) -> dict[str, Any]:
    """The dashboard as it is committed."""
    board: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return board


def parsed(board: dict[str, Any]) -> Dashboard:
    """The dashboard in the classes of the library."""
    register_default_plugins()
    return Dashboard.from_json(board)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_it_fits_its_schema(name: str) -> None:
    """The schema knows every key, and every value has the type that it names there."""
    board = read(name)
    model = parsed(board)

    assert SCHEMA == board["schemaVersion"]
    assert kept(board, json.loads(JSONEncoder().encode(model)))
    assert [] == list(misfits(model, Dashboard, "dashboard"))


def kept(value: object, back: object) -> bool:
    """Whether nothing was lost on the way through the classes, which add their defaults."""
    match value, back:
        case dict(), dict():
            return all(key in back and kept(each, back[key]) for key, each in value.items())
        case list(), list():
            pairs = zip(value, back, strict=False)
            return len(value) == len(back) and all(kept(one, other) for one, other in pairs)
        case _:
            return value == back


def test_what_the_schema_does_not_know_is_found() -> None:
    """It is lost on that way."""
    board = read("fleet")
    board["panels"][1]["options"]["colour"] = "red"

    assert not kept(board, json.loads(JSONEncoder().encode(parsed(board))))


def misfits(value: object, hint: Hint, where: str) -> Found:
    """Where a value is not what the type hints of the schema's classes say."""
    kind = get_origin(hint) or hint
    if isinstance(value, dict) and hasattr(kind, "from_json"):
        value = kind.from_json(value)  # the library leaves some of them as they are
    if kind in {Union, UnionType}:
        yield from min((list(misfits(value, each, where)) for each in get_args(hint)), key=_likely)
    elif not fits(value, kind, get_args(hint)):
        yield f"{where}: {value!r} is not {hint}"
    else:
        for inside, each, place in parts(value, hint):
            yield from misfits(inside, each, where + place)


def _likely(found: list[str]) -> tuple[int, int]:
    """None first; of several possible types, then the one in which the fault lies deepest."""
    depths = [each.partition(": ")[0].count(".") for each in found]
    return -max(depths, default=99), len(found)


def fits(value: object, kind: Hint, choices: tuple[object, ...]) -> bool:
    """Whether a value, its parts aside, is of that kind."""
    if kind is Literal:
        return value in choices
    if issubclass(kind, Enum):
        return value in [each.value for each in kind]
    if kind in {int, float} and isinstance(value, bool):
        return False
    return isinstance(value, (int, float) if kind is float else kind)


def parts(value: object, hint: Hint) -> Iterator[tuple[object, Hint, str]]:
    """The parts of a list, a mapping, or an object of the library, each with its own hint."""
    match value, get_args(hint):
        case list(), (each,):
            yield from ((inside, each, f"[{place}]") for place, inside in enumerate(value))
        case dict(), (_, each):
            yield from ((inside, each, f".{key}") for key, inside in value.items())
        case _ if type(value).__module__.startswith("grafana_foundation_sdk.models"):
            if not isinstance(value, Enum):
                hints = get_type_hints(type(value))
                yield from ((inside, hints[key], f".{key}") for key, inside in vars(value).items())


@pytest.mark.parametrize(
    "wrong",
    [
        {"refresh": 5},
        {"graphTooltip": 9},
        {"panels": [{"type": "stat", "title": 3}]},
        {"panels": [{"type": "stat", "title": "a", "fieldConfig": {"defaults": {"unit": 1}}}]},
        {"panels": [{"type": "stat", "title": "a", "options": {"graphMode": "wild"}}]},
    ],
    ids=str,
)
def test_what_does_not_fit_is_found(wrong: dict[str, Any]) -> None:
    """The check above can fail."""
    assert list(misfits(parsed(read("fleet") | wrong), Dashboard, "dashboard"))

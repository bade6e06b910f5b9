"""Whatever a file says, its settings are usable, or what is wrong with them is told with its place."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st
from pydantic import BaseModel

from fluence_watch.errors import ConfigError, Problem
from fluence_watch.rules import RULES
from fluence_watch.settings.model import WatchSettings
from fluence_watch.settings.source import settings_to_rehearse

FILE = Path("config.toml")
WORDS = (
    "", " ", "*", "web-*", "main", "UTC", "critical", "true", "5", "-1", "1h", "0s", "9999999d",
    "0 3 * * 0", "0 3 30 2 *", "22/tcp", "Mon-Fri 08:00-18:00", "https://h", "http://[", "json://h",
    "rule=low_balance", "rule!=low_balance", 'vm=~"("', "vm=~web", "low_balance", "\x00", "ä" * 300,
)  # fmt: skip
SCALARS = st.one_of(
    st.sampled_from(WORDS),
    st.text(max_size=5),
    st.booleans(),
    st.integers(),
    st.sampled_from([Decimal(text) for text in ("0.5", "-1e9", "1e99", "nan", "-inf")]),
    st.sampled_from([datetime(2026, 1, 5, tzinfo=UTC), date(2026, 1, 5), time(12)]),
)
VALUES = st.recursive(
    SCALARS,
    lambda some: (
        st.lists(some, max_size=3)
        | st.dictionaries(st.sampled_from(["vm", "name", "match", "x"]), some, max_size=2)
    ),
    max_leaves=4,
)


def _tables() -> Iterator[tuple[str, type[BaseModel]]]:
    """Every table, by its path, with its model."""
    yield from ((f"rules.{rule.name}", rule.settings) for rule in RULES)
    for name, field in WatchSettings.model_fields.items():
        if name != "rules":
            model, *_ = get_args(field.annotation) or [field.annotation]
            yield name, model


def _entered(path: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """The table at its place, which may be in a list."""
    above, _, name = path.rpartition(".")
    default = WatchSettings.model_fields[above or name].default
    entry: Any = [table] if isinstance(default, tuple) else table
    return {above: {name: entry}} if above else {name: entry}


def _check(tables: dict[str, Any]) -> None:
    """Nothing but an error of the settings is raised; its problems have places and words."""
    assert all(each.where and each.what and each.source for each in _problems(tables))


def _problems(tables: dict[str, Any]) -> Sequence[Problem]:
    try:
        return settings_to_rehearse(tables, FILE, "").notes
    except ConfigError as error:
        return error.problems


@pytest.mark.parametrize(("path", "model"), [*_tables()])
def test_any_value_of_any_key(path: str, model: type[BaseModel]) -> None:
    """Each key of each table takes each kind of value, or says what is wrong with it."""
    keys = st.sampled_from([field.alias or name for name, field in model.model_fields.items()])

    @given(st.dictionaries(keys | st.just("unknown"), VALUES))
    @how(deadline=None, max_examples=20)
    def check(table: dict[str, Any]) -> None:
        _check(_entered(path, table))

    check()


@given(st.dictionaries(st.sampled_from(sorted(WatchSettings.model_fields)), VALUES))
@how(deadline=None)
def test_any_value_of_any_table(tables: dict[str, Any]) -> None:
    """What is no table where one belongs is told too."""
    _check(tables)

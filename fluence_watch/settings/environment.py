"""Settings from environment variables.

`FLUENCE_WATCH_POLL__INTERVAL=30s` is `interval` of `[poll]`. In a list of tables an entry goes by its
name or number: `FLUENCE_WATCH_ACCOUNTS__MAIN__API_KEY`. `FLUENCE_WATCH_API_KEY` and
`FLUENCE_WATCH_NOTIFY_URLS` are enough where there is no file.
"""

import copy
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

PREFIX = "FLUENCE_WATCH_"
OWN = frozenset({"CONFIG", "API_KEY", "API_KEY_FILE", "NOTIFY_URLS", "NOTIFY_URLS_FILE"})
_NAMED_LISTS = frozenset({"accounts", "receivers"})
_LISTS = frozenset({"rules", "accounts", "ports"})
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

Tables = dict[str, Any]


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that are ours, without the prefix."""
    found = {k.upper(): v for k, v in environ.items()}
    return {k.removeprefix(PREFIX): v for k, v in found.items() if k.startswith(PREFIX)}


class Environment(PydanticBaseSettingsSource):
    """The environment's settings, laid over the file's tables where they name list entries."""

    def __init__(self, settings_cls: type[BaseSettings], tables: Tables) -> None:
        super().__init__(settings_cls)
        self._tables = tables

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - the interface of pydantic-settings, which calls it for single fields only
        """Nothing by field: the whole is built at once."""
        return None, field_name, False

    def __call__(self) -> Tables:
        """The tables that the environment gives or changes."""
        return environment_tables(variables(os.environ), self._tables)


def environment_tables(given: Mapping[str, str], file: Tables) -> Tables:
    """The tables that variables (without prefix) make, over those of the file."""
    tables: Tables = {}
    for name in _NAMED_LISTS:
        if isinstance(file.get(name), list):
            tables[name] = copy.deepcopy(file[name])
    _shorthands(given, tables)
    for variable in sorted(given.keys() - OWN):
        _put(tables, variable.lower().split("__"), given[variable])
    untouched = {name for name in _NAMED_LISTS if tables.get(name) == file.get(name)}
    return {name: table for name, table in tables.items() if name not in untouched}


def _shorthands(given: Mapping[str, str], tables: Tables) -> None:
    for variable in ("API_KEY", "API_KEY_FILE"):
        if variable in given:
            accounts = tables.setdefault("accounts", [])
            if not accounts:
                accounts.append({"name": "main"})
            accounts[0].pop("api_key", None)
            accounts[0].pop("api_key_file", None)
            accounts[0][variable.lower()] = given[variable]
    urls = given.get("NOTIFY_URLS", "").split() + _urls_in(given.get("NOTIFY_URLS_FILE"))
    for number, url in enumerate(urls, 1):
        tables.setdefault("receivers", []).append({"name": f"notify-{number}", "url": url})


def _urls_in(path: str | None) -> list[str]:
    if not path:
        return []
    return Path(path).read_text(encoding="utf-8").split()


def _put(tables: Tables, path: list[str], value: str) -> None:
    node: Any = tables
    for depth, part in enumerate(path[:-1]):
        if depth == 0 and part in _NAMED_LISTS:
            node = node.setdefault(part, [])
        elif isinstance(node, list):
            node = _entry(node, part)
        else:
            node = node.setdefault(part, {})
        if not isinstance(node, dict | list):
            return
    if isinstance(node, dict):
        node[path[-1]] = _value(path[-1], value)


def _entry(entries: list[Any], part: str) -> Any:  # noqa: ANN401 - whatever the file holds there
    if part.isdigit() and int(part) < len(entries):
        return entries[int(part)]
    for entry in entries:
        if isinstance(entry, dict) and _plain(str(entry.get("name", "main"))) == _plain(part):
            return entry
    entries.append({"name": part})
    return entries[-1]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _value(key: str, text: str) -> Any:  # noqa: ANN401 - a scalar or a list of them
    if key in _LISTS:
        return text.split()
    return _TRUTH.get(text.lower(), text) if key in {"enabled", "send_resolved"} else text

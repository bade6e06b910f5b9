"""Settings from environment variables.

`FLUENCE_WATCH_POLL__INTERVAL=30s` is `interval` of `[poll]`.
An entry of a list of tables is named by its name or number:
`FLUENCE_WATCH_ACCOUNTS__MAIN__API_KEY`.
Without a file, `FLUENCE_WATCH_API_KEY` and `FLUENCE_WATCH_NOTIFY_URLS` are enough.
"""

import copy
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PREFIX = "FLUENCE_WATCH_"
OWN = frozenset({"CONFIG", "API_KEY", "API_KEY_FILE", "NOTIFY_URLS", "NOTIFY_URLS_FILE"})
_ONE_OF = (
    frozenset({"api_key", "api_key_file"}),
    frozenset({"action_secret", "action_secret_file"}),
    frozenset({"url", "url_file", "alertmanager", "alertmanager_file"}),
)
_ENTRIES = frozenset(
    {"accounts", "budgets", "digests", "expect", "inhibit", "maintenance", "receivers"}
)
_NAMELESS = frozenset({"digests", "expect", "inhibit"})
_LISTS = frozenset(
    {
        "rules", "accounts", "alertmanager", "alertmanager_labels", "ports", "vms", "thresholds",
        "equal",
    }
)  # fmt: skip
_TEXTS = frozenset({"match", "source", "target", "active"})  # a text may have several, with commas
_FLAGS = frozenset({"enabled", "send_resolved", "forecast", "critical_at_once"})
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
# Kubernetes sets these in pods of a namespace with a service called fluence-watch.
_KUBERNETES = re.compile(r"SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_[A-Z]+(_(PROTO|PORT|ADDR))?)?")

Tables = dict[str, Any]
Loc = tuple[int | str, ...]


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables with our prefix, without it."""
    named = ((k.upper(), v) for k, v in environ.items())
    found = {k.removeprefix(PREFIX): v for k, v in named if k.startswith(PREFIX)}
    return {k: v for k, v in found.items() if not _KUBERNETES.fullmatch(k)}


class Overlay:
    """The tables of the file, overridden by variables (without prefix).

    `tables` are the resulting tables, `origins` has the variable that set a key.
    Lists are separated by blanks or commas.

    Raises:
        OSError, UnicodeDecodeError: the file with the receivers' URLs cannot be read.
    """

    def __init__(self, given: Mapping[str, str], file: Tables) -> None:
        self.origins: dict[Loc, str] = {}
        self._all: Tables = {k: copy.deepcopy(file[k]) for k in _ENTRIES if k in file}
        self._places: dict[tuple[str, str], int] = {}
        for variable in ("API_KEY", "API_KEY_FILE"):
            if variable in given:
                self._put(("accounts", "0", variable.lower()), given[variable], variable)
        for variable in sorted(given.keys() - OWN):
            self._put(variable.lower().split("__"), given[variable], variable)
        self._put_urls(given)
        self.tables = _merged(file, self._all)

    def _put(self, path: Sequence[str], value: str, variable: str) -> None:
        """Set the value at its place. A place that is not a table is an error of the file."""
        node: Any = self._all
        loc: Loc = ()
        for part in path[:-1]:
            step: int | str = part
            if isinstance(node, list):
                step = self._place(str(loc[0]), node, part, variable)
                node = node[step]
            else:
                node = node.setdefault(part, [] if not loc and part in _ENTRIES else {})
            loc = (*loc, step)
            if not isinstance(node, list if loc[0] in _ENTRIES and len(loc) == 1 else dict):
                return
        self._set(node, (*loc, path[-1]), value, variable)

    def _set(self, node: Any, loc: Loc, value: str, variable: str) -> None:  # noqa: ANN401 - a table or a list of them
        key = str(loc[-1])
        if isinstance(node, list):  # an entry where a table should be: the validation reports it
            node.append(value)
            loc = (*loc[:-1], len(node) - 1)
        else:
            node[key] = _value(key, value)
            for other in _others(key):
                if other in node and (*loc[:-1], other) not in self.origins:
                    del node[other]  # the environment's secret replaces the file's
        self.origins[loc] = variable

    def _put_urls(self, given: Mapping[str, str]) -> None:
        urls = [("NOTIFY_URLS", url) for url in given.get("NOTIFY_URLS", "").split()]
        if path := given.get("NOTIFY_URLS_FILE"):
            text = Path(path).read_text(encoding="utf-8")
            urls += [("NOTIFY_URLS_FILE", url) for url in text.split()]
        receivers = self._all.setdefault("receivers", []) if urls else None
        if isinstance(receivers, list):
            for number, (variable, url) in enumerate(urls, 1):
                self.origins["receivers", len(receivers)] = variable
                receivers.append({"name": f"notify-{number}", "url": url})

    def _place(self, section: str, entries: list[Any], part: str, variable: str) -> int:
        """The index of the entry with this name or number; a new one if there is none."""
        if (section, part) not in self._places:
            place = _find(entries, part)
            if place is None:
                place = len(entries)
                entries.append({} if part.isdigit() or section in _NAMELESS else {"name": part})
                self.origins[section, place] = variable
            self._places[section, part] = place
        return self._places[section, part]


def _find(entries: list[Any], part: str) -> int | None:
    if part.isdigit():
        return int(part) if int(part) < len(entries) else None
    names = [str(e.get("name", "main")) if isinstance(e, dict) else "" for e in entries]
    for separator in ("_", ""):  # `web_1` is `web-1` first, then `web1`
        simple = [re.sub(r"[^a-z0-9]", separator, name.lower()) for name in names]
        if (wanted := re.sub(r"[^a-z0-9]", separator, part)) in simple:
            return simple.index(wanted)
    return None


def _others(key: str) -> frozenset[str]:
    """The keys in whose place this one stands."""
    return next((group - {key} for group in _ONE_OF if key in group), frozenset())


def _value(key: str, text: str) -> Any:  # noqa: ANN401 - a scalar or a list of them
    if key in _LISTS:
        return [part for part in re.split(r"[\s,]+", text) if part]
    if key in _TEXTS:
        return [text] if text.strip() else []
    return _TRUTH.get(text.lower(), text) if key in _FLAGS else text


def _merged(under: Tables, over: Tables) -> Tables:
    """Both tables merged; `over` takes precedence, a secret of it also over the other keys of its kind."""
    merged = {key: value for key, value in under.items() if _others(key).isdisjoint(over)}
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged

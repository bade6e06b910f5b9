"""The line of a key in a TOML file, because `tomllib` does not report lines."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_PART = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_KEY = re.compile(r'^\s*"?([A-Za-z0-9_.-]+)"?\s*=')


def dotted(loc: Sequence[int | str]) -> str:
    """A path in dotted form: `accounts[0].api_key`."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in loc).lstrip(".")


def undotted(where: str) -> tuple[int | str, ...]:
    """A path from its dotted form."""
    return tuple(int(each[1]) if each[1] else each[2] for each in _PART.finditer(where))


def line_of(text: str, loc: Sequence[int | str]) -> int | None:
    """The line of the key, or of the nearest table around it; counted from 1."""
    return line_in(lines_of(text), loc)


def line_in(lines: Mapping[str, int], loc: Sequence[int | str]) -> int | None:
    """The same from the lines of all keys."""
    for length in range(len(loc), 0, -1):
        if line := lines.get(dotted(loc[:length])):
            return line
    return None


def lines_of(text: str) -> dict[str, int]:
    """The lines of all keys and tables, by their paths in dotted form."""
    found: dict[str, int] = {}
    tables = _Tables()
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            name = header[2].replace(" ", "")
            if header[1] == "[[":
                found.setdefault(tables.path(name), number)
                tables.begin(name)
            table = tables.path(name)
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault(f"{table}.{key[1]}" if table else key[1], number)
    return found


class _Tables:
    """The entries of lists of tables so far: `tests.vms` may be `tests[1].vms[0]`."""

    def __init__(self) -> None:
        self._entries: dict[str, str] = {}
        self._seen: Counter[str] = Counter()

    def begin(self, name: str) -> None:
        """Another entry of the list begins."""
        self._entries.pop(name, None)
        path = self.path(name)
        self._entries[name] = f"{path}[{self._seen[path]}]"
        self._seen[path] += 1

    def path(self, name: str) -> str:
        """The path of a table, with the latest entries of the lists around it."""
        written = path = ""
        for part in name.split("."):
            written, path = f"{written}.{part}".lstrip("."), f"{path}.{part}".lstrip(".")
            path = self._entries.get(written, path)
        return path

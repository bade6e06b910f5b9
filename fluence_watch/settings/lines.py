"""The line of a key in a TOML file, because `tomllib` does not report lines."""

import re
from collections import Counter
from collections.abc import Sequence

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r'^\s*"?([A-Za-z0-9_.-]+)"?\s*=')


def dotted(loc: Sequence[int | str]) -> str:
    """A path in dotted form: `accounts[0].api_key`."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in loc).lstrip(".")


def line_of(text: str, loc: Sequence[int | str]) -> int | None:
    """The line of the key, or of the nearest table around it; counted from 1."""
    lines = _lines(text)
    for length in range(len(loc), 0, -1):
        if line := lines.get(dotted(loc[:length])):
            return line
    return None


def _lines(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    seen: Counter[str] = Counter()
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = header[2].replace(" ", "")
            if header[1] == "[[":
                index = seen[table]
                seen[table] += 1
                found.setdefault(table, number)
                table = f"{table}[{index}]"
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault(f"{table}.{key[1]}" if table else key[1], number)
    return found

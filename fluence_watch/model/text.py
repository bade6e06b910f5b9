"""Sanitizes text from outside: names, comments and error bodies are data, never control codes."""

import re
import unicodedata

_SHORT_ID = 8
_INVISIBLE = frozenset({"Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-Z\\^_]")
_HEADER_SAFE = re.compile(r"[!-~]+", re.ASCII)


def inert(text: str, limit: int = 200) -> str:
    """The text on one line, without control, invisible or direction-changing characters.

    A terminal's escape sequence goes as a whole (ECMA-48: CSI, OSC, and those of one character).
    Whitespace is collapsed. Text longer than `limit` characters is cut and ends in `…`.
    """
    if not text.isascii() or not text.isprintable():
        text = "".join(map(_harmless, _ESCAPE.sub("", text[: 20 * limit])))
    folded = " ".join(text.split())
    return folded if len(folded) <= limit else folded[: limit - 1] + "…"


def counted(number: int, thing: str, things: str = "") -> str:
    """A number with its noun: `1 VM`, `2 VMs`."""
    return f"{number} {thing if number == 1 else things or thing + 's'}"


def short_id(vm_id: str) -> str:
    """The first characters of an id, enough to find it."""
    return inert(vm_id)[:_SHORT_ID]


def _harmless(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cc" or character.isspace():
        return " "
    return "" if category in _INVISIBLE else character


def fits_header(secret: str) -> bool:
    """Whether the secret fits in an HTTP header: visible ASCII characters, no spaces."""
    return _HEADER_SAFE.fullmatch(secret) is not None

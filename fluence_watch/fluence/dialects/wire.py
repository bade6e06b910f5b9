"""Helpers to read JSON that dialects share: pages, places of errors, times, repeated parts."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple, TypeVar

import msgspec

from fluence_watch.errors import UnexpectedPayloadError
from fluence_watch.model.text import inert
from fluence_watch.model.vm import Vm

T = TypeVar("T")
W = TypeVar("W")

NULL = msgspec.Raw(b"null")

_RAW_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_NUMBER = re.compile(
    rb'"(?:[^"\\]|\\.)*"|-?\d+(?P<fraction>\.\d+)?(?P<exponent>[eE][+-]?\d+)?', re.DOTALL
)
_LONGEST_NUMBER = 40  # digits
_CACHED = 4096
_LARGEST_CACHED = 4096  # bytes


class Page(NamedTuple):
    """One response to "list VMs": its elements, not decoded yet."""

    elements: list[msgspec.Raw]


class Elements(NamedTuple):
    """The list as a dialect reads it: its elements, and their decoder.

    While `decode` is equal, the same bytes mean the same VM.
    `incomplete_because` says why VMs may be missing from the elements.
    """

    raw: list[msgspec.Raw]
    decode: Callable[[msgspec.Raw], Vm]
    incomplete_because: str | None = None


class FieldError(ValueError):
    """A value that makes its element unreadable; `path` is its place there: `.ports[0]`."""

    def __init__(self, path: str, why: str) -> None:
        self.path, self.why = path, why
        super().__init__(f"{path}: {why}")


def locate(error: Exception) -> tuple[str, str]:
    """The place and the text of a decoding error: `(".ports[0]", "…")`."""
    if isinstance(error, FieldError):
        return error.path, error.why
    if isinstance(error, RecursionError):
        return "", "nested too deeply"
    why, _, path = str(error).partition(" - at `$")
    return path.removesuffix("`"), why


def array_page(body: bytes) -> Page:
    """The only page of a list that is a JSON array.

    Raises:
        ValueError, RecursionError: the body is not one.
    """
    return Page(decoded(_RAW_LIST, body))


def decoded(decoder: msgspec.json.Decoder[W], body: bytes) -> W:
    """Decode a body.

    An escaped lone surrogate, which JSON allows and msgspec does not, is read as U+FFFD.
    Otherwise one odd VM name would make the whole list unreadable.

    Raises:
        ValueError, RecursionError: it cannot be read.
    """
    try:
        return decoder.decode(body)
    except msgspec.DecodeError:
        return tolerant(decoder.decode, msgspec.Raw(_ESCAPE.sub(_whole_escape, body)))


def tolerant(read: Callable[[msgspec.Raw], T], raw: msgspec.Raw) -> T:
    """The result of `read`, where integers may have a zero fraction.

    Such numbers (`2.0`, `1e6`) are rewritten only after a first attempt has failed.

    Raises:
        ValueError, RecursionError: it cannot be read.
    """
    try:
        return read(raw)
    except ValueError:
        given = bytes(raw)
        plain = _NUMBER.sub(_whole_number, given)
        if plain == given:
            raise
        return read(msgspec.Raw(plain))


def expected(what: str, read: Callable[[W], T], body: W) -> T:
    """The result of `read` for a body; `what` names it in the error: "a list of VMs".

    Raises:
        UnexpectedPayloadError: the body is something else.
    """
    try:
        return read(body)
    except (ValueError, RecursionError) as error:
        path, why = locate(error)
        text = f"not {what}: {inert(why)}"
        raise UnexpectedPayloadError(text, where=f"body{inert(path)}") from None


def _whole_escape(match: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if match["half"] else match[0]


def _whole_number(match: re.Match[bytes]) -> bytes:
    """The number without its fraction or exponent, if it is exactly an integer."""
    if match["fraction"] is None and match["exponent"] is None:
        return match[0]  # a string, or already an integer
    try:
        number = Decimal(match[0].decode())
    except ArithmeticError:
        return match[0]
    if not number.is_finite() or number.adjusted() > _LONGEST_NUMBER:
        return match[0]
    whole = number.to_integral_value()
    return b"%d" % int(whole) if whole == number else match[0]


def utc_time(text: str, path: str) -> datetime:
    """Read `+002025-04-16T17:59:55.000000000Z`, or RFC 3339. Digits after microseconds are cut.

    Raises:
        FieldError: it is something else, or the year is not from 1 to 9999.
    """
    try:
        moment = datetime.fromisoformat(text.removeprefix("+00"))
        if moment.tzinfo is UTC:
            return moment
        # A time without a zone would be read as local time.
        return _aware(moment).astimezone(UTC)
    except (ValueError, OverflowError):
        raise FieldError(path, f"{text!r:.40} is not a readable time") from None


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("no zone")
    return moment


def shared(
    path: str, decoder: msgspec.json.Decoder[W], build: Callable[[W], T]
) -> Callable[[msgspec.Raw], T]:
    """A reader for a part that many VMs share, such as the datacenter or the ports.

    The same bytes are decoded once and give the same object.
    `decoder` reads the JSON, `build` makes the model's value.
    """

    def read(raw: bytes) -> T:
        try:
            return build(decoder.decode(raw))
        except ValueError as error:
            inner, why = locate(error)
            raise FieldError(path + inner, why) from None

    remembered = lru_cache(_CACHED)(read)

    def lookup(raw: msgspec.Raw) -> T:
        key = bytes(raw)
        return remembered(key) if len(key) <= _LARGEST_CACHED else read(key)

    return lookup

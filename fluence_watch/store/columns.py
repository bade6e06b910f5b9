"""Column types that hold what the model holds, exactly, in every database."""

import re
from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Dialect, Text
from sqlalchemy.types import TypeDecorator

_START = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_RISKY = re.compile("[\\\\\x00\ud800-\udfff]")
_ESCAPED = re.compile(r"\\u([0-9a-f]{4})")


class Moment(TypeDecorator[datetime]):
    """An aware datetime as whole microseconds since 1970 UTC: exact, and it sorts."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _: Dialect) -> int | None:
        """Count the microseconds."""
        return None if value is None else (value - _START) // _MICROSECOND

    def process_result_value(self, value: int | None, _: Dialect) -> datetime | None:
        """Read the microseconds; the result is in UTC."""
        return None if value is None else _START + timedelta(microseconds=value)


class Hostile(TypeDecorator[str]):
    r"""Any Python string, without loss.

    Neither NUL (PostgreSQL) nor a lone surrogate (UTF-8) can be stored; they are written as
    `\u0000`, and so is the backslash itself.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _: Dialect) -> str | None:
        """Escape what a database refuses."""
        if value is None or (value.isascii() and "\\" not in value and "\0" not in value):
            return value
        return _RISKY.sub(lambda match: f"\\u{ord(match[0]):04x}", value)

    def process_result_value(self, value: str | None, _: Dialect) -> str | None:
        """Undo the escapes."""
        if value is None or "\\" not in value:
            return value
        return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), value)

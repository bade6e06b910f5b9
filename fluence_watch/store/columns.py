"""Column types that store the model's values exactly, in every database."""

import re
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import BigInteger, Dialect, Integer, Text
from sqlalchemy.types import TypeDecorator

_START = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_RISKY = re.compile("[\\\\\x00\ud800-\udfff]")
_ESCAPED = re.compile(r"\\u([0-9a-f]{4})")


class Moment(TypeDecorator[datetime]):
    """An aware datetime as whole microseconds since 1970 UTC. Exact and sortable."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _: Dialect) -> int | None:
        """Convert to microseconds."""
        return None if value is None else (value - _START) // _MICROSECOND

    def process_result_value(self, value: int | None, _: Dialect) -> datetime | None:
        """Convert from microseconds. The result is in UTC."""
        return None if value is None else _START + timedelta(microseconds=value)


class Day(TypeDecorator[date]):
    """A date as whole days since 1970. Sortable."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: date | None, _: Dialect) -> int | None:
        """Convert to days."""
        return None if value is None else (value - _START.date()).days

    def process_result_value(self, value: int | None, _: Dialect) -> date | None:
        """Convert from days."""
        return None if value is None else _START.date() + timedelta(days=value)


class AnyText(TypeDecorator[str]):
    r"""Any Python string, lossless.

    PostgreSQL cannot store NUL, and UTF-8 cannot encode lone surrogates.
    They are escaped like `\u0000`, and so is the backslash.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _: Dialect) -> str | None:
        """Escape the characters that databases reject."""
        if value is None or (value.isascii() and "\\" not in value and "\0" not in value):
            return value
        return _RISKY.sub(lambda match: f"\\u{ord(match[0]):04x}", value)

    def process_result_value(self, value: str | None, _: Dialect) -> str | None:
        """Undo the escapes."""
        if value is None or "\\" not in value:
            return value
        return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), value)

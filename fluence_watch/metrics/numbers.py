"""Sample values as exact decimal text. No float ever holds an amount or a time."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from fluence_watch.model.funding import FOREVER
from fluence_watch.model.money import MicroUsdc

_START = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def count(number: int | None) -> str | None:
    """A whole number."""
    return None if number is None else str(number)


@lru_cache(maxsize=4096)  # a fleet has few different prices
def usdc(amount: MicroUsdc | None) -> str | None:
    """An amount in USDC: `0.29816`."""
    return None if amount is None else _millionths(amount)


def timestamp(at: datetime | None) -> str | None:
    """Seconds since 1970 with microsecond precision. `FOREVER` is `+Inf`."""
    if at is None:
        return None
    if at == FOREVER:
        return "+Inf"
    since = at - _START
    if since.days < 0:
        return _millionths(since // _MICROSECOND)
    seconds = since.days * 86_400 + since.seconds
    if not since.microseconds:
        return str(seconds)
    return f"{seconds}.{since.microseconds:06d}".rstrip("0")


def _millionths(number: int) -> str:
    if number < 0:
        return "-" + _millionths(-number)
    digits = f"{number:07d}"
    return f"{digits[:-6]}.{digits[-6:]}".rstrip("0").removesuffix(".")

"""Money as decimal text, from micro-USDC; never through a float."""

from datetime import timedelta

from fluence_watch.model.money import MicroUsdc

_HOUR_SECONDS = 3_600
_SECOND_MICROSECONDS = 1_000_000
_MONTH_HOURS = 730
# finer than micro-USDC, so that an hour's price times the hours of an epoch is exact
_HOURLY_DECIMALS = 10
# finer again, so that a second's price times the seconds of an hour is
_SECOND_DECIMALS = 14


def decimal(units: int, decimals: int = 6) -> str:
    """`0.30697` for 306970 units of 10^-6: as many decimals as are needed."""
    whole, fraction = divmod(abs(units), 10**decimals)
    sign = "-" if units < 0 else ""
    return f"{sign}{whole}.{fraction:0{decimals}d}".rstrip("0").rstrip(".")


def hourly(price: MicroUsdc, epoch: timedelta) -> str:
    """The price of an hour in USDC, if an epoch costs `price`."""
    return decimal(_hourly_units(price, epoch), _HOURLY_DECIMALS)


def monthly(price: MicroUsdc, epoch: timedelta) -> str:
    """The price of a month of 730 hours."""
    return decimal(_MONTH_HOURS * _hourly_units(price, epoch), _HOURLY_DECIMALS)


def for_a_second(price: MicroUsdc, epoch: timedelta) -> str:
    """The price of a second."""
    return decimal(_units(price, epoch, 1, _SECOND_DECIMALS), _SECOND_DECIMALS)


def for_seconds(price: MicroUsdc, epoch: timedelta, seconds: int) -> str:
    """The price of so many seconds."""
    return decimal(_units(price, epoch, seconds, _HOURLY_DECIMALS), _HOURLY_DECIMALS)


def _hourly_units(price: MicroUsdc, epoch: timedelta) -> int:
    return _units(price, epoch, _HOUR_SECONDS, _HOURLY_DECIMALS)


def _units(price: MicroUsdc, epoch: timedelta, seconds: int, decimals: int) -> int:
    microseconds = epoch // timedelta(microseconds=1)
    units: int = price * 10 ** (decimals - 6) * seconds * _SECOND_MICROSECONDS
    return (units + microseconds // 2) // microseconds

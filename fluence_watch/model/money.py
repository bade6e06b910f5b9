"""Exact money in whole micro-USDC, because USDC has six decimals on chain.

An amount is an `int` of micro-USDC from the wire to the exposition. No float ever holds one.
Dialect `v2` sends micro-USDC (`298160`, `"359440"`). `v3` sends decimal strings (`".30697"`).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import NewType

MicroUsdc = NewType("MicroUsdc", int)

ONE_USDC = MicroUsdc(1_000_000)

LARGEST = 10**16
"""Ten billion USDC. A larger amount is not believed; sums of hundreds of such fit the 64 bits of a store."""

EXACT = Context(prec=100, rounding=ROUND_HALF_EVEN)
"""For sums with prices of any number of decimals."""


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum of amounts; `unknown` parts are not in it, nor is what `is_unlisted`, however much that is.

    With any of these it is at least `amount`.
    """

    amount: MicroUsdc = MicroUsdc(0)
    unknown: int = 0
    is_unlisted: bool = False

    @classmethod
    def of(cls, amounts: Iterable[MicroUsdc | None]) -> "Sum":
        """The sum of these; `None` is unknown."""
        parts = list(amounts)
        return cls(MicroUsdc(sum(each or 0 for each in parts)), parts.count(None))

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing from it."""
        return not (self.unknown or self.is_unlisted)

    @property
    def whole(self) -> MicroUsdc | None:
        """The sum; `None` if a part of it is unknown."""
        return self.amount if self.is_whole else None

    def __add__(self, other: "Sum") -> "Sum":
        """Both together."""
        return Sum(
            MicroUsdc(self.amount + other.amount),
            self.unknown + other.unknown,
            self.is_unlisted or other.is_unlisted,
        )


_DECIMAL = re.compile(r"(-?)(\d*)(?:\.(\d*))?", re.ASCII)
_INTEGER = re.compile(r"-?\d{1,30}", re.ASCII)
_DECIMALS = 6
_LONGEST = 40


def micro_from_integer(value: int | str) -> MicroUsdc:
    """Parse an amount in micro-USDC: `298160` or `"298160"`.

    Raises:
        ValueError: the value is not a whole number, or more than ten billion USDC.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return _bounded(value)
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return _bounded(int(value))
    raise ValueError(f"{value!r:.40} is not a whole number of micro-USDC")


def micro_from_decimal(text: str) -> MicroUsdc:
    """Parse an amount in USDC: `"2.4352"`, `".30697"`, `"3"`. Amounts are never rounded.

    Raises:
        ValueError: the text is not a plain decimal number, it has more than six significant
            decimals, or the amount is more than ten billion USDC.
    """
    match = _DECIMAL.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None or not (match[2] or match[3]):
        raise ValueError(f"{text!r:.40} is not a decimal amount of USDC")
    sign, whole, fraction = match[1], match[2] or "0", (match[3] or "").rstrip("0")
    if len(fraction) > _DECIMALS:
        raise ValueError(f"{text!r} has more than {_DECIMALS} decimals")
    micro = int(whole) * ONE_USDC + int(fraction.ljust(_DECIMALS, "0"))
    return _bounded(-micro if sign else micro)


def _bounded(amount: int) -> MicroUsdc:
    if abs(amount) > LARGEST:
        raise ValueError("the amount is more than ten billion USDC")
    return MicroUsdc(amount)


def is_more_than(amount: int, percent: Decimal, of: int) -> bool:
    """Whether an amount is more than so many percent of another one, exactly."""
    numerator, denominator = percent.as_integer_ratio()
    return 100 * denominator * amount > numerator * of


def in_usdc(amount: MicroUsdc | None) -> Decimal | None:
    """The exact amount in USDC with six decimals. `None` (unknown) stays `None`."""
    return None if amount is None else Decimal(amount).scaleb(-_DECIMALS)


def plain(amount: MicroUsdc) -> str:
    """The amount in USDC with six decimals and no unit: `0.298160`."""
    whole, fraction = divmod(abs(amount), ONE_USDC)
    return f"{'-' if amount < 0 else ''}{whole}.{fraction:06d}"


def usdc(amount: MicroUsdc) -> str:
    """The amount for display: `0.298160 USDC`."""
    return f"{plain(amount)} USDC"


def to_pay(amount: MicroUsdc) -> str:
    """An amount to pay, rounded up to a cent: `0.31 USDC` for 0.302100."""
    cents = -(-amount // (ONE_USDC // 100))
    return f"{cents // 100}.{cents % 100:02d} USDC"

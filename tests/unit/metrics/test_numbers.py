from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.metrics.numbers import count, timestamp, usdc
from fluence_watch.model.funding import FOREVER
from fluence_watch.model.money import MicroUsdc

_START = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("micro", "text"),
    [
        (298_160, "0.29816"),
        (0, "0"),
        (1_000_000, "1"),
        (10_000_000, "10"),
        (1, "0.000001"),
        (-5, "-0.000005"),
        (9_007_199_254_740_993, "9007199254.740993"),
    ],
)
def test_amounts_are_decimal_text(micro: int, text: str) -> None:
    """The last one has more digits than a float keeps."""
    assert text == usdc(MicroUsdc(micro))


@given(st.integers(min_value=-(10**24), max_value=10**24))
def test_an_amount_is_never_rounded(micro: int) -> None:
    """The text is the amount, to the last micro-USDC."""
    assert Decimal(micro).scaleb(-6) == Decimal(usdc(MicroUsdc(micro)) or "")


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 1, 1)))  # noqa: DTZ001 - made aware below
def test_a_time_is_exact_to_the_microsecond(at: datetime) -> None:
    """Also before 1970."""
    aware = at.replace(tzinfo=UTC)
    seconds = Decimal(timestamp(aware) or "")

    assert (aware - _START) // timedelta(microseconds=1) == seconds * 1_000_000


def test_forever_is_infinity_and_unknown_is_nothing() -> None:
    """What is not known has no value, and no zero stands in for it."""
    assert "+Inf" == timestamp(FOREVER)
    assert [None, None, None] == [timestamp(None), usdc(None), count(None)]

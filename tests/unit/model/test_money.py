import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fluence_watch.model.money import (
    MicroUsdc,
    micro_from_decimal,
    micro_from_integer,
    plain,
    usdc,
)

LARGEST = 10**16

amounts = st.integers(-LARGEST, LARGEST).map(MicroUsdc)
lookalikes = st.text(st.sampled_from("0123456789.-+_eE ٣\n"), max_size=45)


@pytest.mark.parametrize(
    ("text", "micro"),
    [
        ("2.4352", 2_435_200),
        (".30697", 306_970),
        ("3", 3_000_000),
        ("3.", 3_000_000),
        ("0", 0),
        ("-0.000001", -1),
        ("0.29816000000000", 298_160),
        ("007.5", 7_500_000),
        ("10000000000.000000", LARGEST),
    ],
)
def test_decimal_amounts(text: str, micro: int) -> None:
    """An amount in USDC is read to the last micro-USDC."""
    assert micro == micro_from_decimal(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "-", "-.", "+1", "1e6", "1_000", "1,5", " 1", "1\n", "1 USDC", "NaN", "inf"),
        *("0x1", "1.2.3", "--1", "٣", "0.0000001", "10000000000.000001", "1" * 41),
    ],
)
def test_texts_that_are_no_decimal_amount(text: str) -> None:
    """What is not a plain decimal, or cannot be held exactly, is refused and never rounded."""
    with pytest.raises(ValueError, match=r"USDC|decimals"):
        micro_from_decimal(text)


@pytest.mark.parametrize(
    ("value", "micro"),
    [(298_160, 298_160), ("359440", 359_440), ("-5", -5), (0, 0), (LARGEST, LARGEST)],
)
def test_integer_amounts(value: int | str, micro: int) -> None:
    """Micro-USDC come as a number or as a text of one."""
    assert micro == micro_from_integer(value)


@pytest.mark.parametrize(
    "value",
    [True, "", "1.0", "1e3", "+1", " 1", "٣", "1_0", LARGEST + 1, -LARGEST - 1, "9" * 30, 10**100],
)
def test_values_that_are_no_integer_amount(value: int | str) -> None:
    """A boolean is no amount, neither is a fraction, nor what no store can hold."""
    with pytest.raises(ValueError, match=r"micro-USDC|ten billion USDC"):
        micro_from_integer(value)


@given(amounts)
def test_no_amount_is_lost_in_text(amount: MicroUsdc) -> None:
    """Written with six decimals and read again, every amount is itself; so it is as an integer."""
    assert amount == micro_from_decimal(plain(amount))
    assert amount == micro_from_integer(str(amount))
    assert amount == micro_from_integer(amount)


@given(lookalikes | st.text(max_size=50))
@example("0" * 40)
def test_any_text_is_an_amount_or_a_value_error(text: str) -> None:
    """Hostile text raises ValueError and nothing else; what is read is what is written."""
    for read in (micro_from_decimal, micro_from_integer):
        try:
            amount = read(text)
        except ValueError:
            continue
        assert amount == micro_from_decimal(plain(amount))


@given(amounts, amounts)
def test_text_keeps_the_sign_and_the_unit(one: MicroUsdc, other: MicroUsdc) -> None:
    """Two amounts have the same text only if they are the same; people see the unit."""
    assert (one == other) == (plain(one) == plain(other))
    assert f"{plain(one)} USDC" == usdc(one)


def test_what_people_read() -> None:
    """Amounts have six decimals and their unit, negative ones their sign."""
    assert usdc(MicroUsdc(298_160)) == "0.298160 USDC"
    assert usdc(MicroUsdc(-1_500_000)) == "-1.500000 USDC"
    assert plain(MicroUsdc(-1)) == "-0.000001"

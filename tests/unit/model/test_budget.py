import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.budget import Budget, Spender, tallies
from fluence_watch.model.money import MicroUsdc

LIMIT = MicroUsdc(100)


def spender(
    key: str = "0xa1", name: str | None = "web-1", amount: int = 1, account: str = "main"
) -> Spender:
    kind, separator, _ = key.partition(":")
    return Spender(account, key, kind if separator else "vm", name, MicroUsdc(amount))


@pytest.mark.parametrize(
    ("accounts", "vms", "counted"),
    [
        (("*",), ("*",), [1, 2, 4, 8, 16]),
        (("main",), ("*",), [1, 2, 4, 8]),
        (("lab-*", "x"), ("*",), [16]),
        (("*",), ("web-*",), [1, 16]),
        (("*",), ("web-*", "0xA2"), [1, 2, 16]),
        (("*",), ("*", "web-*"), [1, 2, 16]),
        (("main",), ("disk*",), []),
        (("*",), (), []),
        ((), ("*",), []),
    ],
)
def test_what_counts(accounts: tuple[str, ...], vms: tuple[str, ...], counted: list[int]) -> None:
    """A lone star on VMs is everything that costs money; any other globs are of VMs alone."""
    things = [
        spender(),
        spender("0xa2", None, 2),
        spender("disk:d1", "disk-1", 4),
        spender("gpu_vm:g1", "web-9", 8),
        spender("0xa3", "web-3", 16, "lab-1"),
    ]
    budget = Budget("b", LIMIT, accounts, vms)

    assert sum(counted) == tallies([budget], things)["b"].spent


@given(st.lists(st.integers(-5, 50), max_size=9))
def test_a_tally_has_the_sum_and_the_largest(amounts: list[int]) -> None:
    """In whatever order the database names them."""
    things = [spender(f"0x{number}", amount=amount) for number, amount in enumerate(amounts)]
    tally = tallies([Budget("b", LIMIT)], things)["b"]

    assert sum(amounts) == tally.spent
    assert sorted(amounts, reverse=True)[:3] == [each.amount for each in tally.largest]


def test_a_thing_in_words() -> None:
    """By its kind and its id."""
    assert ("VM", "0xa1") == (spender().word, spender().id)
    assert ("disk", "d1") == (spender("disk:d1").word, spender("disk:d1").id)

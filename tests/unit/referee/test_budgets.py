"""What the referee expects of a budget over a month and its end."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator import build_world
from fluence_watch.simulator.machine import Machine
from tests.e2e.truth.plan import Budget
from tests.e2e.truth.referee.books import Books
from tests.e2e.truth.referee.budgets import absent_budget, budgets_at
from tests.e2e.truth.referee.episodes import Episode, Problems
from tests.e2e.truth.referee.spending import Spending

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
JULY = datetime(2026, 7, 1, tzinfo=UTC)
USDC = 10**6


def told(spent: Sequence[float], ahead: float = 0, *, forecast: bool = False) -> list[str]:
    """What fires and ends at looks of 40 minutes until just before July, and each five minutes then.

    `spent` is the share of the budget at each look before July, and `ahead` what is rented costs a day.
    """
    budget, problems = Budget("all", 100, forecast=forecast), Problems()
    books, said = Books([budget], Spending(7)), []
    books.rented = [_machine(ahead)]
    ats = [JULY - (len(spent) - number) * 40 * MINUTE for number in range(len(spent))]
    for at, share in zip(ats, spent, strict=True):
        books.spent["2026-06", "all"] = int(share * 100 * USDC)
        said += _look(problems, budget, books, at)
    return said + [
        each for n in range(3) for each in _look(problems, budget, books, JULY + n * 5 * MINUTE)
    ]


def _look(problems: Problems, budget: Budget, books: Books, at: datetime) -> list[str]:
    found = list(budgets_at([budget], {"main": books}, at, problems))
    turned = problems.observe(at, found, partial(absent_budget, at))
    return [f"{at:%d %H:%M} {_word(e)} {e.end if e.ends_at else ''}" for e in turned]


def _word(episode: Episode) -> str:
    is_ahead = episode.what.detail.endswith("forecast")
    return "forecast" if is_ahead else str(episode.found.step)


def _machine(price: float) -> Machine:
    """A VM that is charged at midnight."""
    world = build_world(seed=1, vms=1, epoch=DAY, now=JULY - DAY, api_key="k")
    (machine,) = world.listed()
    world.set_price(machine.id, MicroUsdc(int(price * USDC)))
    world.set_boundary(machine.id, JULY - MINUTE)
    return world.find(machine.id)


@pytest.mark.parametrize(
    ("spent", "expected"),
    [
        ((0.1, 0.4), []),
        ((0.4, 0.5, 0.9), ["30 22:40 50 ", "01 00:05 80 quiet"]),
        ((0.4, 1.2), ["30 23:20 100 ", "01 00:05 100 quiet"]),
    ],
)
def test_thresholds(spent: Sequence[float], expected: Sequence[str]) -> None:
    """One alert a month, which ends five minutes after it."""
    assert expected == told(spent)


@pytest.mark.parametrize(
    ("spent", "ahead", "expected"),
    [
        ((0.4,) * 5, 50, []),
        ((0.4,) * 2, 70, []),  # not for an hour
        ((0.4,) * 4, 70, ["30 22:40 forecast ", "01 00:05 forecast quiet"]),
        (
            (0.4, 0.4, 0.4, 1),
            70,
            [
                "30 22:40 forecast ",
                "30 23:20 forecast quiet",
                "30 23:20 100 ",
                "01 00:05 100 quiet",
            ],
        ),
    ],
)
def test_forecasts(spent: Sequence[float], ahead: float, expected: Sequence[str]) -> None:
    """One alert a month, until all is spent."""
    assert expected == told(spent, ahead, forecast=True)

"""What the Fleet dashboard says was spent is what the simulator's own books say."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("grafana")]

FLEET = Path(__file__).parents[3] / "grafana" / "dashboards" / "fleet.json"


def spent_query(start: float, end: float) -> str:
    """The query of the panel, over a range of *books*."""
    panels: list[Any] = json.loads(FLEET.read_text(encoding="utf-8"))["panels"]
    (panel,) = (each for each in panels if each["title"] == "Spent in the range")
    (target,) = panel["targets"]
    milliseconds = round(1000 * (end - start))
    expression: str = target["expr"]
    for variable, value in (
        ("$__range_s", str(milliseconds / 1000)),
        ("$__range", f"{milliseconds}ms"),
        ("$account", "books"),
        ("$datacenter", ".*"),
        ("$vm", ".*"),
    ):
        expression = expression.replace(variable, value)
    return expression


def asked(stack: Any, start: float, end: float) -> float:  # noqa: ANN401 - see conftest.py
    (answer,) = stack.ask(spent_query(start, end), at=end)
    return float(answer["value"][1])


def test_the_whole_range(stack: Any) -> None:  # noqa: ANN401
    """A restart, a VM that vanished, one deleted, one renamed and two new: not a micro-USDC off."""
    (start, before), _, (end, after) = stack.ledger.items()

    assert after - before > 5_000_000  # the epochs of eight VMs
    assert (after - before) / 10**6 == pytest.approx(asked(stack, start, end), abs=1e-7)


@pytest.mark.parametrize("part", [0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85])
def test_ranges_add_up(stack: Any, part: float) -> None:  # noqa: ANN401
    """Wherever a range is cut, also while nobody watches, the parts are the whole."""
    start, _, end = stack.ledger
    cut = round(start + part * (end - start), 3)

    whole = asked(stack, start, end)
    assert whole == pytest.approx(asked(stack, start, cut) + asked(stack, cut, end), abs=1e-7)


def test_a_range_that_ends_in_the_middle(stack: Any) -> None:  # noqa: ANN401
    """It lacks at most what was charged since the last poll that was scraped: an epoch."""
    (start, before), (cut, middle), _ = stack.ledger.items()
    prices = sum(vm["price"] for vm in stack.books.world()["vms"])
    missing = (middle - before) / 10**6 - asked(stack, start, cut)

    assert -1e-7 <= missing <= prices / 10**6


def test_the_recording_rule_says_the_same(stack: Any, eventually: Callable[..., Any]) -> None:  # noqa: ANN401
    """Its day holds all that was charged since these VMs are watched, gone ones too."""
    before, _, after = stack.ledger.values()

    def recorded() -> bool:
        answers = stack.ask('fluence:account_spent_usdc:1d{account="books"}')
        charged = pytest.approx((after - before) / 10**6, abs=1e-7)
        return [charged] == [float(answer["value"][1]) for answer in answers]

    eventually(recorded, "it is evaluated")


def test_every_dialect_is_in_it(stack: Any) -> None:  # noqa: ANN401
    """Also where the API does not tell what a VM spent; an account that cannot be read is unknown."""
    _, _, end = stack.ledger
    by_account = spent_query(end - 20, end).replace('account=~"books"', 'account=~".*"')
    by_account = by_account.replace("sum(", "count by (account) (", 1)
    answers = stack.ask(by_account, at=end)

    accounts = {"books", "by-epoch", "by-epoch-3", "by-hour", "by-second"}
    assert accounts == {one["metric"]["account"] for one in answers}

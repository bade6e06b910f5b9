from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.account import AccountBalance
from fluence_watch.model.billing import EPOCHS, METERED, Billing
from fluence_watch.model.forecast import AccountForecast, account_forecast
from fluence_watch.model.funding import account_funded_until
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.snapshot import Snapshot, build_snapshot
from fluence_watch.model.vm import Status, Vm
from fluence_watch.model.what_if import (
    Add,
    Remove,
    Step,
    parse_step,
    price_of,
    with_added,
    without,
)

NOW = datetime(2026, 4, 28, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("rm ci-*", Remove("vm", "ci-*")),
        ("  rm   web-1 ", Remove("vm", "web-1")),
        ("rm 'my vm'", Remove("vm", "my vm")),
        ("rm vm disk", Remove("vm", "disk")),
        ("rm disk", Remove("vm", "disk")),
        ("rm disk archive", Remove("disk", "archive")),
        ("rm ip *-ip", Remove("ip", "*-ip")),
        ("rm gpu 0xA", Remove("gpu", "0xA")),
        ("add 3 at 0.30", Add(3, MicroUsdc(300_000))),
        ("add 10000 at 0", Add(10_000, MicroUsdc(0))),
    ],
)
def test_a_step(text: str, step: Step) -> None:
    """As a user types it."""
    assert step == parse_step(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "rm", "rm ''", "rm a b", "rm disk a b", "rm 'a", "remove a", "add 3", "add 3 for 1",
        "add 0 at 1", "add -1 at 1", "add 10001 at 1", "add x at 1", "add ٣ at 1", "add 3 at x",
        "add 3 at -1", "add 3 at 1e3", "add 3 at 0.0000001",
    ],
)  # fmt: skip
def test_what_cannot_be_read(text: str) -> None:
    """The error shows the forms."""
    with pytest.raises(ValueError, match=r"write 'rm VM', .* or 'add N at PRICE'"):
        parse_step(text)


@given(st.text(max_size=40))
def test_any_text(text: str) -> None:
    """It is a step, or an error that says what to write."""
    try:
        assert parse_step(text)
    except ValueError as error:
        assert "add N at PRICE" in str(error)  # noqa: PT017 - not every text is an error


def vm(key: str, price: int, reserved: int | None) -> Vm:
    spare = None if reserved is None else MicroUsdc(reserved)
    due = NOW + DAY / 4
    return Vm(
        key, f"{key}-name", Status.ACTIVE, "", MicroUsdc(price), spare, next_billing_at=due
    )  # fmt: skip


def gpu(key: str, reserved: int) -> Resource:
    spare = MicroUsdc(reserved)
    return Resource(Kind.GPU_VM, key, None, "running", MicroUsdc(5), reserved=spare)


def account(*vms: Vm, rented: Sequence[Resource] = (), balance: int | None = 10**7) -> Snapshot:
    money = None if balance is None else AccountBalance(MicroUsdc(balance), days_left=3)
    return build_snapshot("main", NOW, vms, resources=rented, balance=money)


def test_removing_a_prepaid_vm() -> None:
    """Its reserve returns to the balance; the API's own estimate is void."""
    before = account(vm("a", 100, 250), vm("b", 100, 40), rented=[gpu("g", 7)])
    after = without(before, {"a", "gpu_vm:g"}, EPOCHS)
    assert ({"b"}, {}, AccountBalance(MicroUsdc(10**7 + 257))) == (
        set(after.vms), after.resources, after.balance,
    )  # fmt: skip


def test_a_reserve_that_is_not_known() -> None:
    """Then the balance is not known either; what is metered has no reserve."""
    before = account(vm("a", 100, None))
    assert without(before, {"a"}, EPOCHS).balance is None
    assert before.balance == without(before, {"a"}, METERED).balance


def test_adding_prepaid_vms() -> None:
    """Each takes two epochs at once: it is funded for them, and its first charge is now."""
    before = account(vm("a", 100, 250))
    after = with_added(before, Add(2, MicroUsdc(1_000)), EPOCHS)
    ahead = account_forecast(after.vms.values(), NOW)
    assert AccountBalance(MicroUsdc(10**7 - 4_000)) == after.balance
    assert [NOW + 2 * DAY] * 2 == [
        account_forecast([after.vms[key]], NOW).first_vm_out for key in ("new-1", "new-2")
    ]
    assert (2_100, 2 * 3 * 1_000 + 3 * 100) == (ahead.burn_per_day, ahead.to_month_end)


@pytest.mark.parametrize(("a_day", "an_hour"), [(24, 1), (35, 1), (36, 2), (24 * 10**18, 10**18)])
def test_a_metered_price(a_day: int, an_hour: int) -> None:
    """It is given for a day, and charged by the hour, to the nearest micro-USDC; nothing is taken."""
    assert an_hour == price_of(Add(1, MicroUsdc(a_day)), METERED)
    before = account(vm("a", 100, None))
    after = with_added(before, Add(1, MicroUsdc(a_day)), METERED)
    assert (before.balance, None) == (after.balance, after.vms["new-1"].reserved)
    assert account_forecast(after.vms.values(), NOW, METERED).to_month_end > an_hour


amounts = st.integers(0, 10**7)
fleets = st.builds(
    lambda prices, reserves, balance: account(
        *(vm(f"v{i}", price, reserves[i]) for i, price in enumerate(prices)),
        rented=[gpu("g", 40)],
        balance=balance,
    ),
    st.lists(amounts, min_size=1, max_size=6),
    st.lists(amounts, min_size=6, max_size=6),
    st.none() | amounts,
)
additions = st.builds(Add, st.integers(1, 4), amounts.map(MicroUsdc))
ways = st.sampled_from([EPOCHS, METERED])


@given(fleets, ways)
def test_removing_nothing_changes_nothing(before: Snapshot, billing: Billing) -> None:
    """Neither does removing what is not there."""
    assert before == without(before, (), billing) == without(before, {"x"}, billing)


@given(fleets, additions, ways)
def test_adding_and_removing_it_is_nothing(before: Snapshot, step: Add, billing: Billing) -> None:
    """All that it took returns."""
    added = with_added(before, step, billing)
    after = without(added, added.vms.keys() - before.vms.keys(), billing)
    assert (before.vms, _money(before)) == (after.vms, _money(after))


@given(fleets, st.lists(additions, max_size=3), st.sets(st.sampled_from("012345")), ways, st.data())
def test_the_order_does_not_matter(
    before: Snapshot, added: list[Add], gone: set[str], billing: Billing, data: st.DataObject
) -> None:
    """Of changes that are independent of each other."""
    changes: list[Callable[[Snapshot], Snapshot]] = [
        *(lambda s, step=step: with_added(s, step, billing) for step in added),
        *(lambda s, key=key: without(s, {f"v{key}"}, billing) for key in sorted(gone)),
        lambda s: without(s, {"gpu_vm:g"}, billing),
    ]
    shuffled = data.draw(st.permutations(changes))
    assert _ends(before, changes, billing) == _ends(before, shuffled, billing)


def _ends(
    before: Snapshot, changes: Sequence[Callable[[Snapshot], Snapshot]], billing: Billing
) -> tuple[AccountForecast, int | None, datetime | None]:
    after = reduce(lambda snapshot, change: change(snapshot), changes, before)
    vms, rented, money = after.vms.values(), after.resources.values(), _money(after)
    until = None if money is None else account_funded_until(money, vms, NOW, billing, rented)
    ahead = account_forecast(vms, NOW, billing, rented)
    # new VMs are called by the order
    return replace(ahead, first_out=None), money, until


def _money(snapshot: Snapshot) -> MicroUsdc | None:
    return None if snapshot.balance is None else snapshot.balance.balance


def test_new_names_are_free() -> None:
    """A second step does not replace what a first one added."""
    first = with_added(account(vm("a", 1, 1)), Add(2, MicroUsdc(1)), EPOCHS)
    second = with_added(without(first, {"new-1"}, EPOCHS), Add(1, MicroUsdc(1)), EPOCHS)
    assert ["a", "new-2", "new-3"] == list(second.vms)
    assert replace(second.vms["new-2"], id="new-3", name="new-3") == second.vms["new-3"]


@pytest.mark.parametrize("key", [f"new-{'9' * 5000}", "new-٣", "new-1000000000", "new-x"])
def test_ids_that_look_like_new_names(key: str) -> None:
    """A VM whose id looks like a new name, however long, stays, and new ones have names of their own."""
    after = with_added(account(vm(key, 1, 1)), Add(2, MicroUsdc(1)), EPOCHS)
    assert [key, "new-1", "new-2"] == list(after.vms)


def test_a_new_name_that_is_taken() -> None:
    """It is left out, also where counting on from the names that are there reaches it."""
    before = account(vm("new-999999999", 1, 1), vm("new-1000000000", 1, 1))
    after = with_added(before, Add(1, MicroUsdc(1)), EPOCHS)
    assert ["new-999999999", "new-1000000000", "new-1000000001"] == list(after.vms)

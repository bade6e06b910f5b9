"""`forecast --what-if` through the command line."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from fluence_watch.cli.inspect.what_if import overdrawn
from fluence_watch.cli.inspect.what_if_shown import Outlook, _overdrawn
from fluence_watch.model.account import AccountBalance
from fluence_watch.model.billing import EPOCHS
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.snapshot import build_snapshot
from fluence_watch.views.account import account_overview

# ruff: noqa: ANN401 - the fakes' classes are in conftest.py, which is not imported

Run = Callable[..., Any]
Configure = Callable[..., None]


def answer(run: Run, *steps: str, more: tuple[str, ...] = ()) -> Any:
    options = [word for step in steps for word in ("--what-if", step)]
    ran = run("forecast", *options, *more, "-o", "json")
    assert 0 == ran.code, ran.err
    return json.loads(ran.out)


def test_without_and_with(run: Run, configure: Configure, api: Any) -> None:
    """The changes are taken in their order, exactly; a prepaid VM returns or takes a reserve."""
    configure({"main": api.url})
    first = next(iter(api.world.machines.values()))
    found = answer(run, f"rm {first.name}", "add 3 at 0.30")
    (account,), (gone, new) = found["accounts"], found["steps"]

    difference = Decimal("0.9") - Decimal(first.price) / 10**6
    assert difference == Decimal(account["change"]["burn_per_day"])
    assert (3, 5) == (account["without"]["vms"], account["with"]["vms"])
    assert Decimal(first.reserved) / 10**6 == Decimal(gone["to_balance"])
    assert ("-1.800000", ["new-1", "new-2", "new-3"]) == (new["to_balance"], new["things"])
    assert any("two epochs" in each for each in found["assumptions"])


def test_adding_and_removing_it(run: Run, configure: Configure, api: Any) -> None:
    """What a change added can be named by a later one; both together are nothing."""
    configure({"main": api.url})
    (account,) = answer(run, "add 2 at 1.5", "rm new-*")["accounts"]
    assert account["without"] == account["with"]


def test_what_is_never_deployed(run: Run, configure: Configure, serve: Callable[..., Any]) -> None:
    """What a change added and a later one removes costs nothing: no reserve, no epoch that is lost."""
    never = "what one change adds and a later one removes is never deployed, and costs nothing"
    lost = "what is paid of the running epoch or hour is not given back"
    configure({"main": serve().url})
    steps = ("--what-if", "add 3 at 0.30", "--what-if", "rm new-1")
    out = run("forecast", *steps).out
    assert "0.600000 USDC return to the balance\n" in out
    assert (True, False) == (never in out, lost in out)
    out = run("forecast", *steps, "--what-if", "rm web-1").out
    assert (True, True) == (never in out, lost in out)
    configure({"main": serve(dialect="cloud", metered=True).url}, dialect="cloud")
    out = run("forecast", *steps).out
    assert (True, False) == (never in out, "leaves its disks" in out)


def test_a_metered_account(run: Run, configure: Configure, serve: Callable[..., Any]) -> None:
    """A VM leaves its disks and its address, as with `vm rm`; these have words of their own."""
    api = serve(dialect="cloud", metered=True)
    configure({"main": api.url}, dialect="cloud")
    name = next(iter(api.world.machines.values())).name
    found = answer(run, f"rm {name}", f"rm disk {name}-boot", f"rm ip {name}-ip", "add 1 at 2.4")
    (account,), steps = found["accounts"], found["steps"]

    assert [0] * 4 == [Decimal(step["to_balance"]) for step in steps]
    stays = Decimal(steps[0]["stays_per_day"])
    vm = next(iter(api.world.machines.values())).price
    assert stays > 0
    assert Decimal("2.4") - stays - 24 * Decimal(vm // 24) / 10**6 == pytest.approx(
        Decimal(account["change"]["burn_per_day"]), abs=Decimal("0.0001")
    )
    assert (4, 2, 2) == (
        account["without"]["vms"] + 1, account["with"]["disks"], account["with"]["public_ips"],
    )  # fmt: skip
    assert any("PRICE is USDC a day" in each for each in found["assumptions"])


def test_removing_what_is_removed(
    run: Run, configure: Configure, serve: Callable[..., Any]
) -> None:
    """It says so, and means no other; what never was is unknown as before."""
    configure({"main": serve().url})
    for first, second in (("rm web-1", "rm web-1"), ("rm web-*", "rm web-1"), ("add 1 at 1", "rm new-1")):  # fmt: skip
        options = [word for step in (first, second, second) for word in ("--what-if", step)]
        ran = run("forecast", *options)
        told = f"an earlier change removes VM '{second.removeprefix('rm ')}'"
        assert (2, True) == (ran.code, told in ran.err)
    assert "earlier" not in run("forecast", "--what-if", "rm web-11").err


def test_the_first_vm_out_is_named(
    run: Run, configure: Configure, serve: Callable[..., Any]
) -> None:
    """In the table and in JSON, without the changes and with them."""
    configure({"main": serve().url})
    vms = json.loads(run("forecast", "-o", "json").out)["vms"]
    first, second, *_ = sorted(vms, key=lambda each: str(each["funded_until"]))
    step = f"rm {first['vm_name']}"
    account = answer(run, step)["accounts"][0]
    shown = run("forecast", "--what-if", step, "-o", "wide").out
    for case, vm in (("without", first), ("with", second)):
        named = account[case]["first_vm"]
        assert named.startswith(f"{vm['vm_name']} (")
        assert f"{named}: " in shown


def test_the_table(run: Run, configure: Configure, serve: Callable[..., Any]) -> None:
    """Only the accounts that change; what each change does, and what all assumes, follow."""
    configure({"main": serve(2).url, "other": serve(3).url})
    ran = run("forecast", "--account", "main", "--what-if", "add 3 at 0.30")
    assert "add 3 at 0.3: new-1, new-2, new-3; 1.800000 USDC are taken from the balance" in ran.out
    assert [["without", "2"], ["with", "5"], ["change", "+3"]] == [
        line.split()[:2] for line in ran.out.splitlines()[2:5]
    ]
    assert "This assumes:\n  - prices stay as they are" in ran.out
    ran = run("forecast", "--what-if", "rm web-*")
    assert (0, 3, 3) == (ran.code, ran.out.count("\nmain "), ran.out.count("\nother "))


@pytest.mark.parametrize(
    ("before", "after", "missing"),
    [
        (1_000_000, -1_000_001, "1.01"),
        (1_000_000, -3 * 10**16, "30000000000.00"),
        (1_000_000, 0, None),
        (-1, -1_000_001, None),
        (None, None, None),
    ],
)
def test_more_than_the_balance(before: int | None, after: int | None, missing: str | None) -> None:
    """What is missing is an amount to pay: it is rounded up to a cent, however large it is."""
    now = datetime(2026, 4, 17, tzinfo=UTC)
    lists = [
        build_snapshot(
            "main", now, [], balance=None if of is None else AccountBalance(MicroUsdc(of))
        )
        for of in (before, after)
    ]
    view = account_overview("main", [], now, EPOCHS)
    outlook = Outlook(view, view, overdrawn(*lists))
    text = f"main: the balance does not pay for this: {missing} USDC are missing"
    assert ([text] if missing else []) == list(_overdrawn([outlook]))


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ("rn web-1", "'rn web-1' cannot be read: write 'rm VM', "),
        ("add x at 1", "'x' is not a number of VMs from 1 to 10000"),
        ("add 3 at 0.30", "needs --account, to say where; there are: main, other"),
        ("rm wep-*", "no VM has a name like 'wep-*': did you mean web-1?"),
        ("rm wep-1", "there is no VM 'wep-1': did you mean web-1?"),
        ("rm web-1", "may be any of 2: give the id, or --account"),
        ("rm disk x", "there is no disk 'x': `fluence-watch disk ls` lists what there is"),
    ],
)
def test_errors(
    run: Run, configure: Configure, serve: Callable[..., Any], step: str, error: str
) -> None:
    """They say what to write, or what may have been meant."""
    configure({"main": serve(2).url, "other": serve(3).url})
    ran = run("forecast", "--what-if", step)
    assert (2, "") == (ran.code, ran.out)
    assert error in " ".join(ran.err.split())


def test_an_account_that_fails(run: Run, configure: Configure, api: Any, unused_port: int) -> None:
    """It is named, and the exit code says that it is not all; alone, nothing else is said."""
    bad = f"http://127.0.0.1:{unused_port}"
    configure({"good": api.url, "bad": bad})
    ran = run("forecast", "--what-if", "rm web-1")
    assert (3, True) == (ran.code, "without" in ran.out)
    assert "account bad: no answer" in ran.err
    ran = run("forecast", "--account", "bad", "--what-if", "rm web-1")
    assert (3, "") == (ran.code, ran.out)

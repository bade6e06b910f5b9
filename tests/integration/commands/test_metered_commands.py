"""Commands on an account that pays every second: disks and public IPs cost money by themselves."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from fluence_watch.alerting.state import AccountState
from fluence_watch.model.known import KnownVm
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Status, Vm
from fluence_watch.simulator.actions import AddAddress, AddDisk, SetBalance, Withhold
from fluence_watch.simulator.rental import RentalKind
from fluence_watch.store import Store
from tests.stored import keep

# ruff: noqa: ANN401 - the classes of the fixtures are in conftest.py, which is not imported

Run = Callable[..., Any]

VM_PRICE, DISK_PRICE = 120_000, 24_000  # micro-USDC a day: 0.005 and 0.001 an hour
BURN = Decimal("10.008")


@pytest.fixture
def api(
    serve: Callable[..., Any], configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> Any:
    """One VM at 0.005 an hour with a disk and an address, an orphaned disk of 2 TB and an orphaned address."""
    monkeypatch.setenv("COLUMNS", "160")
    served = serve(vms=1, dialect="cloud", metered=True)
    world = served.world
    (machine,) = world.machines.values()
    world.update(machine.id, name="web")
    world.set_price("web", MicroUsdc(VM_PRICE))
    for key, rental in world.rentals.items():
        if rental.kind is RentalKind.DISK:
            world.rentals[key] = replace(rental, price=MicroUsdc(DISK_PRICE))
    AddDisk("archive", gb=2000, price=9_672_000).apply(world)
    AddAddress("spare").apply(world)
    configure({"main": served.url}, dialect="cloud")
    return served


def test_the_forecast_sums_all_that_costs_money(run: Run, api: Any) -> None:
    """Not only what the VM costs, which is 0.12."""
    SetBalance(20_016_000).apply(api.world)
    answer = json.loads(run("forecast", "-o", "json").out)
    (total,) = answer["accounts"]

    assert BURN == Decimal(total["burn_per_day"])
    assert (2, 2) == (total["disks"], total["public_ips"])
    assert BURN == sum(
        Decimal(each["burn_per_day"]) for each in answer["resources"] + answer["vms"]
    )
    shown = run("forecast").out
    assert "archive" in shown
    assert "10.008" in shown


def test_a_balance_that_ends_today_is_not_fine(run: Run, api: Any) -> None:
    """2.00 USDC, and no whole day left."""
    SetBalance(2_000_000).apply(api.world)
    ran = run("check")

    assert 2 == ran.code
    assert "funds_exhausted_soon" in ran.out
    assert "account_low" not in ran.out
    assert "fine" not in ran.out


def test_a_debt_without_vms_is_not_fine(run: Run, api: Any) -> None:
    """After the VM is deleted the rest goes on costing money, and the deadlines are named."""
    assert 0 == run("vm", "rm", "web", "--yes").code
    SetBalance(-4_500_000).apply(api.world)
    ran = run("check")

    assert 2 == ran.code
    assert "debt" in ran.out
    assert "4.50" in ran.out
    assert "fine" not in ran.out


def test_deleting_a_vm_says_what_stays(run: Run, api: Any) -> None:
    """The disk is not lost, nothing is reserved, the charge stops at once."""
    shown = run("vm", "rm", "web", "--dry-run")

    assert "it costs 0.005000 USDC an hour, billed by the second: that stops at once" in shown.out
    assert "disk web-1-boot" in shown.out
    assert "stays and costs 0.024000 USDC a day, until it is deleted" in shown.out
    assert "stays and costs 0.096000 USDC a day, until it is deleted" in shown.out
    assert not [word for word in ("lost", "reserve", "paid until") if word in shown.out]

    assert 0 == run("vm", "rm", "web", "--yes").code
    assert 4 == len(api.world.rentals)


def test_deleting_a_vm_with_all_that_it_has(run: Run, api: Any) -> None:
    """After the VM, each is deleted and read back; what is attached elsewhere stays."""
    shown = run("vm", "rm", "web", "--with-disks", "--with-ips", "--dry-run")
    assert "deleted, all on it is lost" in shown.out
    assert "is deleted too: it costs 0.096000 USDC a day" in shown.out
    assert 4 == len(api.world.rentals)

    ran = run("vm", "rm", "web", "--with-disks", "--with-ips", "--yes")
    assert (0, "") == (ran.code, ran.err)
    assert "deleted, disk web-1-boot too, public IP web-1-ip too" in ran.out
    assert {"archive", "spare"} == {each.name for each in api.world.rentals.values()}
    assert {} == api.world.machines


def test_deleting_a_vm_whose_disk_cannot_be_deleted(run: Run, api: Any) -> None:
    """The VM is gone; that the disk goes on costing money is an error."""
    Withhold(("storage:write",)).apply(api.world)
    ran = run("vm", "rm", "web", "--with-disks", "--yes")

    assert 3 == ran.code
    assert "deleted, but the disk" in ran.err
    assert {} == api.world.machines
    assert 4 == len(api.world.rentals)


def test_there_is_no_end_of_an_epoch(run: Run, api: Any) -> None:
    """It is refused, and why is said."""
    ran = run("vm", "rm", "web", "--at-epoch-end", "--yes")

    assert 1 == ran.code
    assert "billed by the second: there is no epoch whose end could be used up" in ran.err
    assert 1 == len(api.world.machines)


def test_options_for_what_is_part_of_a_vm(
    run: Run, serve: Callable[..., Any], configure: Callable[..., None]
) -> None:
    """Where VMs are prepaid, disks go with them in any case."""
    configure({"main": serve().url})
    ran = run("vm", "rm", "web-1", "--with-disks", "--yes")

    assert 1 == ran.code
    assert "the disk and the public IP are part of the VM" in ran.err


def test_listing(run: Run, api: Any) -> None:
    """Those that no VM uses, too, with what they cost."""
    disks = run("disk", "ls").out
    assert "archive" in disks
    assert "2000 GB" in disks
    assert "9.672" in disks
    assert "nothing" in run("ip", "ls").out
    idle = json.loads(run("disk", "ls", "--idle", "-o", "json").out)
    assert ["archive"] == [each["name"] for each in idle]
    named = json.loads(run("ip", "ls", "sp*", "-o", "json").out)
    assert ["spare"] == [each["name"] for each in named]


@pytest.mark.parametrize(("command", "name"), [("disk", "archive"), ("ip", "spare")])
def test_deleting_one(run: Run, api: Any, command: str, name: str) -> None:
    """It is shown and asked for, like a VM, and read back."""
    ran = run(command, "rm", name, "--dry-run")
    assert (0, 4) == (ran.code, len(api.world.rentals))
    assert "USDC a day until it is deleted" in ran.out
    assert ("all on it is lost" in ran.out) == (command == "disk")
    assert 1 == run(command, "rm", name).code  # nobody to ask

    ran = run(command, "rm", name, "--yes")
    assert (0, "") == (ran.code, ran.err)
    assert f"{name} (" in ran.out
    assert name not in {each.name for each in api.world.rentals.values()}


def test_deleting_several(run: Run, api: Any) -> None:
    """By a glob, with one confirmation and what is saved."""
    AddDisk("archive-2", gb=10, price=240_000).apply(api.world)
    ran = run("disk", "rm", "archive*", "--yes")

    assert 0 == ran.code
    assert "2 disks: 9.912000 USDC a day less" in ran.out
    assert 3 == len(api.world.rentals)


def test_one_that_a_vm_uses_is_refused(run: Run, api: Any) -> None:
    """With all that is named beside it, and how it can be deleted."""
    ran = run("disk", "rm", "archive", "web-1-boot", "--yes")

    assert 1 == ran.code
    assert "is attached to web" in ran.err
    assert "--with-disks" in ran.err
    assert 4 == len(api.world.rentals)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("archiv", None),
        ("archve", "did you mean archive?"),
        ("nothing-*", "`fluence-watch disk ls`"),
    ],
)
def test_one_that_is_not_there(run: Run, api: Any, name: str, hint: str | None) -> None:
    """A name counts only whole; near ones are offered."""
    ran = run("disk", "rm", name, "--yes")

    assert 2 == ran.code
    assert (hint or "did you mean archive?") in ran.err


def test_a_key_that_may_not_list_disks(run: Run, api: Any) -> None:
    """Nothing is called fine, complete or deletable."""
    Withhold(("storage:read",)).apply(api.world)
    SetBalance(100_000_000_000).apply(api.world)

    ran = run("disk", "ls")
    assert 3 == ran.code
    assert "main: disks: " in ran.err
    assert "no disks" not in ran.out
    assert 3 == run("disk", "rm", "archive", "--yes").code
    shown = run("vm", "rm", "web", "--dry-run")
    assert "its disks are not known: what it has of them stays and costs money" in shown.out
    assert 3 == run("vm", "rm", "web", "--with-disks", "--yes").code
    assert 3 == run("check").code
    assert 1 == len(api.world.machines)


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (("ip", "ls"), "no public IPs are billed by themselves\n"),
        (("ip", "ls", "--idle"), "no idle public IPs are billed by themselves\n"),
        (("ip", "ls", "no-such"), "no public IPs match\n"),
        (("ip", "ls", "--format", "json"), "[]\n"),
    ],
)
def test_there_is_none(
    run: Run, serve: Any, configure: Any, arguments: tuple[str, ...], answer: str
) -> None:
    """An empty list is no silence."""
    configure({"main": serve(dialect="v3").url}, dialect="v3")
    ran = run(*arguments)
    assert (0, answer, "") == (ran.code, ran.out, ran.err)


def test_a_missing_vm(run: Run, api: Any) -> None:
    """It is shown with the price of an hour, as it was paid; not of an epoch."""
    (machine,) = api.world.machines.values()
    at = datetime.now(UTC)
    vm = Vm(machine.id, "web", Status.ACTIVE, "active", MicroUsdc(5_000))
    with Store.open("sqlite:///fluence-watch.db") as store:
        keep(store, "main", AccountState({vm.key: KnownVm(vm, at)}))
    api.world.vanish(machine.id)
    assert "0.005000 USDC an hour" in run("vm", "show", "web").out

"""What everything that runs would cost now: `market`, and the rule that compares it."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator.actions import AddAddress, AddDisk, SetBalance, Withhold
from fluence_watch.simulator.catalog import DATACENTERS, Datacenter
from fluence_watch.simulator.gpu import GpuKind, GpuState
from fluence_watch.simulator.gpu_actions import AddGpu, SetGpu
from fluence_watch.simulator.market import PriceList

# ruff: noqa: ANN401 - the classes of the fixtures are in conftest.py, which is not imported

Run = Callable[..., Any]
RULE = "[rules.overpriced]\nenabled = true\n"


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal with room for all columns."""
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def metered(serve: Callable[..., Any], configure: Callable[..., None]) -> Any:
    """A VM with its disk and its address, an archive of 2 TB, an address, three GPU instances."""
    served = serve(vms=1, dialect="all", metered=True)
    AddDisk("archive", gb=2_000).apply(served.world)
    AddAddress("spare").apply(served.world)
    for kind in GpuKind:
        AddGpu(f"gpu-{kind}", kind).apply(served.world)
    AddGpu("old").apply(served.world)
    SetGpu("old", state=GpuState.ENDED).apply(served.world)
    configure({"main": served.url}, "gpu = true\n" + RULE, dialect="cloud")
    return served


def market(api: Any, percent: int) -> None:
    """Let the market ask so much, as a user of the simulator does."""
    url = f"{api.url}/_control/market"
    answer = httpx.post(url, json={"percent": percent}, trust_env=False)
    assert 204 == answer.status_code


def rows(run: Run, *args: str, code: int = 0) -> dict[str, dict[str, Any]]:
    """What is shown, by name."""
    ran = run("market", *args, "-o", "json")
    assert code == ran.code
    return {each["name"]: each for each in json.loads(ran.out)}


def usdc(amount: int) -> str:
    return f"{Decimal(amount).scaleb(-6):.6f}"


def name_of(place: Datacenter) -> str:
    return f"{place.country}-{place.city}-{place.index}"


@pytest.mark.parametrize("dialect", ["v2", "v3"])
def test_prepaid_vms(
    run: Run, serve: Callable[..., Any], configure: Callable[..., None], dialect: str
) -> None:
    """A price of its own, the market's at its place and the least elsewhere, for a day."""
    api = serve(dialect=dialect)
    configure({"main": api.url}, dialect=dialect)
    market(api, 80)
    prices, shown = PriceList(80), rows(run)

    assert {machine.name for machine in api.world.listed()} == shown.keys()
    for machine in api.world.listed():
        size, place, row = machine.configuration, machine.datacenter, shown[machine.name]
        others = {name_of(p): prices.vm(size, p) for p in DATACENTERS if p != place}
        best = min(others, key=others.__getitem__)
        here = prices.vm(size, place)
        assert (usdc(machine.price), usdc(here), usdc(others[best]), best, name_of(place)) == (
            row["per_day"],
            row["market_here"],
            row["market_elsewhere"],
            row["best_place"],
            row["place"],
        )
        assert usdc(30 * max(0, machine.price - here)) == row["saves_here"]
        least = min(here, others[best])
        assert usdc(30 * max(0, machine.price - least)) == row["saves_at_best"]
        assert ("main", "vm", machine.id) == (row["account"], row["kind"], row["id"])


def test_everything_of_a_metered_account(run: Run, metered: Any) -> None:
    """VMs, disks, addresses and GPU instances, but what is over."""
    market(metered, 50)
    shown = rows(run)

    assert {"archive", "spare", "gpu-vm", "gpu-container", "gpu-bare_metal"} <= shown.keys()
    assert 8 == len(shown)
    archive, place = shown["archive"], DATACENTERS[0]
    here = 2_000 * PriceList(50).storage(place)
    assert ("disk", "NVME", "FR-PAR-1", usdc(here)) == (
        archive["kind"],
        archive["plan"],
        archive["place"],
        archive["market_here"],
    )
    assert "LT-VNO-1" == archive["best_place"]
    gpu = shown["gpu-vm"]
    assert ("29.280000", "14.640000", "FI", "439.200000") == (
        gpu["per_day"],
        gpu["market_here"],
        gpu["best_place"],
        gpu["saves_here"],
    )
    assert all(row["market_here"] for row in shown.values())


def test_the_table(run: Run, metered: Any) -> None:
    """With words for what is no VM, and what could be saved in all."""
    market(metered, 50)
    shown = list(rows(run).values())
    here, best = (
        sum(Decimal(row[key]) for row in shown) for key in ("saves_here", "saves_at_best")
    )
    ran = run("market")

    assert (0, "") == (ran.code, ran.err)
    for word in ("WHAT", "MARKET HERE", "disk archive", "public IP spare", "GPU VM gpu-vm", "US"):
        assert word in ran.out
    assert "ACCOUNT" not in ran.out
    assert "unknown" not in ran.out
    assert 0 < here < best
    assert ran.out.endswith(
        f"in 30 days, new ones at the same places save {here:,.2f} USDC, the cheapest {best:,.2f}\n"
    )


def test_a_market_that_is_dearer(run: Run, metered: Any) -> None:
    """Saves nothing, which is not negative."""
    market(metered, 300)
    assert {"0.000000"} == {row["saves_at_best"] for row in rows(run).values()}
    assert "save 0.00 USDC, the cheapest 0.00\n" in run("market").out


@pytest.mark.parametrize(
    ("references", "names"),
    [
        (("archive",), {"archive"}),
        (("gpu-*",), {"gpu-vm", "gpu-container", "gpu-bare_metal"}),
        (("gpu-v*", "spare"), {"gpu-vm", "spare"}),
        (("archive", "arch*"), {"archive"}),
        (("",), None),
    ],
)
def test_references(
    run: Run, metered: Any, references: tuple[str, ...], names: set[str] | None
) -> None:
    """Names and globs, in any number; each is shown once."""
    shown = rows(run, *references)
    assert (names is None and len(shown) == 8) or names == shown.keys()


def test_ids(run: Run, metered: Any) -> None:
    """Whole, or their beginning, in any letters."""
    whole = rows(run)["archive"]["id"]
    for text in (whole, whole[:8], whole[:8].upper()):
        assert {"archive"} == rows(run, text).keys()


def test_names_that_look_like_globs(run: Run, metered: Any) -> None:
    """A name means itself."""
    AddDisk("odd [1]", gb=1).apply(metered.world)
    assert {"odd [1]"} == rows(run, "odd [1]").keys()


@pytest.mark.parametrize("unknown", ["nothing", "arch", "old", "x*"])
def test_an_unknown_reference(run: Run, metered: Any, unknown: str) -> None:
    """Nothing that is billed is meant: it is said, also beside others that are shown."""
    ran = run("market", unknown)
    assert (1, "") == (ran.code, ran.out)
    assert f"nothing that runs is meant by: {unknown}\n" in ran.err
    assert {} == rows(run, unknown, code=1)

    ran = run("market", "archive", unknown)
    assert 1 == ran.code
    assert "archive" in ran.out
    assert f"nothing that runs is meant by: {unknown}\n" in ran.err


def test_nothing_to_compare(
    run: Run, serve: Callable[..., Any], configure: Callable[..., None]
) -> None:
    """An account without anything has no table."""
    configure({"main": serve(vms=0).url})
    ran = run("market")
    assert (0, "nothing costs money\n", "") == (ran.code, ran.out, ran.err)
    assert {} == rows(run)


def test_an_account_that_cannot_be_polled(
    run: Run, serve: Callable[..., Any], configure: Callable[..., None], unused_port: int
) -> None:
    """The other is shown; that this one is not known decides the exit code."""
    api = serve()
    configure({"main": api.url, "gone": f"http://127.0.0.1:{unused_port}"})
    ran = run("market")
    assert 3 == ran.code
    assert "fluence-watch: account gone: " in ran.err
    assert "ACCOUNT" not in ran.out
    assert "web-1" in ran.out
    assert 3 == len(rows(run, code=3))
    ran = run("market", "nothing")
    assert (3, False) == (ran.code, "is meant by" in ran.err)


def test_several_accounts(
    run: Run, serve: Callable[..., Any], configure: Callable[..., None]
) -> None:
    """Each thing has its account, and one can be chosen."""
    configure({"main": serve().url, "other": serve(vms=1).url})
    assert "ACCOUNT" in run("market").out
    ran = run("market", "--account", "other", "-o", "json")
    assert {"other"} == {row["account"] for row in json.loads(ran.out)}


def test_a_key_without_prices(run: Run, metered: Any) -> None:
    """What it costs is shown, and what instances would cost; why the rest is unknown is said."""
    Withhold(("prices:read",)).apply(metered.world)
    ran = run("market")

    assert 0 == ran.code
    for what in ("VM prices", "disk prices", "public IP prices"):
        assert f"fluence-watch: account main: {what} are not known in full: " in ran.err
    assert "(403)" in ran.err
    assert "GPU" not in ran.err
    shown = rows(run)
    assert (None, None) == (shown["archive"]["market_here"], shown["archive"]["saves_here"])
    assert shown["gpu-vm"]["market_here"]
    assert "unknown" in ran.out

    ran = run("check")
    assert 3 == ran.code
    assert "not judged: account main: " in ran.err
    assert "overpriced" in ran.err


def test_a_key_that_may_not_list_disks(run: Run, metered: Any) -> None:
    """Those that are missing are named, or the table would look whole."""
    Withhold(("storage:read",)).apply(metered.world)
    ran = run("market")
    assert "fluence-watch: account main: disks are not known in full: " in ran.err
    assert "archive" not in ran.out
    assert "spare" in ran.out


def test_the_rule(run: Run, metered: Any) -> None:
    """Calm while the market asks what is paid; then it names what is dearer by both bounds."""
    SetBalance(10**12).apply(metered.world)
    for machine in metered.world.listed():
        percent = machine.datacenter.percent
        price = machine.configuration.price * percent // 100
        metered.world.set_price(machine.id, MicroUsdc(price))
    before = {each["rule"] for each in json.loads(run("check", "-o", "json").out)}
    assert "overpriced" not in before

    market(metered, 80)
    ran = run("check", "-o", "json")
    found = [each for each in json.loads(ran.out) if each["rule"] == "overpriced"]
    (machine,) = metered.world.listed()
    assert [machine.name] == [each["vm_name"] for each in found if each["vm_name"]]
    things = [each["what"].partition(" (")[0] for each in found if not each["vm_name"]]
    assert [
        "GPU VM gpu-vm",
        "GPU container gpu-container",
        "GPU server gpu-bare_metal",
        "disk archive",
    ] == sorted(things)
    assert {"info"} == {each["severity"] for each in found}
    shown = run("check").out
    assert "overpriced" in shown
    assert "the market asks" in shown

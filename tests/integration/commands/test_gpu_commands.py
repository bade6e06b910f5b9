"""Commands on GPU instances, beside VMs."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from fluence_watch.model.note import NoteAction
from fluence_watch.simulator.dialects.gpu import SECRET
from fluence_watch.simulator.gpu import GpuInstance, GpuKind, GpuState
from fluence_watch.simulator.gpu_actions import AddGpu, SetGpu
from fluence_watch.store import Store

# ruff: noqa: ANN401 - the classes of the fixtures are in conftest.py, which is not imported

Run = Callable[..., Any]
STORE = "sqlite:///fluence-watch.db"


@pytest.fixture
def api(
    serve: Callable[..., Any], configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> Any:
    """A container, a VM and a server that cost 1.22, 0.76 and 10 an hour, and one that has ended."""
    monkeypatch.setenv("COLUMNS", "160")
    served = serve(vms=1)
    for name, kind, price in (
        ("trainer", GpuKind.CONTAINER, 1_220_000),
        ("notebook", GpuKind.VM, 760_000),
        ("metal", GpuKind.BARE_METAL, 10_000_000),
        ("old", GpuKind.CONTAINER, 1_220_000),
    ):
        AddGpu(name, kind, price).apply(served.world)
    SetGpu("old", state=GpuState.ENDED).apply(served.world)
    configure({"main": served.url}, "gpu = true\n")
    return served


def the(api: Any, name: str) -> GpuInstance:
    return next(each for each in api.world.gpus.values() if each.name == name)


def test_they_cost_money(run: Run, api: Any) -> None:
    """In the forecast, beside the VMs, by hours of the clock."""
    answer = json.loads(run("forecast", "-o", "json").out)
    (total,), (vm,) = answer["accounts"], answer["vms"]
    burn = {each["name"]: each["burn_per_day"] for each in answer["resources"]}

    assert {"trainer": "29.280000", "notebook": "18.240000", "metal": "240.000000"} == {
        name: amount for name, amount in burn.items() if name != "old"
    }
    assert "0.000000" == burn["old"]
    assert float(total["burn_per_day"]) == pytest.approx(287.52 + float(vm["burn_per_day"]))
    assert 3 == total["gpus"]
    assert (None, None) == (total["disks"], total["public_ips"])


def test_listing(run: Run, api: Any) -> None:
    """Those that are billed; the others on request."""
    shown = run("gpu", "ls").out
    assert all(name in shown for name in ("trainer", "notebook", "metal", "1 x a100", "in 2 h"))
    assert "old" not in shown
    assert "old" in run("gpu", "ls", "--all").out
    (one,) = json.loads(run("gpu", "ls", "train*", "-o", "json").out)
    assert ("gpu_container", "1.220000", "2.440000", "1.220000", ["22/tcp at 32345"]) == (
        one["kind"],
        one["price_per_hour"],
        one["reserved"],
        one["spent"],
        one["forwards"],
    )


def test_showing(run: Run, api: Any) -> None:
    SetGpu("trainer", started=False).apply(api.world)
    shown = run("gpu", "show", "trainer")
    assert 0 == shown.code
    for fact in ("active, its program has not started", "22/tcp at 32345", "1.220000 USDC an hour"):
        assert fact in shown.out
    assert "2.440000" == json.loads(run("gpu", "show", "trainer", "-o", "json").out)["reserved"]
    assert 2 == run("gpu", "show", "trainr").code
    assert 2 == run("gpu", "show", "*").code


def test_renaming(run: Run, api: Any) -> None:
    """A VM and a server; a container cannot be renamed."""
    assert 0 == run("gpu", "rename", "notebook", "lab", "--dry-run").code
    assert the(api, "notebook")
    ran = run("gpu", "rename", "notebook", "lab", "--yes")
    assert (0, "") == (ran.code, ran.err)
    assert the(api, "lab").kind is GpuKind.VM
    ran = run("gpu", "rename", "trainer", "lab", "--yes")
    assert 1 == ran.code
    assert "cannot rename a GPU container" in ran.err
    assert 2 == run("gpu", "rename", "metal", " ", "--yes").code


def test_ending(run: Run, api: Any) -> None:
    """What is lost and released is shown; the watcher hears of it."""
    Store.open(STORE).close()
    shown = run("gpu", "rm", "trainer", "--dry-run")
    assert "all on it is lost" in shown.out
    assert "29.280000 USDC a day until it is deleted; 2.440000 USDC of reserve" in shown.out
    assert GpuState.ACTIVE is the(api, "trainer").state
    assert 1 == run("gpu", "rm", "trainer").code

    ran = run("gpu", "rm", "trainer", "--yes")
    assert (0, "") == (ran.code, ran.err)
    assert GpuState.ENDED is the(api, "trainer").state
    with Store.open(STORE) as store:
        (note,) = store.notes("main")
    key = f"gpu_container:{the(api, 'trainer').id}"
    assert (NoteAction.RESOURCE_REMOVED, key) == (note.action, note.subject)
    assert 2 == run("gpu", "rm", "trainer", "--yes").code  # it is over


def test_ending_several(run: Run, api: Any) -> None:
    ran = run("gpu", "rm", "train*", "metal", "--yes")
    assert 0 == ran.code
    assert "2 GPU instances: 269.280000 USDC a day less" in ran.out
    assert GpuState.ACTIVE is the(api, "notebook").state


def test_one_that_is_billed_and_does_not_run(run: Run, api: Any) -> None:
    """`check` is one look, so it ignores `for`."""
    SetGpu("trainer", started=False).apply(api.world)
    ran = run("check")
    assert 1 == ran.code
    assert "is billed and does not run" in ran.out


def test_a_key_that_is_refused_there(run: Run, api: Any) -> None:
    """Only that is unknown, loudly; VMs are watched as before."""
    api.world.forbidden = frozenset({"/gpu/instances/vms"})
    listed = run("gpu", "ls")
    assert 3 == listed.code
    assert "account main: GPU VMs: the API key was refused (403)" in listed.err
    assert "trainer" in listed.out
    assert 3 == run("gpu", "rm", "trainer", "--yes").code
    assert 3 == run("check").code
    assert 0 == run("vm", "ls").code


def test_without_the_setting(run: Run, serve: Any, configure: Callable[..., None]) -> None:
    """Nothing of `/gpu` is requested, and the listing says why it is empty."""
    api = serve(vms=1)
    configure({"main": api.url})
    AddGpu("trainer").apply(api.world)
    ran = run("gpu", "ls")
    assert (0, "no account has `gpu = true`: GPU instances are not read\n") == (ran.code, ran.out)
    assert 0 == run("check").code


@pytest.mark.parametrize(
    "command",
    [
        ("check",),
        ("forecast", "-o", "json"),
        ("gpu", "ls", "--all", "-o", "json"),
        ("gpu", "show", "trainer", "-o", "json"),
    ],
    ids=" ".join,
)
def test_variables_of_containers_are_shown_nowhere(
    run: Run, api: Any, command: tuple[str, ...]
) -> None:
    ran = run(*command)
    assert SECRET not in ran.out + ran.err

"""The faults of lists, in the shapes of `v3` and `cloud`."""

from collections.abc import Callable

import httpx
import pytest

from fluence_watch.simulator import PROFILES, Fault, FaultKind, FaultPlan, SettableClock, World
from fluence_watch.simulator.spoil import HOSTILE_TEXTS

Speak = Callable[..., httpx.AsyncClient]
LISTS = [
    ("v3", "/vms/v3"),
    ("cloud", "/v2/vms"),
    ("cloud", "/v1/security_groups"),
    ("cloud", "/v1/public_ips"),
    ("cloud", "/v1/storages"),
]


def items(response: httpx.Response) -> list:
    payload = response.json()
    return payload["items"] if isinstance(payload, dict) else payload


@pytest.mark.parametrize(("dialect", "path"), LISTS)
@pytest.mark.parametrize("seed", range(4))
async def test_lists_that_are_wrong_for_one_poll(
    speak: Speak, world: World, clock: SettableClock, dialect: str, path: str, seed: int
) -> None:
    """Each fault shows in the elements, what is told of the pages stays; then all is well."""
    plan = FaultPlan(seed=seed)
    kinds = ("malformed-element", "empty-list", "short-list", "duplicate-ids")
    for kind in kinds:
        plan.queue(Fault(FaultKind(kind)))
    async with speak(world, clock, dialect, plan) as client:
        answers = [await client.get(path) for _ in range(5)]
    malformed, empty, short, double, good = map(items, answers)
    assert 1 == sum(a != b for a, b in zip(good, malformed, strict=True))
    assert [] == empty
    assert 0 < len(short) < len(good) == 6
    assert good == double[:-1]
    assert double[-1]["id"] in {each["id"] for each in good}
    assert double[-1].get("vmName", double[-1].get("name")) == "duplicate"
    assert dialect == "v3" or answers[1].json()["pagination"] == answers[4].json()["pagination"]


@pytest.mark.parametrize(("dialect", "path"), LISTS)
async def test_cut_json(
    speak: Speak, world: World, clock: SettableClock, dialect: str, path: str
) -> None:
    """Half a document with the status of a whole one."""
    plan = FaultPlan()
    plan.queue(Fault(FaultKind.TRUNCATED_JSON))
    async with speak(world, clock, dialect, plan) as client:
        response = await client.get(path)
    assert response.status_code == 200
    with pytest.raises(ValueError, match="char"):
        response.json()


async def test_fields_that_are_unknown(speak: Speak, world: World, clock: SettableClock) -> None:
    """What the API may leave out is null, and the VM is the same one."""
    plan = FaultPlan()
    plan.queue(Fault(FaultKind.NULL_FIELDS))
    async with speak(world, clock, "v3", plan) as client:
        blank, good = [items(await client.get("/vms/v3"))[0] for _ in range(2)]
    nulled = {key for key, value in blank.items() if value is None and good[key] is not None}
    assert {"publicIp", "pricePerEpoch", "reservedBalance", "totalSpent"} <= nulled
    assert {key: good[key] for key in good.keys() - nulled} | dict.fromkeys(nulled) == blank


KEPT = (
    "id", "status", "createdAt", "nextBillingAt", "paidUntil", "lastPaidAt", "priceHourlyUsd",
    "clusterId", "networkInterfaces", "allowedActions", "pricePerEpoch", "reservedBalance",
    "ingressRules", "volumeGb", "storageType", "bootDisk",
)  # fmt: skip


@pytest.mark.parametrize(("dialect", "path"), LISTS)
async def test_hostile_text_is_only_in_texts(
    speak: Speak, world: World, clock: SettableClock, dialect: str, path: str
) -> None:
    """Names and addresses attack; ids, times, amounts and rules stay what they are."""
    async with speak(world, clock, dialect, FaultPlan(PROFILES["hostile"])) as client:
        hostile = items(await client.get(path))
    async with speak(world, clock, dialect) as client:
        good = items(await client.get(path))
    for before, after in zip(good, hostile, strict=True):
        assert after.get("vmName", after.get("name")) in HOSTILE_TEXTS
        assert after.get("address", HOSTILE_TEXTS[0]) in HOSTILE_TEXTS
        assert {key: before.get(key) for key in KEPT} == {key: after.get(key) for key in KEPT}

"""The GPU cloud: published answers, hostile ones, and how often something is requested."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from fluence_watch.errors import ApiError, RefusedError, UnauthorizedError
from fluence_watch.fluence import ClientConfig, FluenceClient
from fluence_watch.model.funding import funded_until, resources_burn
from fluence_watch.model.resource import GPUS, Forward, Kind, Resource

SAMPLES = Path(__file__).parents[2] / "fixtures" / "gpu"
CONTAINERS = "/gpu/instances/"
ACTIVE = "b54672e2-0a8b-490f-81ee-7d5a868471fc"
OVER = "9933463e-4b49-4a56-867d-e66d4200e649"
HOUR = timedelta(hours=1)


def sample(name: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads((SAMPLES / f"{name}.json").read_bytes())


@dataclass
class Api:
    """Answers by path; what it does not know is 404. `requests` are the paths."""

    answers: dict[str, object] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer."""
        path = scope["path"]
        self.requests.append(path)
        known = path in self.answers
        status = self.status.get(path, 200 if known else 404)
        said = self.answers.get(path, {"detail": "Not Found"})
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
def api() -> Api:
    """The published answers."""
    ended = sample("container-ended") | {"id": OVER}
    return Api(
        {
            CONTAINERS: sample("containers-list"),
            f"{CONTAINERS}{ACTIVE}": sample("container-active"),
            f"{CONTAINERS}{OVER}": ended,
            "/gpu/instances/vms": [sample("vm-active")],
            f"/gpu/instances/vms/{sample('vm-active')['id']}": sample("vm-active"),
            "/gpu/instances/baremetal": [],
        }
    )


@pytest.fixture
async def client(api: Api) -> AsyncIterator[FluenceClient]:
    config = ClientConfig("k", "http://api", gpu=True, timeout=2.0)
    async with FluenceClient(config, transport=httpx.ASGITransport(api)) as made:
        yield made


async def test_containers(client: FluenceClient) -> None:
    """As published: the active one with its money, the one that is over with what it had cost."""
    listed = await client.list_resources(Kind.GPU_CONTAINER)
    active, over = listed.found

    assert () == listed.flaws
    assert Resource(
        Kind.GPU_CONTAINER,
        ACTIVE,
        "fuchsia-hawk-4706",
        "ACTIVE",
        price=1_220_000,
        created_at=datetime(2026, 2, 7, 14, 42, 29, 472381, tzinfo=UTC),
        address="provider.a100.pub",
        reserved=2_440_000,
        spent=1_220_000,
        next_billing_at=datetime(2026, 2, 7, 15, tzinfo=UTC),
        changed_at=datetime(2026, 2, 7, 14, 43, 41, 901135, tzinfo=UTC),
        location="US",
        gpu="1 x a100",
        is_running=True,
        forwards=(Forward(22, 32345, "tcp"),),
        plan="1 x a100 80gi sxm, 1 vCPU, 1gi, 1gi",
    ) == active  # fmt: skip
    assert datetime(2026, 2, 7, 17, tzinfo=UTC) == funded_until(active, active.billing)
    assert (False, 26_800_000, False) == (over.is_billed, over.spent, over.is_idle)
    assert 24 * 1_220_000 == resources_burn(listed.found)


async def test_vms(client: FluenceClient) -> None:
    """Their status has another name; a list without ports is none."""
    (vm,) = (await client.list_resources(Kind.GPU_VM)).found

    assert ("ACTIVE", 760_000, 760_000, 1_510_000) == (
        vm.status_word,
        vm.price,
        vm.reserved,
        vm.spent,
    )
    assert ("us-central-3", (), None) == (vm.location, vm.forwards, vm.is_running)
    assert () == (await client.list_resources(Kind.GPU_BARE_METAL)).found


async def test_what_is_over_is_requested_once(client: FluenceClient, api: Api) -> None:
    """Its money does not change any more; that of an active one is requested each time."""
    first = await client.list_resources(Kind.GPU_CONTAINER)
    await client.list_resources(Kind.GPU_VM)  # of another kind: forgets nothing
    api.requests.clear()
    again = await client.list_resources(Kind.GPU_CONTAINER)

    assert first == again
    assert [CONTAINERS, f"{CONTAINERS}{ACTIVE}"] == api.requests


async def test_an_instance_that_ends_is_requested_again(client: FluenceClient, api: Api) -> None:
    await client.list_resources(Kind.GPU_CONTAINER)
    api.answers[CONTAINERS][0]["instance_status"] = "ENDED"
    api.answers[f"{CONTAINERS}{ACTIVE}"]["instance_status"] = "ENDED"
    api.answers[f"{CONTAINERS}{ACTIVE}"]["billing"]["total_spendings"] = 9
    ended, _ = (await client.list_resources(Kind.GPU_CONTAINER)).found

    assert (False, 9_000_000) == (ended.is_billed, ended.spent)


async def test_one_whose_money_cannot_be_read(client: FluenceClient, api: Api) -> None:
    """It is there, its price is unknown, and why is said; the other one is as before."""
    api.status[f"{CONTAINERS}{ACTIVE}"] = 403
    listed = await client.list_resources(Kind.GPU_CONTAINER)
    active, over = listed.found

    assert (None, True, 26_800_000) == (active.price, active.is_billed, over.spent)
    (flaw,) = listed.flaws
    assert flaw.startswith(f"{ACTIVE}: the API key was refused (403)")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"billing": {"hourly_usage": -1}}, "a price is never negative"),
        ({"billing": {"hourly_usage": 1e300}}, "more than ten billion USD"),
        ({"billing": {"hourly_usage": "NaN"}}, "NaN is not an amount of USD"),
        ({"billing": {"hourly_usage": [1]}}, "Expected"),
        ({"billing": {"next_billing_period": "soon"}}, "soon"),
        ({"network": {"forwarded_ports": [{"port": 0, "external_port": 1}]}}, "is not a port"),
        ({"network": {"forwarded_ports": [{"port": "22\n", "external_port": 1}]}}, "is not a port"),
        ({"id": ""}, "Expected"),
    ],
)
async def test_answers_that_make_no_sense(
    client: FluenceClient, api: Api, change: Mapping[str, object], why: str
) -> None:
    """They are a flaw of that instance, and no money is made up."""
    api.answers[f"{CONTAINERS}{ACTIVE}"] |= change
    listed = await client.list_resources(Kind.GPU_CONTAINER)

    assert listed.found[0].price is None
    assert why in listed.flaws[0]
    assert 26_800_000 == listed.found[1].spent


async def test_amounts_are_read_from_their_text(client: FluenceClient, api: Api) -> None:
    """No float between the wire and the amount; a fraction of a micro-USDC is rounded."""
    bill = b'{"hourly_usage":0.1234565000000001,"reserved_amount":9007199254.740993001}'
    api.answers[f"{CONTAINERS}{ACTIVE}"] = (
        b'{"id":"%s","instance_status":"ACTIVE","billing":%s}' % (ACTIVE.encode(), bill)
    )
    active = (await client.list_resources(Kind.GPU_CONTAINER)).found[0]

    assert (123_457, 9_007_199_254_740_993) == (active.price, active.reserved)


@pytest.mark.parametrize("body", [b"{}", b"[", b"null", b'"x"', b"[[[[", b""])
async def test_what_is_no_list(client: FluenceClient, api: Api, body: bytes) -> None:
    api.answers[CONTAINERS] = body
    with pytest.raises(ApiError):
        await client.list_resources(Kind.GPU_CONTAINER)


async def test_a_key_that_is_refused(client: FluenceClient, api: Api) -> None:
    """With the words of the API."""
    api.status[CONTAINERS] = 403
    api.answers[CONTAINERS] = {"detail": "GPU is not enabled"}
    with pytest.raises(UnauthorizedError, match="GPU is not enabled"):
        await client.list_resources(Kind.GPU_CONTAINER)


async def test_problems_of_fields_are_told(client: FluenceClient, api: Api) -> None:
    """FastAPI's form of an error, without what was sent."""
    api.status[f"/gpu/instances/vms/{ACTIVE}"] = 422
    api.answers[f"/gpu/instances/vms/{ACTIVE}"] = {
        "detail": [{"loc": ["body", "name"], "msg": "too long", "type": "x", "input": "secret"}]
    }
    with pytest.raises(RefusedError, match=r"\(422\): too long$"):
        await client.rename_gpu(Kind.GPU_VM, ACTIVE, "n" * 99)


@pytest.mark.parametrize("call", ["delete_resource", "rename_gpu"])
@pytest.mark.parametrize("instance_id", ["", "..", "vms", "a/b", "x?y", "é"])
async def test_ids_that_lead_elsewhere(
    client: FluenceClient, api: Api, call: str, instance_id: str
) -> None:
    """Nothing is requested."""
    arguments = [Kind.GPU_VM, instance_id, *(["new"] if call == "rename_gpu" else [])]
    method: Callable[..., Any] = getattr(client, call)
    with pytest.raises(RefusedError):
        await method(*arguments)
    assert [] == [path for path in api.requests if path != f"/gpu/instances/vms/{instance_id}"]


async def test_without_gpu_nothing_is_requested(api: Api) -> None:
    config = ClientConfig("k", "http://api", timeout=1.0)
    async with FluenceClient(config, transport=httpx.ASGITransport(api)) as client:
        assert not set(GPUS) & set(client.kinds)
        with pytest.raises(RefusedError):
            await client.list_resources(Kind.GPU_VM)
        with pytest.raises(RefusedError):
            await client.rename_gpu(Kind.GPU_VM, ACTIVE, "new")
    assert [] == api.requests


async def test_the_variables_of_a_container_are_not_kept(client: FluenceClient) -> None:
    """`container_info.environment` holds secrets."""
    listed = await client.list_resources(Kind.GPU_CONTAINER)
    assert "AAAAC3" not in repr(listed)
    assert "AAAAC3" not in repr(vars(client))
    assert "AAAAC3" in json.dumps(sample("container-active"))  # it was there

from collections.abc import Awaitable, Callable
from typing import Protocol

import pytest
import structlog.testing

from fluence_watch.errors import (
    ApiError,
    RateLimitedError,
    RefusedError,
    ServerError,
    UnauthorizedError,
    UnexpectedPayloadError,
    UnreachableError,
)
from fluence_watch.fluence import FluenceClient
from fluence_watch.simulator import World

Connect = Callable[..., FluenceClient]
Simulated = Callable[..., Awaitable[tuple[World, FluenceClient]]]

PAGE = (
    '{"items": [], "pagination": {"currentPage": 1, "perPage": 1, "totalPages": 0, '
    '"totalRecords": 0, "filteredRecords": 0}}'
)


class ScriptedApi(Protocol):
    """What the tests use of the fixture `api`."""

    answers: list[object]
    requests: list[tuple[str, dict[str, str]]]

    def says(self, body: bytes | str = b"[]", status: int = 200, **rest: object) -> None:
        """Add an answer."""


@pytest.mark.parametrize(
    ("spoken", "found"), [("all", "cloud"), ("cloud", "cloud"), ("v3", "v3"), ("v2", "v2")]
)
async def test_newest_dialect_is_found(simulated: Simulated, spoken: str, found: str) -> None:
    """Of what an API speaks the newest dialect is taken, and it is said which."""
    _, client = await simulated("auto", spoken=spoken)
    assert ("auto", None) == (client.dialect, client.billing)

    with structlog.testing.capture_logs() as lines:
        listing = await client.list_vms()

    assert 4 == len(listing.vms)
    assert found == client.dialect
    assert [("dialect found", found)] == [(line["event"], line["dialect"]) for line in lines]


async def test_it_is_found_once(api: ScriptedApi, connect: Connect) -> None:
    """The search is not repeated: a dialect that was found stays, whatever comes later."""
    api.says("no", 404)
    api.says("[]")
    api.says("[]")
    api.says("gone", 404)
    client = connect(dialect="auto")

    await client.list_vms()
    with pytest.raises(RefusedError):
        await client.list_vms()

    assert "v3" == client.dialect
    paths = [line.split()[1] for line, _ in api.requests]
    assert ["/v2/vms?perPage=1", "/vms/v3", "/vms/v3", "/vms/v3"] == paths


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405])
async def test_what_is_not_this_dialect(api: ScriptedApi, connect: Connect, status: int) -> None:
    """A refused key and an unknown path mean that the next dialect may be the one."""
    api.says("no", status)
    api.says("no", status)
    api.says("[]")
    client = connect(dialect="auto")

    await client.list_vms()

    assert "v2" == client.dialect


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"status": 500}, ServerError),
        ({"status": 429}, RateLimitedError),
        ({"cut": True}, UnreachableError),
        ({"body": "<html>"}, UnexpectedPayloadError),
        ({"status": 409}, RefusedError),
        ({"status": 302}, RefusedError),
    ],
)
async def test_what_does_not_decide(
    api: ScriptedApi, connect: Connect, answer: dict[str, object], error: type[ApiError]
) -> None:
    """A failure is no ground to take an older dialect: the next call tries again."""
    api.says(**answer)
    client = connect(dialect="auto", timeout=0.6)
    with pytest.raises(error):
        await client.list_vms()
    assert "auto" == client.dialect

    api.answers.clear()
    api.says(PAGE)
    await client.list_vms()

    assert "cloud" == client.dialect


@pytest.mark.parametrize(
    ("statuses", "error"), [((401, 404, 403), UnauthorizedError), ((400, 404, 405), RefusedError)]
)
async def test_none_works(
    api: ScriptedApi, connect: Connect, statuses: tuple[int, ...], error: type[ApiError]
) -> None:
    """The error tells what each dialect answered, and that the key is the trouble where it is."""
    for status in statuses:
        api.says('{"error": "no"}', status)

    with pytest.raises(error) as caught:
        await connect(dialect="auto").list_vms()

    for name, status in zip(("cloud", "v3", "v2"), statuses, strict=True):
        assert f"{name}: the API" in str(caught.value)
        assert f"({status})" in str(caught.value)


@pytest.mark.parametrize(("status", "hint"), [(404, True), (405, True), (400, False), (409, False)])
async def test_another_dialect_is_suggested(
    api: ScriptedApi, connect: Connect, status: int, *, hint: bool
) -> None:
    """Where an API does not know the path of the dialect, the error says what to write."""
    api.says('{"error": "no"}', status)

    with pytest.raises(RefusedError) as caught:
        await connect(dialect="v2").list_vms()

    assert status == caught.value.status
    text = str(caught.value)
    assert hint == text.endswith(
        'this API may not speak v2: try dialect = "auto" for the account'
    ), text

import asyncio
import gzip
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import pytest

from fluence_watch.errors import (
    ApiError,
    BodyTooLargeError,
    RateLimitedError,
    RefusedError,
    ServerError,
    UnauthorizedError,
    UnexpectedPayloadError,
    UnreachableError,
)
from fluence_watch.fluence import FluenceClient, RequestRecord

Connect = Callable[..., FluenceClient]

KEY = "s3cret-key"
BOTH = {"x-api-key": KEY, "authorization": f"Bearer {KEY}"}


class ScriptedApi(Protocol):
    """What the tests use of the fixture `api`."""

    url: str
    asked: asyncio.Event
    requests: list[tuple[str, dict[str, str]]]

    def says(self, body: bytes | str = b"[]", status: int = 200, **rest: object) -> None:
        """Add an answer."""

    def says_gzip(self, body: bytes) -> None:
        """Add an answer with a compressed body."""


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ("both", BOTH),
        ("x-api-key", {"x-api-key": KEY}),
        ("bearer", {"authorization": f"Bearer {KEY}"}),
    ],
)
async def test_auth_header(
    api: ScriptedApi, connect: Connect, auth: str, expected: dict[str, str]
) -> None:
    """The key travels in the headers that `auth` names, and in no other."""
    api.says()

    await connect(auth=auth).list_vms()

    headers = api.requests[0][1]
    assert expected == {name: headers[name] for name in headers if KEY in headers[name]}


async def test_auth_header_of_cloud(api: ScriptedApi, connect: Connect) -> None:
    """Where a bearer is a login token the key travels as `X-API-KEY`, and nowhere without need."""
    api.says('{"maintenanceMode": false, "version": "1"}')
    api.says('{"permissions": []}')
    client = connect(dialect="cloud")

    await client.service_status()
    await client.permissions()

    sent = [{k: v for k, v in headers.items() if KEY in v} for _, headers in api.requests]
    assert [{}, {"x-api-key": KEY}] == sent


async def test_request(api: ScriptedApi, connect: Connect) -> None:
    """The request names its path, the program, and the compression that can be read."""
    api.says()

    await connect().list_vms()

    (line, headers) = api.requests[0]
    assert "GET /vms/v2 HTTP/1.1" == line
    assert "gzip" == headers["accept-encoding"]
    assert f"fluence-watch/{version('fluence-watch')}" == headers["user-agent"]


async def test_base_path(api: ScriptedApi, connect: Connect) -> None:
    """A base URL with a path, as of a gateway, keeps it."""
    api.says()

    await connect(base_url=f"{api.url}/gateway/").list_vms()

    assert "GET /gateway/vms/v2 HTTP/1.1" == api.requests[0][0]


async def test_netrc_is_not_read(
    api: ScriptedApi, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login in ~/.netrc for the host does not take the place of the key."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login joe password doe\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    api.says()

    await connect().list_vms()

    assert f"Bearer {KEY}" == api.requests[0][1]["authorization"]


async def test_proxy_of_the_environment(
    api: ScriptedApi, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that the environment names is used."""
    monkeypatch.setenv("HTTP_PROXY", api.url)
    api.says()

    await connect(base_url="http://fluence.invalid").list_vms()

    assert "GET http://fluence.invalid/vms/v2 HTTP/1.1" == api.requests[0][0]


@pytest.mark.parametrize(
    ("status", "error", "text"),
    [
        (401, UnauthorizedError, "the API key was refused (401): no such thing; check"),
        (403, UnauthorizedError, "the API key was refused (403): no such thing; check"),
        (402, RefusedError, "the API refused the request (402): no such thing"),
        (404, RefusedError, "the API refused the request (404): no such thing"),
        (422, RefusedError, "the API refused the request (422): no such thing"),
    ],
)
async def test_refusals_are_not_retried(
    api: ScriptedApi,
    connect: Connect,
    records: list[RequestRecord],
    status: int,
    error: type[ApiError],
    text: str,
) -> None:
    """A 4xx that waiting cannot mend fails at once, with its status and what the API said."""
    api.says('{"error": "no such thing"}', status)

    with pytest.raises(error) as caught:
        await connect().list_vms()

    assert str(caught.value).startswith(text)
    assert status == caught.value.status
    assert [error.reason] == [record.failure for record in records]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": "line\\n\\u001b[31mred\\u202e  and\\u0000more"}', ": line red and more"),
        (b'{"error": "%s"}' % (b"x" * 5000), ": " + "x" * 199 + "…"),
        (b'{"error": "you sent Bearer s3cret-key"}', ": you sent Bearer ***"),
        (b'{"error": "%s s3cret-key"}' % (b"x" * 194), ": " + "x" * 194 + " ***"),
        (b"<h1>Forbidden</h1>", ""),
        (b'{"error": 7}', ""),
        (b'{"error": ' + b"[" * 50_000, ""),
        (b'{"error": "%s"}' % (b"x" * 100_000), ""),
        (b"\xff\xfe", ""),
        (b"", ""),
    ],
)
async def test_error_text(api: ScriptedApi, connect: Connect, body: bytes, said: str) -> None:
    """What an error body says is shown as one short printable line, without the key."""
    api.says(body, 409)

    with pytest.raises(RefusedError) as caught:
        await connect().list_vms()

    assert f"the API refused the request (409){said}" == str(caught.value)


@pytest.mark.parametrize(
    "location", ["https://evil.example/s3cret-key", "http://[bad", "/vms/v2", ""]
)
async def test_redirects_are_not_followed(
    api: ScriptedApi, connect: Connect, location: str
) -> None:
    """A redirect is refused or unreadable, and no second request carries the key anywhere."""
    api.says(b"", 302, headers={"Location": location})

    with pytest.raises(ApiError) as caught:
        await connect(timeout=0.3).list_vms()

    assert KEY not in str(caught.value)
    assert {"GET /vms/v2 HTTP/1.1"} == {line for line, _ in api.requests}


async def test_redirect_text(api: ScriptedApi, connect: Connect) -> None:
    """The error of a redirect says where it points to and what to check."""
    api.says(b"", 301, headers={"Location": "https://new.example/"})

    with pytest.raises(RefusedError, match=r"to https://new\.example/ \(301\).*base_url") as caught:
        await connect().list_vms()

    assert 301 == caught.value.status
    assert 1 == len(api.requests)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_passing_failures_are_retried(
    api: ScriptedApi, connect: Connect, records: list[RequestRecord], status: int
) -> None:
    """After a 429 or 5xx the next try may bring the list; each try is recorded."""
    api.says(b"busy", status)
    api.says(b"[]")

    listing = await connect(timeout=1.0).list_vms()

    assert () == listing.vms
    first, second = records
    assert ("list_vms", "rate_limited" if status == 429 else "server_error") == (
        first.endpoint,
        first.failure,
    )
    assert second.failure is None
    assert 0 < second.seconds < 1


async def test_lasting_failure(api: ScriptedApi, connect: Connect) -> None:
    """A server that goes on failing is asked five times, then its failure is the answer."""
    api.says('{"error": "broken"}', 500)

    with pytest.raises(ServerError, match=r"^the API failed \(500\): broken$") as caught:
        await connect(timeout=0.3).list_vms()

    assert 500 == caught.value.status
    assert 2 <= len(api.requests) <= 5


@pytest.mark.parametrize(
    ("status", "after", "seconds"),
    [
        (429, "1", 1.0),
        (503, "Wed, 16 Apr 2025 18:00:01 GMT", 0.2),
        (429, "Wed, 16 Apr 2025 18:00:01 -0000", 0.2),
    ],
)
async def test_retry_after_is_kept_to(
    api: ScriptedApi, connect: Connect, status: int, after: str, seconds: float
) -> None:
    """The next try comes no sooner than the API asks, in seconds or as a date."""
    api.says(b"", status, headers={"Retry-After": after})
    api.says(b"[]")
    started = asyncio.get_running_loop().time()

    await connect(timeout=3.0).list_vms()

    assert seconds - 0.05 < asyncio.get_running_loop().time() - started < seconds + 1


@pytest.mark.parametrize(
    ("after", "seconds"), [("3600", 3600), ("Wed, 16 Apr 2025 19:00:00 GMT", 3600), ("2", 2)]
)
@pytest.mark.parametrize(("status", "error"), [(429, RateLimitedError), (503, ServerError)])
async def test_too_long_a_wait(
    api: ScriptedApi, connect: Connect, status: int, error: type[ApiError], after: str, seconds: int
) -> None:
    """A wait that the budget has no room for fails at once, saying how long it is."""
    api.says(b"", status, headers={"Retry-After": after})
    started = asyncio.get_running_loop().time()

    with pytest.raises(error, match=f"the API asks to wait {seconds} s") as caught:
        await connect(timeout=1.5).list_vms()

    assert seconds == pytest.approx(caught.value.retry_after, abs=1)
    assert 1 == len(api.requests)
    assert asyncio.get_running_loop().time() - started < 0.5


@pytest.mark.parametrize("after", ["soon", "-1", "0", "1e9", "9" * 5000, "", "²", "1.5"])
async def test_odd_retry_after(api: ScriptedApi, connect: Connect, after: str) -> None:
    """A Retry-After that says nothing leaves the wait to the backoff."""
    api.says(b"", 429, headers={"Retry-After": after})
    api.says(b"[]")

    await connect(timeout=1.0).list_vms()

    assert 2 == len(api.requests)


async def test_hanging_api(
    api: ScriptedApi, connect: Connect, records: list[RequestRecord]
) -> None:
    """An API that never answers is given up after the budget, two tries within it."""
    api.says(wait=5)
    started = asyncio.get_running_loop().time()

    with pytest.raises(
        UnreachableError, match=r"^no answer from \S+:\d+ within 0\.3 s \(an earlier try: "
    ):
        await connect(timeout=0.3).list_vms()

    assert 0.25 < asyncio.get_running_loop().time() - started < 1
    assert ["unreachable", "unreachable"] == [record.failure for record in records]


async def test_one_hanging_try(api: ScriptedApi, connect: Connect) -> None:
    """A try that hangs leaves room for one that does not."""
    api.says(wait=5)
    api.says(b"[]")

    assert () == (await connect(timeout=0.4).list_vms()).vms


async def test_failure_before_the_budget_ends(api: ScriptedApi, connect: Connect) -> None:
    """When the budget ends, an answer that the API did give is told, not that there was none."""
    api.says('{"error": "down"}', 503)
    api.says(wait=5)

    with pytest.raises(ServerError, match="down"):
        await connect(timeout=0.4).list_vms()


async def test_dripping_body(api: ScriptedApi, connect: Connect) -> None:
    """A body that keeps the connection busy past the budget is given up too."""
    api.says(b"[" + b" " * 100 + b"]", interval=0.03)

    with pytest.raises(UnreachableError, match=r"^no answer from \S+:\d+ within 0\.3 s$"):
        await connect(timeout=0.3).list_vms()


async def test_cut_connection(api: ScriptedApi, connect: Connect) -> None:
    """A connection that is cut before the answer is tried again."""
    api.says(cut=True)
    api.says(b"[]")

    assert () == (await connect(timeout=1.0).list_vms()).vms


async def test_truncated_body(
    api: ScriptedApi, connect: Connect, records: list[RequestRecord]
) -> None:
    """A body shorter than promised is not taken for the list, though it may parse."""
    api.says(b"[]", promised=100)

    with pytest.raises(UnreachableError, match=r"no answer from 127\.0\.0\.1"):
        await connect(timeout=0.3).list_vms()

    assert {"unreachable"} == {record.failure for record in records}


async def test_nobody_listens(api: ScriptedApi, connect: Connect) -> None:
    """A refused connection names the host, the port and the reason."""
    with pytest.raises(UnreachableError, match=r"no answer from 127\.0\.0\.1:1: "):
        await connect(base_url="http://127.0.0.1:1", timeout=0.3).list_vms()


async def test_not_http(api: ScriptedApi, connect: Connect) -> None:
    """A server that speaks something else is unreachable, not a crash."""
    api.says(headers={"Bad Header": "\x00"})

    with pytest.raises(UnreachableError):
        await connect(timeout=0.3).list_vms()


async def test_gzip(api: ScriptedApi, connect: Connect) -> None:
    """A compressed body is read."""
    api.says_gzip(b'[{"id": "0x1"}]')

    (vm,) = (await connect().list_vms()).vms
    assert "0x1" == vm.id


@pytest.mark.parametrize("size", [100, 101])
async def test_body_bound(api: ScriptedApi, connect: Connect, size: int) -> None:
    """A body of the largest size is read; one byte more is refused, without another try."""
    api.says(b"[" + b" " * (size - 2) + b"]")
    client = connect(max_body_bytes=100)

    if size == 100:
        assert () == (await client.list_vms()).vms
    else:
        with pytest.raises(BodyTooLargeError, match="larger than 100 bytes"):
            await client.list_vms()
    assert 1 == len(api.requests)


async def test_gzip_bomb(api: ScriptedApi, connect: Connect, records: list[RequestRecord]) -> None:
    """The bound counts what comes out of the compression, and no more than that is inflated."""
    api.says_gzip(b"[" + b" " * 10_000_000 + b"]")

    with pytest.raises(BodyTooLargeError):
        await connect(max_body_bytes=100_000).list_vms()

    assert ["body_too_large"] == [record.failure for record in records]


@pytest.mark.parametrize(
    ("encoding", "body", "text"),
    [
        ("gzip", b"[]", "damaged"),
        ("gzip", gzip.compress(b"[]", mtime=0)[:-9], "ends early"),
        ("gzip", gzip.compress(b"[]", mtime=0) + b"more", "goes on"),
        ("br", b"[]", "not requested: br"),
        ("gzip, gzip", b"[]", "not requested: gzip, gzip"),
    ],
)
async def test_bad_compression(
    api: ScriptedApi, connect: Connect, encoding: str, body: bytes, text: str
) -> None:
    """Compression that cannot be undone is an unexpected payload, and says why."""
    api.says(body, headers={"Content-Encoding": encoding})

    with pytest.raises(UnexpectedPayloadError, match=f"^body: .*{text}"):
        await connect().list_vms()


async def test_cancelling(api: ScriptedApi, connect: Connect) -> None:
    """A poll that is cancelled stops at once, and is not tried again."""
    api.says(wait=5)
    call = asyncio.create_task(connect(timeout=5.0).list_vms())
    await api.asked.wait()

    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    assert 1 == len(api.requests)

"""What becomes of a change whose answer does not come, over a real connection."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import pytest

from fluence_watch.errors import (
    ApiError,
    OutcomeUnknownError,
    RateLimitedError,
    RefusedError,
    ServerError,
    UnauthorizedError,
    UnexpectedPayloadError,
    UnreachableError,
)
from fluence_watch.fluence import AddedKey, FluenceClient, RequestRecord, SshKey
from fluence_watch.model.ports import SSH

Connect = Callable[..., FluenceClient]
Change = Callable[[FluenceClient], Awaitable[object]]

BEFORE = '[{"id": "0xAB", "vmName": "old", "ports": [{"port": 22, "protocol": "tcp"}]}]'
AFTER = BEFORE.replace("old", "new")
ENDING, GONE_BAD = (f'[{{"id": "0xAB", "status": "{s}"}}]' for s in ("TERMINATING", "FAILED"))
KEY = "ssh-ed25519 AAAA me@here"
LISTED = '[{"name": "mine", "fingerprint": "SHA256:x", "publicKey": "ssh-ed25519 AAAA"}]'


class ScriptedApi(Protocol):
    """What the tests use of the fixture `api`."""

    requests: list[tuple[str, dict[str, str]]]
    bodies: list[bytes]

    def says(self, body: bytes | str = b"[]", status: int = 200, **rest: object) -> None:
        """Add an answer."""


def methods(api: ScriptedApi) -> list[str]:
    """What was asked, in order."""
    return [line.split()[0] for line, _ in api.requests]


async def rename(client: FluenceClient) -> None:
    await client.update_vm("0xab", name="new")


DOUBTS: list[tuple[dict[str, Any], type[ApiError]]] = [
    ({"status": 500}, ServerError),
    ({"status": 503, "headers": {"Retry-After": "0"}}, ServerError),
    ({"cut": True}, UnreachableError),
    ({"wait": 5}, UnreachableError),
    ({"promised": 100}, UnreachableError),
    ({"headers": {"Content-Encoding": "br"}}, UnexpectedPayloadError),
]


@pytest.mark.parametrize(("answer", "error"), DOUBTS)
async def test_found_when_read_back(
    api: ScriptedApi, connect: Connect, answer: dict[str, Any], error: type[ApiError]
) -> None:
    """A change without an answer that is found in the list was made, and is not sent again."""
    api.says(**answer)
    api.says(AFTER)

    await rename(connect(timeout=1.5))

    assert ["PATCH", "GET"] == methods(api)


@pytest.mark.parametrize(("answer", "error"), DOUBTS[1:4])
async def test_not_found_when_read_back(
    api: ScriptedApi, connect: Connect, answer: dict[str, Any], error: type[ApiError]
) -> None:
    """One that is not found, a moment later either, is told as not made, and is not sent again."""
    api.says(**answer)
    api.says(BEFORE)

    with pytest.raises(
        error, match=r"^the VM 0xab was not changed: .*; name is not as requested when"
    ):
        await rename(connect(timeout=1.5))

    assert ["PATCH", "GET", "GET"] == methods(api)


async def test_found_a_moment_later(api: ScriptedApi, connect: Connect) -> None:
    """A change that the API makes while it is looked for was made."""
    api.says(status=502)
    api.says(BEFORE)
    api.says(AFTER)

    await rename(connect(timeout=1.5))

    assert ["PATCH", "GET", "GET"] == methods(api)


@pytest.mark.parametrize(
    "answer",
    [{"status": 403}, {"body": "<html>"}, {"body": '[{"id": "0xAB", "vmName": 7}]'}, {"cut": True}],
)
async def test_nothing_to_read_back(
    api: ScriptedApi, connect: Connect, answer: dict[str, Any]
) -> None:
    """When reading back fails, it is said that the outcome is unknown, and how to look."""
    api.says(status=500)
    api.says(**answer)

    with pytest.raises(OutcomeUnknownError) as caught:
        await rename(connect(timeout=1.5))

    text = str(caught.value)
    assert text.startswith("it is not known whether the VM 0xab was changed: the API failed (500)")
    assert text.endswith("check with `fluence-watch vm show 0xab`")
    assert 1 == methods(api).count("PATCH")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"status": 401}, UnauthorizedError),
        ({"status": 422, "body": '{"error": "no such VM"}'}, RefusedError),
        ({"status": 302, "headers": {"Location": "/elsewhere"}}, RefusedError),
    ],
)
async def test_clear_refusal(
    api: ScriptedApi, connect: Connect, answer: dict[str, Any], error: type[ApiError]
) -> None:
    """A refusal is the answer: nothing is read back."""
    api.says(**answer)

    with pytest.raises(error):
        await rename(connect())

    assert ["PATCH"] == methods(api)


async def test_too_many_requests(api: ScriptedApi, connect: Connect) -> None:
    """A change that was turned away by a rate limit is sent again, as it cannot have been made."""
    api.says(status=429)
    api.says(status=204)

    await rename(connect(timeout=1.5))

    assert ["PATCH", "PATCH"] == methods(api)


async def test_rate_limit_that_lasts(api: ScriptedApi, connect: Connect) -> None:
    """When the limit outlasts the budget, that is the answer, and nothing was changed."""
    api.says(status=429)

    with pytest.raises(RateLimitedError):
        await rename(connect(timeout=1.0))

    assert {"PATCH"} == set(methods(api))


async def test_nobody_listens(connect: Connect, records: list[RequestRecord]) -> None:
    """Without a connection the change was not made: it is tried again, and not read back."""
    with pytest.raises(UnreachableError):
        await rename(connect(base_url="http://127.0.0.1:1", timeout=1.5))

    assert {"update_vm"} == {record.endpoint for record in records}
    assert len(records) > 1


async def test_bodies(api: ScriptedApi, connect: Connect) -> None:
    """What `v2` and `v3` send is what their guides write."""
    api.says(status=204)
    for dialect in ("v2", "v3"):
        client = connect(dialect=dialect)
        await client.update_vm("0xAB", name="new", ports=[SSH])
        await client.update_vm("0xAB", ports=[])
        await client.delete_vm("0xAB")
        await client.delete_ssh_key("SHA256:x")

    update = {"id": "0xAB", "vmName": "new", "openPorts": [{"port": 22, "protocol": "tcp"}]}
    closed = {"id": "0xAB", "openPorts": []}
    assert [
        ("PATCH /vms/v2", update),
        ("PATCH /vms/v2", closed),
        ("DELETE /vms/v3", {"vmId": "0xAB"}),
        ("DELETE /ssh_keys", {"fingerprint": "SHA256:x"}),
        ("PATCH /vms/v3", {"updates": [update]}),
        ("PATCH /vms/v3", {"updates": [closed]}),
        ("DELETE /vms/v3", {"vmIds": ["0xAB"]}),
        ("DELETE /ssh_keys", {"fingerprint": "SHA256:x"}),
    ] == [
        (line.removesuffix(" HTTP/1.1"), json.loads(body))
        for (line, _), body in zip(api.requests, api.bodies, strict=True)
    ]
    assert {"application/json"} == {headers["content-type"] for _, headers in api.requests}


@pytest.mark.parametrize(
    ("left", "error"),
    [
        ("[]", None),
        (ENDING, None),
        (BEFORE, ServerError),
        (GONE_BAD, ServerError),
        ("[{}]", OutcomeUnknownError),
    ],
)
async def test_deletion_in_doubt(
    api: ScriptedApi, connect: Connect, left: str, error: type[ApiError] | None
) -> None:
    """A VM that has left the list, or ends, was deleted; one that may hide in it is not."""
    api.says(status=500)
    api.says(left)

    if error is None:
        await connect(timeout=1.5).delete_vm("0xab")
    else:
        with pytest.raises(error):
            await connect(timeout=1.5).delete_vm("0xab")

    assert 1 == methods(api).count("DELETE")


async def test_removed_ids(api: ScriptedApi, connect: Connect) -> None:
    """A success that names other VMs than the one that was to go is looked into."""
    api.says('{"removed_ids": ["0xCD"], "transactions": []}')
    api.says(BEFORE)
    client = connect(dialect="v3", timeout=1.5)

    with pytest.raises(UnexpectedPayloadError, match="did not confirm that it removed the VM"):
        await client.delete_vm("0xab")

    assert ["DELETE", "GET", "GET"] == methods(api)


@pytest.mark.parametrize("said", ["", "<html>", "[]"])
async def test_key_in_doubt(api: ScriptedApi, connect: Connect, said: str) -> None:
    """A key whose answer cannot be read, and that the list has afterwards, was added."""
    api.says("[]")
    api.says(said, 201)
    api.says(LISTED)

    added = await connect(timeout=1.5).add_ssh_key("mine", KEY)

    assert AddedKey(SshKey("mine", "SHA256:x", "ssh-ed25519 AAAA"), is_new=True) == added
    assert ["GET", "POST", "GET"] == methods(api)


@pytest.mark.parametrize(("status", "is_new"), [(200, False), (201, True)])
async def test_status_of_an_added_key(
    api: ScriptedApi, connect: Connect, status: int, *, is_new: bool
) -> None:
    """The answer of the guide, with `public_key`; its status tells whether the key is new."""
    api.says("[]")
    api.says(
        '{"active": true, "algorithm": "ssh-ed25519", "comment": "me@here", '
        '"fingerprint": "SHA256:x", "name": "first", "public_key": "ssh-ed25519 AAAA me@here"}',
        status,
    )

    added = await connect().add_ssh_key("first", KEY)

    key = SshKey("first", "SHA256:x", KEY, "ssh-ed25519", "me@here", active=True)
    assert AddedKey(key, is_new) == added


@pytest.mark.parametrize(("left", "made"), [("[]", True), (LISTED, False)])
async def test_removal_of_a_key_in_doubt(
    api: ScriptedApi, connect: Connect, left: str, *, made: bool
) -> None:
    """A key that is not listed any more was removed."""
    api.says(cut=True)
    api.says(left)
    client = connect(timeout=1.5)

    if made:
        await client.delete_ssh_key("SHA256:x")
    else:
        with pytest.raises(UnreachableError, match="SHA256:x was not removed: "):
            await client.delete_ssh_key("SHA256:x")


@pytest.mark.parametrize("body", ["{}", "[1]", '[{"name": "x"}]', '[{"fingerprint": 7}]', "null"])
async def test_keys_that_cannot_be_read(api: ScriptedApi, connect: Connect, body: str) -> None:
    """A list of keys is given whole or not at all."""
    api.says(body)

    with pytest.raises(UnexpectedPayloadError, match=r"^body.*: not a list of SSH keys: "):
        await connect().list_ssh_keys()


async def test_hostile_words(api: ScriptedApi, connect: Connect) -> None:
    """An id is shown on one line and without control codes, and the key is never shown."""
    api.says('{"error": "s3cret-key \\u001b[31m"}', 500)

    with pytest.raises(OutcomeUnknownError) as caught:
        await connect(timeout=1.5).update_vm("\x1b[31m\n0xab", name="x")

    assert str(caught.value).isprintable()
    assert "s3cret" not in str(caught.value)

"""The list of VMs is bent on its way: an element that nobody can read, or no money in it."""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Bend(Enum):
    """How an element is bent."""

    UNREADABLE = auto()
    PRICELESS = auto()
    MONEYLESS = auto()


_CHANGES: Mapping[Bend, Mapping[str, int | None]] = {
    Bend.UNREADABLE: {"ports": 22},
    Bend.PRICELESS: {"pricePerEpoch": None},
    Bend.MONEYLESS: dict.fromkeys(
        ("pricePerEpoch", "reservedBalance", "totalSpent", "nextBillingAt")
    ),
}
"""The fields that are other than they should be."""


def bending(app: ASGIApp, path: str, bent: Mapping[str, Bend]) -> ASGIApp:
    """The app, whose list of VMs at that path is bent; `bent` is by their ids in lower case."""

    async def bends(scope: Scope, receive: Receive, send: Send) -> None:
        if not bent or scope["path"] != path:
            await app(scope, receive, send)
            return
        sent: list[Message] = []

        async def keep(message: Message) -> None:
            sent.append(message)

        await app(scope, receive, keep)
        for message in _bent(sent, bent):
            await send(message)

    return bends


def _bent(sent: list[Message], bent: Mapping[str, Bend]) -> list[Message]:
    """The messages of an answer; what is no whole list is left as it is."""
    try:
        elements = msgspec.json.decode(b"".join(each.get("body", b"") for each in sent))
    except msgspec.DecodeError:
        return sent
    if not isinstance(elements, list):
        return sent
    body = msgspec.json.encode([_as_bent(each, bent) for each in elements])
    length = b"content-length", str(len(body)).encode()
    headers = [each for each in sent[0]["headers"] if each[0] != length[0]]
    begin = {**sent[0], "headers": [*headers, length]}
    return [begin, {"type": "http.response.body", "body": body}]


def _as_bent(element: Any, bent: Mapping[str, Bend]) -> Any:  # noqa: ANN401 - any value of JSON
    how = bent.get(element["id"].lower()) if isinstance(element, dict) else None
    return {**element, **_CHANGES[how]} if how else element

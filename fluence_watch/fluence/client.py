"""The Fluence API as the rest of fluence-watch sees it."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Self

import httpx
import msgspec

from fluence_watch.errors import UnexpectedPayloadError
from fluence_watch.fluence.config import ClientConfig
from fluence_watch.fluence.dialects import dialect_named
from fluence_watch.fluence.elements import Listing, Memo, read_elements
from fluence_watch.fluence.transport import RequestRecord, Transport
from fluence_watch.fluence.wire import Page, locate
from fluence_watch.model.text import inert


def _ignore(record: RequestRecord) -> None:
    """For who does not count requests."""


class FluenceClient:
    """The API with the key of one account; an async context manager, or closed with `aclose`.

    `on_request` is told of every HTTP request, each try by itself. `now` tells the time, for
    `Retry-After` dates. `transport` takes the place of the network connection.

    Raises:
        ValueError: the dialect is not known.
    """

    def __init__(
        self,
        config: ClientConfig,
        *,
        now: Callable[[], datetime],
        on_request: Callable[[RequestRecord], None] = _ignore,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._dialect = dialect_named(config.dialect)
        self._transport = Transport(config, on_request=on_request, transport=transport, now=now)
        self._memo: Memo = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def list_vms(self) -> Listing:
        """All VMs of the account; one that did not change since the last call is the same object.

        Raises:
            ApiError: the list could not be had, whole, within the budget of the call.
        """
        elements = await self._vm_elements()
        # In a thread, so that 10,000 VMs do not hold up the event loop. The memo is replaced,
        # never changed: a call that was cancelled may still be decoding.
        listing, self._memo = await asyncio.to_thread(
            read_elements, elements, self._dialect.decode_vm, self._memo
        )
        return listing

    async def _vm_elements(self) -> list[msgspec.Raw]:
        deadline = self._transport.deadline()
        elements: list[msgspec.Raw] = []
        path: str | None = self._dialect.list_path
        while path is not None:
            body = await self._transport.get("list_vms", path, deadline)
            page = self._page(body)
            elements += page.elements
            path = page.next_path
        return elements

    def _page(self, body: bytes) -> Page:
        try:
            return self._dialect.split(body)
        except (ValueError, RecursionError) as error:
            path, why = locate(error)
            text = f"not a list of VMs: {inert(why)}"
            raise UnexpectedPayloadError(text, where=f"body{inert(path)}") from None

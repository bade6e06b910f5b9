"""The connection to one account's API: its dialect, its GPU cloud, and calls with their budgets."""

import asyncio
import logging
from typing import TYPE_CHECKING

import structlog

from fluence_watch.errors import RefusedError
from fluence_watch.fluence.config import ClientConfig
from fluence_watch.fluence.dialects import AUTO, DIALECTS, Dialect, check_dialect
from fluence_watch.fluence.dialects.choosing import choose
from fluence_watch.fluence.http.calls import Call
from fluence_watch.fluence.http.transport import Transport
from fluence_watch.model.resource import Kind

if TYPE_CHECKING:
    from fluence_watch.fluence.gpu import GpuCloud

_log = structlog.wrap_logger(logging.getLogger(__name__))  # not to stdout, where nobody set it up

_OF_ANOTHER_DIALECT = frozenset({404, 405})


class Connection:
    """Knows which dialect the API speaks, once it is asked.

    `gpu` is the GPU cloud, if its instances belong to the account.

    Raises:
        ValueError: the dialect is unknown.
    """

    def __init__(self, config: ClientConfig, transport: Transport) -> None:
        check_dialect(config.dialect)
        self._config = config
        self._transport = transport
        self._choosing = asyncio.Lock()
        self.known = None if config.dialect == AUTO else DIALECTS[config.dialect]()
        self.gpu = _gpu_cloud() if config.gpu else None

    @property
    def name(self) -> str:
        """The name of the dialect; `auto` until it is detected."""
        return self.known.name if self.known else AUTO

    @property
    def pause(self) -> float:
        """Seconds between the two reads after a change with an unknown outcome."""
        return self._config.timeout / 5

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What is billed by itself beside VMs, as far as the dialect is known."""
        return (*(self.known.kinds if self.known else ()), *(self.gpu.kinds if self.gpu else ()))

    def gpu_of(self, kind: Kind) -> "GpuCloud | None":
        """The GPU cloud, if resources of the kind are its instances."""
        return self.gpu if self.gpu and kind in self.gpu.kinds else None

    async def dialect(self) -> Dialect:
        """The dialect, detected if need be.

        Raises:
            ApiError: it could not be detected.
        """
        async with self._choosing:
            if self.known is None:
                self.known = await choose(DIALECTS, self.call)
                _log.info("dialect found", dialect=self.name, api=self._config.base_url)
            return self.known

    def call(self, dialect: Dialect) -> Call:
        """A call that begins now."""
        deadline = self._transport.deadline()
        return Call(self._transport, deadline, self._config.max_body_bytes, dialect.signing)

    def explained(self, error: RefusedError) -> RefusedError:
        """The error, with a hint if the API does not know the dialect's list."""
        if self._config.dialect == AUTO or error.status not in _OF_ANOTHER_DIALECT:
            return error
        hint = f'this API may not speak {self.name}: try dialect = "{AUTO}" for the account'
        return RefusedError(f"{error}; {hint}", status=error.status)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


def _gpu_cloud() -> "GpuCloud":
    from fluence_watch.fluence.gpu import GpuCloud  # noqa: PLC0415 - few accounts have instances

    return GpuCloud()

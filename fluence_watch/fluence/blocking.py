"""The client for programs without asyncio.

with BlockingClient(ClientConfig(api_key="…", dialect="auto")) as client:
for vm in client.list_vms().vms:
print(vm.name, vm.price)
"""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from datetime import date
from threading import Thread
from types import TracebackType
from typing import Any, Self, TypeVar

from fluence_watch.eventloop import EventLoop
from fluence_watch.fluence.client import FluenceClient
from fluence_watch.fluence.config import ClientConfig
from fluence_watch.fluence.dialects.elements import Listing, Resources
from fluence_watch.model.account import AccountBalance, NotReported, ServiceStatus
from fluence_watch.model.charge import Charge
from fluence_watch.model.market import Market
from fluence_watch.model.ports import Port
from fluence_watch.model.resource import Kind
from fluence_watch.model.ssh_key import AddedKey, SshKey
from fluence_watch.model.vm import Vm

T = TypeVar("T")


class BlockingClient:
    """Has the methods of `FluenceClient`, with the same arguments, results and errors.

    Calls run on an event loop in a thread of its own, so it also works where a loop runs already,
    as in a notebook. It may be used from several threads. Close it, or use it in a `with`.
    """

    def __init__(self, config: ClientConfig) -> None:
        self._client = FluenceClient(config)
        self._loop = EventLoop()
        self._thread = Thread(target=self._loop.run_forever, name="fluence", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and end the thread. Closing again has no effect."""
        if self._loop.is_closed():
            return
        self._run(self._client.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, call: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()

    @property
    def dialect(self) -> str:
        """See `FluenceClient.dialect`."""
        return self._client.dialect

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """See `FluenceClient.kinds`."""
        return self._client.kinds

    def list_vms(self) -> Listing:
        """See `FluenceClient.list_vms`."""
        return self._run(self._client.list_vms())

    def vm_pages(self) -> Iterator[Listing]:
        """See `FluenceClient.vm_pages`."""
        pages = self._client.vm_pages()

        async def following() -> Listing | None:
            return await anext(pages, None)

        while page := self._run(following()):
            yield page

    def get_vm(self, vm_id: str) -> Vm | None:
        """See `FluenceClient.get_vm`."""
        return self._run(self._client.get_vm(vm_id))

    def update_vm(
        self, vm_id: str, *, name: str | None = None, ports: Sequence[Port] | None = None
    ) -> None:
        """See `FluenceClient.update_vm`."""
        self._run(self._client.update_vm(vm_id, name=name, ports=ports))

    def delete_vm(self, vm_id: str) -> None:
        """See `FluenceClient.delete_vm`."""
        self._run(self._client.delete_vm(vm_id))

    def list_ssh_keys(self) -> tuple[SshKey, ...]:
        """See `FluenceClient.list_ssh_keys`."""
        return self._run(self._client.list_ssh_keys())

    def add_ssh_key(self, name: str, public_key: str) -> AddedKey:
        """See `FluenceClient.add_ssh_key`."""
        return self._run(self._client.add_ssh_key(name, public_key))

    def delete_ssh_key(self, key: SshKey | str) -> None:
        """See `FluenceClient.delete_ssh_key`."""
        self._run(self._client.delete_ssh_key(key))

    def account_balance(self) -> AccountBalance | NotReported:
        """See `FluenceClient.account_balance`."""
        return self._run(self._client.account_balance())

    def list_resources(self, kind: Kind) -> Resources:
        """See `FluenceClient.list_resources`."""
        return self._run(self._client.list_resources(kind))

    def delete_resource(self, kind: Kind, resource_id: str) -> None:
        """See `FluenceClient.delete_resource`."""
        self._run(self._client.delete_resource(kind, resource_id))

    def rename_gpu(self, kind: Kind, instance_id: str, name: str) -> None:
        """See `FluenceClient.rename_gpu`."""
        self._run(self._client.rename_gpu(kind, instance_id, name))

    def permissions(self) -> frozenset[str] | NotReported:
        """See `FluenceClient.permissions`."""
        return self._run(self._client.permissions())

    def charges(self, first: date, last: date) -> tuple[Charge, ...] | NotReported:
        """See `FluenceClient.charges`."""
        return self._run(self._client.charges(first, last))

    def market(self) -> Market:
        """See `FluenceClient.market`."""
        return self._run(self._client.market())

    def service_status(self) -> ServiceStatus | NotReported:
        """See `FluenceClient.service_status`."""
        return self._run(self._client.service_status())

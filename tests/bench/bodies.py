"""Scrapes of big pages: the real page and server in a process of its own, a raw client here.

How long a scrape takes must grow as the page does, and no faster.
"""

import asyncio
import socket
import sys
from contextlib import closing
from datetime import timedelta
from time import perf_counter
from urllib.parse import urlsplit

from fluence_watch.app.server import WebServer, address, bind
from fluence_watch.fluence.dialects import v2
from fluence_watch.fluence.dialects.elements import read_elements
from fluence_watch.metrics.exposition import AccountView, Exposition
from fluence_watch.metrics.own import OwnMetrics
from fluence_watch.simulator import build_world, fleet_payload
from fluence_watch.web.app import create_app
from fluence_watch.web.backend import Backend
from tests.bench.fleet import KEY, START
from tests.bench.simulator import started

_BUFFER = bytearray(2**20)


def measure(vms: int, repeats: int = 7) -> tuple[float, float]:
    """MB of a gzip scrape of that many VMs, and the least milliseconds that one takes."""
    with started("-m", "tests.bench.bodies", str(vms)) as server:
        assert server.stdout
        place = urlsplit(server.stdout.readline().strip())
        with closing(socket.create_connection((place.hostname, place.port))) as connection:
            scrapes = [_scrape(connection) for _ in range(repeats + 1)]  # the first packs the page
    return scrapes[0][0] / 1e6, min(ms for _, ms in scrapes[1:])


def _scrape(connection: socket.socket) -> tuple[int, float]:
    started_at = perf_counter()
    connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: bench\r\nAccept-Encoding: gzip\r\n\r\n")
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(4096)
    head, _, body = head.partition(b"\r\n\r\n")
    lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    assert lines[b"content-encoding"] == b"gzip"
    left = size = int(lines[b"content-length"])
    left -= len(body)
    while left:
        left -= connection.recv_into(_BUFFER, min(left, len(_BUFFER)))
    return size, (perf_counter() - started_at) * 1000


def _page(vms: int) -> Exposition:
    world = build_world(seed=1, vms=vms, epoch=timedelta(hours=24), now=START, api_key=KEY)
    listing, _ = read_elements(v2.split(fleet_payload(world)).elements, v2.decode_vm, {})
    page = Exposition(OwnMetrics("bench").render)
    page.publish(AccountView("main", up=True, vms={vm.key: vm for vm in listing.vms}))
    return page


async def _serve(vms: int) -> None:
    async def reload() -> None:
        """Nothing to read again."""

    def status() -> None:
        raise NotImplementedError

    page = _page(vms)
    backend = Backend(metrics=page.scrape, ready=list, remarks=list, reload=reload, status=status)  # type: ignore[arg-type] # it is not asked for
    listener = bind("127.0.0.1", 0)
    server = WebServer(create_app(backend))
    await server.start(listener)
    print(address(listener), flush=True)  # noqa: T201 - the one who started it reads it
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))

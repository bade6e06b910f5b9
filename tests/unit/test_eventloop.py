import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from fluence_watch import eventloop
from fluence_watch.eventloop import run
from fluence_watch.threads import STORE

really = socket.getaddrinfo


class Names:
    """A resolver that never answers for `hang*.test`, and for `good.test` at once."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.released = threading.Event()

    def getaddrinfo(self, asked: str | bytes, *args: object, **kwargs: object) -> object:
        """Stand in for the system's resolver."""
        host = asked.decode() if isinstance(asked, bytes) else asked
        self.asked.append(host)
        if host.startswith("hang"):
            self.released.wait()
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        if host == "good.test":
            host = "127.0.0.1"
        return really(host, *args, **kwargs)  # type: ignore[arg-type]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    made = Names()
    monkeypatch.setattr(socket, "getaddrinfo", made.getaddrinfo)
    yield made
    made.released.set()


async def _given_up(host: str) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await asyncio.get_running_loop().getaddrinfo(host, 443)


def test_hanging_look_ups_stop_neither_others_nor_the_end(names: Names) -> None:
    """More of them than a default pool has threads: names, the store and the loop's end go on."""

    async def main() -> list[object]:
        await asyncio.gather(*(_given_up(f"hang{number}.test") for number in range(40)))
        loop = asyncio.get_running_loop()
        return [await STORE.run(lambda: "stored"), await loop.getaddrinfo("good.test", 443)]

    started = time.monotonic()
    stored, found = run(main())

    assert "stored" == stored
    assert isinstance(found, list)
    assert "127.0.0.1" == found[0][4][0]
    assert time.monotonic() - started < 5


def test_an_abandoned_look_up_is_not_begun_again(names: Names) -> None:
    """However often its name is asked for while it hangs; once it ended, it is."""

    async def main() -> None:
        for _ in range(5):
            await _given_up("hang.test")
        assert ["hang.test"] == names.asked
        names.released.set()
        for _ in range(2):
            with pytest.raises(socket.gaierror, match="no answer"):
                await asyncio.get_running_loop().getaddrinfo("hang.test", 443)

    run(main())
    assert names.asked in (["hang.test"] * 2, ["hang.test"] * 3)


def test_the_number_of_look_ups_is_bounded(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is an error at once; it is tried again at the next poll."""
    monkeypatch.setattr(eventloop, "MAX_LOOKUPS", 3)

    async def main() -> None:
        await asyncio.gather(*(_given_up(f"hang{number}.test") for number in range(3)))
        with pytest.raises(OSError, match="too many name look-ups hang"):
            await asyncio.get_running_loop().getaddrinfo("good.test", 443)

    run(main())


def test_http_clients_look_names_up_this_way(names: Names) -> None:
    """One that hangs is bounded by the client's time limit, and leaves one thread."""

    async def main() -> None:
        async with httpx.AsyncClient(timeout=0.1, trust_env=False) as client:
            for _ in range(3):
                with pytest.raises(httpx.ConnectTimeout):
                    await client.get("http://hang.test/")

    run(main())
    assert ["hang.test"] == names.asked

"""The event loop of the program. Hanging name look-ups block neither others nor the shutdown."""

import asyncio
import socket
from collections.abc import Coroutine
from contextlib import suppress
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")

MAX_LOOKUPS = 256
"""The maximum number of concurrent look-ups. Look-ups of the same name count as one."""

Question = tuple[Any, ...]
Answer = list[Any]


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine to completion, like `asyncio.run`."""
    with asyncio.Runner(loop_factory=EventLoop) as runner:
        return runner.run(main)


class EventLoop(asyncio.SelectorEventLoop):
    """An event loop that runs name look-ups in separate threads.

    The system's `getaddrinfo` cannot be cancelled. A caller that gives up leaves a thread behind.
    A caller with the same question waits for that thread instead of starting another one.
    The shutdown does not wait for these threads.
    """

    def __init__(self) -> None:
        super().__init__()
        self._looking_up: dict[Question, asyncio.Future[Answer]] = {}

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 - asyncio's name
        proto: int = 0,
        flags: int = 0,
    ) -> Answer:
        """The addresses of a host, as returned by `socket.getaddrinfo`.

        Raises:
            OSError: the host has no addresses, or too many look-ups hang.
        """
        question = (host, port, family, type, proto, flags)
        answer = self._looking_up.get(question) or self._look_up(question)
        return await asyncio.shield(answer)

    def _look_up(self, question: Question) -> asyncio.Future[Answer]:
        if len(self._looking_up) >= MAX_LOOKUPS:
            raise socket.gaierror(socket.EAI_AGAIN, "too many name look-ups hang")
        answer: asyncio.Future[Answer] = self.create_future()
        self._looking_up[question] = answer
        Thread(target=self._ask, args=(question, answer), name="dns", daemon=True).start()
        return answer

    def _ask(self, question: Question, answer: asyncio.Future[Answer]) -> None:
        error, found = None, []
        try:
            found = socket.getaddrinfo(*question)
        except Exception as raised:  # noqa: BLE001 - the callers raise it
            error = raised
        with suppress(RuntimeError):  # the loop is already closed
            self.call_soon_threadsafe(self._answered, question, answer, found, error)

    def _answered(
        self,
        question: Question,
        answer: asyncio.Future[Answer],
        found: Answer,
        error: Exception | None,
    ) -> None:
        del self._looking_up[question]
        if answer.cancelled():
            return
        if error is None:
            answer.set_result(found)
        else:
            answer.set_exception(error)
            answer.exception()  # mark it as retrieved, even if all callers gave up

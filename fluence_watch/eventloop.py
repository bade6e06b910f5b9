"""The event loop of the program: name look-ups that hang stop neither others nor the end."""

import asyncio
import socket
from collections.abc import Coroutine
from contextlib import suppress
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")

MOST = 256
"""Look-ups at the same time, at the most; those of one name are one."""

Question = tuple[Any, ...]
Answer = list[Any]


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run it to its end, as `asyncio.run` does."""
    with asyncio.Runner(loop_factory=EventLoop) as runner:
        return runner.run(main)


class EventLoop(asyncio.SelectorEventLoop):
    """A loop whose name look-ups have threads of their own.

    The system's `getaddrinfo` cannot be cut off: who gives up leaves a thread behind. Who asks the
    same again waits for that thread too, instead of leaving another; nobody waits for it at the end.
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
        """The addresses of a host, as `socket.getaddrinfo` gives them.

        Raises:
            OSError: there are none, or too many look-ups hang.
        """
        question = (host, port, family, type, proto, flags)
        answer = self._looking_up.get(question) or self._look_up(question)
        return await asyncio.shield(answer)

    def _look_up(self, question: Question) -> asyncio.Future[Answer]:
        if len(self._looking_up) >= MOST:
            raise socket.gaierror(socket.EAI_AGAIN, "too many name look-ups hang")
        answer: asyncio.Future[Answer] = self.create_future()
        self._looking_up[question] = answer
        Thread(target=self._ask, args=(question, answer), name="dns", daemon=True).start()
        return answer

    def _ask(self, question: Question, answer: asyncio.Future[Answer]) -> None:
        error, found = None, []
        try:
            found = socket.getaddrinfo(*question)
        except Exception as raised:  # noqa: BLE001 - it is raised where it was asked
            error = raised
        with suppress(RuntimeError):  # the loop was closed meanwhile
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
            answer.exception()  # it counts as seen though all gave up

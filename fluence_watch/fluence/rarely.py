"""What changes rarely is requested rarely."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from fluence_watch.errors import ApiError, UnauthorizedError

T = TypeVar("T")


class Rarely(Generic[T]):
    """Keeps an answer for so many seconds.

    A refusal of the key is kept for `refused` seconds, another failure for `failed` seconds. Calls wait
    for each other, so that nothing is requested twice.
    """

    def __init__(self, keep: float, *, refused: float = 0.0, failed: float = 0.0) -> None:
        self._keep = keep
        self._refused = refused
        self._failed = failed
        self._turn = asyncio.Lock()
        self._about: object = None
        self._until = 0.0
        self._last: T | ApiError | None = None

    async def __call__(self, request: Callable[[], Awaitable[T]], about: object = None) -> T:
        """The answer that is kept, or a new one. An answer about something else does not count.

        Raises:
            ApiError: of the request.
        """
        async with self._turn:
            now = asyncio.get_running_loop().time()
            if self._last is None or about != self._about or now >= self._until:
                self._last, self._about = None, about
                self._last = await self._requested(request, now)
            if isinstance(self._last, ApiError):
                raise self._last.with_traceback(None)  # or it would grow with each call
            return self._last

    async def _requested(self, request: Callable[[], Awaitable[T]], now: float) -> T | ApiError:
        try:
            answer: T | ApiError = await request()
            self._until = now + self._keep
        except ApiError as error:
            kept = self._refused if isinstance(error, UnauthorizedError) else self._failed
            answer, self._until = error, now + kept
        return answer

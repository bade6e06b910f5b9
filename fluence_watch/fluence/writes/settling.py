"""Settles a change whose response is missing, by reading it back.

response 2xx                                 made
no connection, 429, any other 4xx            not made
timeout, cut connection, 5xx, odd body       read back, and again a moment later:
    found                                    made
    not found                                the error of the change, with what was found
    could not be read                        OutcomeUnknownError
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from fluence_watch.errors import ApiError, OutcomeUnknownError
from fluence_watch.fluence.http.transport import DoubtfulError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ChangeWords:
    """The words for a change: `done` and `undone` are clauses, `check` is a command."""

    done: str
    undone: str
    check: str


@dataclass(frozen=True, slots=True)
class NotDone:
    """The change was not made; `why` says what was found instead."""

    why: str


async def settle(
    write: Callable[[], Awaitable[T]],
    look: Callable[[], Awaitable[T | NotDone]],
    words: ChangeWords,
    pause: float,
) -> T:
    """The result of a change. A doubtful one is read back twice, `pause` seconds apart.

    Raises:
        ApiError: it was not made.
        OutcomeUnknownError: it may have been made.
    """
    try:
        return await write()
    except DoubtfulError as doubt:
        cause = doubt.cause
    found = await _look(look)
    if isinstance(found, NotDone | ApiError):
        await asyncio.sleep(pause)
        found = await _look(look)
    if isinstance(found, ApiError):
        raise OutcomeUnknownError(
            f"it is not known whether {words.done}: {cause}; reading back failed: {found}; "
            f"check with `{words.check}`",
            status=cause.status,
        )
    if isinstance(found, NotDone):
        raise reworded(cause, f"{words.undone}: {cause}; {found.why} when read back")
    return found


def reworded(error: ApiError, text: str) -> ApiError:
    """The same kind of error with another text."""
    return type(error)(text, status=error.status)


async def _look(look: Callable[[], Awaitable[T | NotDone]]) -> T | NotDone | ApiError:
    try:
        return await look()
    except ApiError as error:
        return error

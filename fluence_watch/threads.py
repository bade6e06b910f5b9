"""Threads for what blocks: a pool of its own for each kind, so that one that hangs stops no other.

Nothing uses the event loop's default pool: it is shared by all, and the loop waits for it when it
ends.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


class Threads:
    """At most so many threads of one kind; what comes later waits for its turn."""

    def __init__(self, kind: str, most: int) -> None:
        self._pool = ThreadPoolExecutor(most, thread_name_prefix=kind)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a call in one of the threads; a call that has begun is not cut off."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lambda: function(*args, **kwargs))


STORE = Threads("store", 4)
"""What reads and writes the store, and the conclusions of polls, which end in a commit."""

DECODING = Threads("decoding", 2)
"""Long lists of VMs."""

WORDS = Threads("words", 2)
"""Messages, which may be long, as they are rendered."""

SETTINGS = Threads("settings", 1)
"""Settings that are read again."""

"""Thread pools for blocking calls, one per kind of work, so that a hanging call blocks no other.

Nothing uses the event loop's default pool.
All kinds of work would share it, and the loop waits for it at shutdown.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


class Threads:
    """A pool of at most `max_threads` threads for one kind of work. Further calls are queued."""

    def __init__(self, kind: str, max_threads: int) -> None:
        self._pool = ThreadPoolExecutor(max_threads, thread_name_prefix=kind)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the call in one of the threads. A running call cannot be cancelled."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lambda: function(*args, **kwargs))


STORE = Threads("store", 4)
"""Reads and writes the store. Also evaluates polls, which ends in a commit."""

DECODING = Threads("decoding", 2)
"""Decodes long lists of VMs."""

RENDERING = Threads("rendering", 2)
"""Renders messages, which may be long."""

SETTINGS = Threads("settings", 1)
"""Reloads settings."""

RECORD = Threads("record", 1)
"""Writes what polls saw, where that is recorded."""

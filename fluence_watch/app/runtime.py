"""The interpreter, set up for polls and scrapes in one process; tests/bench measures both."""

import ctypes
import gc
import re
import sys
from importlib import invalidate_caches

_SWITCH_SECONDS = 0.0005
_ARENAS = 2
_M_ARENA_MAX = -8  # malloc.h

_libc = ctypes.CDLL(None)
_malloc_trim = getattr(_libc, "malloc_trim", None)  # glibc alone has it
_mallopt = getattr(_libc, "mallopt", None)


def favour_scrapes() -> None:
    """Make scrapes beside a poll quick.

    A scrape lets go of the interpreter some twenty times, and each time a poll gives it back only
    when its turn is over: 5 ms by default.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)


def share_arenas() -> None:
    """Let threads share what they have freed; call it before there are any.

    glibc would give each thread an arena of its own, up to 8 a core, and never join them.
    """
    if _malloc_trim is not None and _mallopt is not None:
        _mallopt(_M_ARENA_MAX, _ARENAS)


def settle() -> None:
    """Set apart what lives as long as the process, and give back what the start left over."""
    invalidate_caches()  # of folders that were searched for modules
    re.purge()  # of patterns that settings were read with
    gc.collect()
    gc.freeze()  # it need not be looked at again
    return_memory()


def return_memory() -> None:
    """Give the system what a poll has freed; glibc would keep 50 MB of it for a big fleet."""
    if _malloc_trim is not None:
        _malloc_trim(0)

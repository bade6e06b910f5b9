"""Tunes the interpreter for polls and scrapes in one process; tests/bench measures both."""

import ctypes
import gc
import re
import resource
import sys
from contextlib import suppress
from importlib import invalidate_caches

_SWITCH_SECONDS = 0.0005
_ARENAS = 2
_M_ARENA_MAX = -8  # malloc.h

_libc = ctypes.CDLL(None)
_malloc_trim = getattr(_libc, "malloc_trim", None)  # only glibc has it
_mallopt = getattr(_libc, "mallopt", None)


def favour_scrapes() -> None:
    """Keep scrapes fast during a poll.

    A scrape releases the interpreter some twenty times. Each time, a poll keeps it for a whole
    switch interval, 5 ms by default.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)


def share_arenas() -> None:
    """Make threads share freed memory; call it before any thread starts.

    glibc gives each thread an arena, up to 8 a core, and never merges them.
    """
    if _malloc_trim is not None and _mallopt is not None:
        _mallopt(_M_ARENA_MAX, _ARENAS)


def allow_files() -> None:
    """Allow as many open files as the system does; the usual 1024 are few for 100 accounts.

    An account may have 20 connections in a poll, and idle ones are closed at the next.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS names a limit that it does not allow
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def settle() -> None:
    """Freeze objects that live as long as the process, and free memory that only the start used."""
    invalidate_caches()  # caches of folders searched for modules
    re.purge()  # patterns that only reading the settings needs
    gc.collect()
    gc.freeze()  # later collections skip frozen objects
    return_memory()


def return_memory() -> None:
    """Return freed memory to the system. glibc would keep 50 MB after the poll of a big fleet."""
    if _malloc_trim is not None:
        _malloc_trim(0)

"""The interpreter, set up for polls and scrapes in one process; tests/bench measures both."""

import ctypes
import sys

_SWITCH_SECONDS = 0.0005

_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc alone has it


def favour_scrapes() -> None:
    """Make scrapes beside a poll quick.

    A scrape lets go of the interpreter some twenty times, and each time a poll gives it back only
    when its turn is over: 5 ms by default.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)


def return_memory() -> None:
    """Give the system what a poll has freed; glibc would keep 50 MB of it for a big fleet."""
    if _malloc_trim is not None:
        _malloc_trim(0)

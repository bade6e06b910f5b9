"""Libraries without the optional parts that the daemon has no use for."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


def load_lean() -> None:
    """Load structlog and httpx without Rich and Pygments: 0.1 s and 10 MB.

    Both load them where they are installed: one for tracebacks in colour, the other for a command
    line of its own. Whoever imports Rich later gets it.
    """
    with _missing("rich", "pygments"):
        import httpx  # noqa: F401, PLC0415 - it is loaded here for all
        import structlog  # noqa: F401, PLC0415


@contextmanager
def _missing(*names: str) -> Iterator[None]:
    """Let the modules seem not to be installed, unless they are loaded already."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # None refuses an import
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]

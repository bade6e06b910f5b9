"""Unit tests start no processes and print no coloured tracebacks: both take half a second."""

import pytest
import structlog

from fluence_watch.sender import urls, worker


@pytest.fixture(autouse=True, scope="session")
def _apprise_within_this_process() -> None:
    """The same program, called instead of started."""
    urls._asked = lambda asked: [
        urls.Description(**found) if found else None for found in worker._described(asked)["urls"]
    ]


@pytest.fixture(autouse=True, scope="session")
def _plain_tracebacks() -> None:
    """Print exceptions as the daemon does, not with colours and local variables."""
    *processors, _ = structlog.get_config()["processors"]
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*processors, renderer])

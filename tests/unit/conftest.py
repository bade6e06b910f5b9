"""Unit tests start no processes and print no coloured tracebacks: both take half a second."""

import asyncio
import os
from collections.abc import Callable, Mapping

import pytest
import structlog
from hypothesis import settings

from tests.skipping import SkippingLoop

# over the profile of all tests: the same examples in each run; `search` looks for new ones
settings.register_profile("quick", max_examples=25)
settings.register_profile("thorough", max_examples=200)
settings.register_profile("search", max_examples=2000, derandomize=False)
settings.load_profile(os.environ.get("TESTS_HYPOTHESIS", "quick"))


@pytest.fixture(autouse=True)
def _no_process(apprise_within_this_process: None) -> None:
    """Nothing is started to ask about URLs."""


@pytest.fixture(autouse=True)
def _plain_tracebacks() -> None:
    """Print exceptions as the daemon does, not with colours and local variables."""
    *processors, _ = structlog.get_config()["processors"]
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*processors, renderer])


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Time-outs, back-off and intervals take no time where all that answers is in the loop."""
    inside = item.path.parent.name in {"app", "fluence", "simulator"}
    return {"loop": SkippingLoop if inside else asyncio.SelectorEventLoop}

"""Accounts that live for days within the test: the parts of the process, as the unit tests have them."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from tests.skipping import SkippingLoop
from tests.unit.app.conftest import (  # noqa: F401 - fixtures
    _as_it_was,
    channel,
    client,
    clock,
    eventually,
    faults,
    make_channel,
    planned,
    policy,
    settings,
    store,
    world,
)


@pytest.fixture(autouse=True)
def _no_process(apprise_within_this_process: None) -> None:
    """Nothing is started to ask about URLs."""


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Time-outs and back-off take no time."""
    return {"loop": SkippingLoop}

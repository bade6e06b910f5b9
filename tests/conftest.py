"""The order of the tests: those marked `long` begin first, so that no worker ends with one alone."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long ones first, the others as they stand."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)

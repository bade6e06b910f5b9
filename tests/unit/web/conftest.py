from datetime import UTC, datetime

import pytest


@pytest.fixture
def now() -> datetime:
    return datetime(2025, 6, 1, 17, 17, tzinfo=UTC)

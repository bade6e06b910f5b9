"""One suite over every backend; a new one is one more parameter of `url`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fluence_watch.store import Store


@pytest.fixture(params=["sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new, empty store of the backend can be made."""
    return f"{request.param}:///{tmp_path}/store.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An open, empty store."""
    with Store.open(url) as opened:
        yield opened

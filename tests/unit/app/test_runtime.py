"""What the process asks of the system."""

import resource
from collections.abc import Iterator

import pytest

from fluence_watch.app.runtime import allow_files


@pytest.fixture
def few_files() -> Iterator[int]:
    """A process that may open few files; the number that it could have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_as_many_files_as_are_allowed(few_files: int) -> None:
    """Each of many accounts has connections of its own."""
    allow_files()
    assert (few_files, few_files) == resource.getrlimit(resource.RLIMIT_NOFILE)

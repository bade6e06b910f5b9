import subprocess
import sys

import pytest

SCRIPT = """
import sys
import fluence_watch.app.daemon, fluence_watch.cli.service.daemon, fluence_watch.settings
print(*sorted({name.split(".")[0] for name in sys.modules}), *sys.modules)
"""


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """What a process that watches has loaded."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "name", ["alembic", "apprise", "fastapi", "mako", "pydantic_settings", "requests",
             "fluence_watch.simulator"],
)  # fmt: skip
def test_the_daemon_does_not_load(loaded: set[str], name: str) -> None:
    """Each costs megabytes, and is for others, or for rare moments."""
    assert name not in loaded
    assert "fluence_watch.app.daemon" in loaded

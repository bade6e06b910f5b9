import subprocess
import sys
from pathlib import Path

SCRIPT = """
import os, pathlib, pytest

@pytest.mark.xdist_group("stack")
@pytest.mark.parametrize("number", range(8))
def test_one(number):
    pathlib.Path(f"{os.environ['PYTEST_XDIST_WORKER']}.worker").touch()
"""


def test_a_group_has_one_worker(tmp_path: Path) -> None:
    """Without that each worker starts a Prometheus, a daemon and a simulator of its own."""
    (tmp_path / "test_group.py").write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "--numprocesses", "2", "--dist", "loadgroup"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stdout
    assert 1 == len(list(tmp_path.glob("*.worker")))

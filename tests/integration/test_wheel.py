"""The wheel, built from nothing but what the Dockerfile copies: whole, and true about itself."""

import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import fluence_watch

pytestmark = pytest.mark.xdist_group("wheel")  # they share it

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PACKAGE = Path(fluence_watch.__file__).parent


def stated(pattern: str) -> str:
    """What the Dockerfile says there."""
    found = re.search(pattern, DOCKERFILE, re.MULTILINE)
    assert found, pattern
    return found[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from nothing but what the Dockerfile copies."""
    source, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in stated(r"^COPY (pyproject.toml .*) \./$").split():
        shutil.copy(ROOT / name, source)
    package = stated(r"^COPY (fluence_watch) fluence_watch$")
    shutil.copytree(PACKAGE, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(dist)]
    subprocess.run(build, cwd=source, check=True, capture_output=True, timeout=60)
    (built,) = dist.glob("*.whl")
    return built


def test_the_wheel_holds_the_whole_package(wheel: Path) -> None:
    """Every file of the package, templates and migrations among them, and nothing beside it."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    info = f"fluence_watch-{fluence_watch.__version__}.dist-info/"
    packed = {name for name in names if not name.startswith(info)}
    source = {
        str(path.relative_to(PACKAGE.parent))
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert source == packed
    assert {"fluence_watch/py.typed", "fluence_watch/store/migrations/env.py"} <= packed
    assert {".jinja", ".html", ".css", ".py", ".typed"} == {
        Path(name).suffix or Path(name).name for name in packed
    }
    assert {f"{info}METADATA", f"{info}entry_points.txt", f"{info}licenses/LICENSE"} <= names


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    """Its version is the package's; what it needs is pinned in the file that the image installs."""
    with zipfile.ZipFile(wheel) as archive:
        info = f"fluence_watch-{fluence_watch.__version__}.dist-info"
        metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
        entry_points = archive.read(f"{info}/entry_points.txt").decode()
    needed = {
        re.split(r"[^\w-]", line)[0].lower() for line in metadata.get_all("Requires-Dist", [])
    }
    pinned = set(
        re.findall(r"^([\w.-]+)==", (ROOT / "requirements/run.txt").read_text(), re.MULTILINE)
    )

    assert (fluence_watch.__version__, "Apache-2.0") == (
        metadata["Version"],
        metadata["License-Expression"],
    )
    assert "fluence-watch = fluence_watch.cli:main" in entry_points
    assert needed <= pinned

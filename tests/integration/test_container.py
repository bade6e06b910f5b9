"""What the Dockerfile promises, without an engine: its wheel, its user, its environment, its signals."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest

import fluence_watch

pytestmark = pytest.mark.xdist_group("container")  # they share the wheel

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PACKAGE = Path(fluence_watch.__file__).parent
STATE = "/var/lib/fluence-watch"
PORT = "9824"


def stated(pattern: str) -> str:
    """What the Dockerfile says there."""
    found = re.search(pattern, DOCKERFILE, re.MULTILINE)
    assert found, pattern
    return found[1]


USER = int(stated(r"^USER (\d+)$"))
# A user who is nobody, without a capability: as the engine starts it.
AS_USER = [
    "setpriv",
    f"--reuid={USER}",
    f"--regid={USER}",
    "--clear-groups",
    "--bounding-set=-all",
    "--inh-caps=-all",
    "--no-new-privs",
]
# The whole file system read-only but for one folder, as `docker run --read-only` with a volume.
READ_ONLY = [
    "unshare",
    "--mount",
    "sh",
    "-c",
    'mount --bind "$0" "$0" && mount -o remount,bind,ro / && ! touch /.probe 2>&- && exec "$@"',
]


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


@dataclass(frozen=True)
class Container:
    """The program from its wheel, in the environment of the image; only `state` can be written."""

    prefix: Sequence[str]
    env: dict[str, str]
    folder: Path
    port: int

    @property
    def state(self) -> Path:
        """What the volume holds."""
        return self.folder / "state"

    def command(self, *args: str) -> list[str]:
        """The console script, as the entry point of the wheel has it."""
        script = (
            "import sys; from fluence_watch.cli import main; sys.argv[0] = 'fluence-watch'; main()"
        )
        return [*self.prefix, sys.executable, "-c", script, *args]

    def run(self, *args: str) -> "subprocess.CompletedProcess[str]":
        """Run a command in it, and wait for its end."""
        return subprocess.run(
            self.command(*args), env=self.env, cwd=self.state, capture_output=True, text=True,
            check=False, timeout=30,
        )  # fmt: skip


def possible(prefix: Sequence[str]) -> bool:
    done = subprocess.run(
        [*prefix, sys.executable, "-c", ""], check=False, capture_output=True, timeout=20
    )
    return done.returncode == 0


@pytest.fixture(params=["writable", "read-only"])
def container(
    request: pytest.FixtureRequest, wheel: Path, free_port: Callable[[], int]
) -> Iterator[Container]:
    """Not below pytest's own folders, which are closed to other users."""
    folder = Path(tempfile.mkdtemp(prefix="fluence-watch-container-"))
    folder.chmod(0o755)
    state, port = folder / "state", free_port()
    state.mkdir(mode=0o750)
    prefix: list[str] = []
    if os.getuid() == 0:
        os.chown(state, USER, USER)
        prefix = AS_USER
    if request.param == "read-only":
        prefix = [*READ_ONLY, str(state), *prefix]
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    variables = dict(re.findall(r"\b((?:FLUENCE_WATCH|PYTHON)\w+)=(\S+)", DOCKERFILE))
    env = {
        name: value.replace(STATE, str(state)).replace(PORT, str(port))
        for name, value in variables.items()
        if name != "PYTHON_IMAGE"
    }
    env |= {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder / "site")}
    env |= {
        "FLUENCE_WATCH_API_KEY": "k",
        "FLUENCE_WATCH_POLL__TIMEOUT": "1s",
        "FLUENCE_WATCH_ACCOUNTS__MAIN__BASE_URL": "http://127.0.0.1:9",
    }
    try:
        if not possible(prefix):
            pytest.skip(f"this machine does not let us do: {' '.join(prefix[:5])} …")
        yield Container(prefix, env, folder, port)
    finally:
        shutil.rmtree(folder)


def test_the_image_says_how_it_is_run() -> None:
    """Its variables, its user, its signal and its health check are what the rest of this file tries."""
    variables = dict(re.findall(r"(FLUENCE_WATCH_\w+)=(\S+)", DOCKERFILE))

    assert {
        "FLUENCE_WATCH_SERVER__LISTEN": f"0.0.0.0:{PORT}",
        "FLUENCE_WATCH_STORE__URL": f"sqlite:///{STATE}/fluence-watch.db",
    } == variables
    assert ('["fluence-watch"]', '["run"]') == (stated("^ENTRYPOINT (.*)$"), stated("^CMD (.*)$"))
    assert '["fluence-watch", "healthcheck"]' == stated("^HEALTHCHECK .* CMD (.*)$")
    assert ("SIGTERM", STATE, PORT) == (
        stated(r"^STOPSIGNAL (\w+)$"),
        stated("^VOLUME (.*)$"),
        stated(r"^EXPOSE (\d+)$"),
    )
    assert USER > 0


def test_it_lives_and_dies_as_a_container(
    container: Container, start: Callable[..., Any], eventually: Callable[..., Any], tmp_path: Path
) -> None:
    """As nobody, without a home, on its volume alone: healthy while it lives, gone in ten seconds."""
    log = tmp_path / "log"
    before = files(container.folder)
    daemon = start(container.command("run"), log, container.env, cwd=container.state)
    eventually(
        lambda: daemon.poll() is not None or container.run("healthcheck").returncode == 0,
        "the container is healthy",
    )
    said = log.read_text(encoding="utf-8")
    assert daemon.poll() is None, said
    database = container.state / "fluence-watch.db"
    eventually(database.exists, "the state is on the volume")
    if os.getuid() == 0:
        assert USER == database.stat().st_uid
        assert re.search(rf"^Uid:\s+{USER}\s", status(daemon.pid), re.MULTILINE)
        assert re.search(r"^CapEff:\s+0+$", status(daemon.pid), re.MULTILINE)

    asked = time.monotonic()
    daemon.send_signal(signal.SIGTERM)
    assert 0 == daemon.wait(10), log.read_text(encoding="utf-8")
    assert 10 > time.monotonic() - asked
    stopped = container.run("healthcheck")
    assert 1 == stopped.returncode
    assert "no answer" in stopped.stderr
    new = {path for path in files(container.folder) - before if container.state not in path.parents}
    assert set() == new
    assert "Traceback" not in log.read_text(encoding="utf-8")


def test_commands_beside_it(container: Container) -> None:
    """`docker run … config show` and `docker exec … alerts` work as nobody too."""
    version, shown, alerts = (
        container.run(*args) for args in (["--version"], ["config", "show"], ["alerts"])
    )

    assert (0, fluence_watch.__version__) == (version.returncode, version.stdout.strip())
    assert 0 == shown.returncode, shown.stderr
    assert f'listen = "0.0.0.0:{container.port}"' in shown.stdout
    assert 2 == alerts.returncode
    assert "Traceback" not in alerts.stderr


def files(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def status(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text(encoding="utf-8")

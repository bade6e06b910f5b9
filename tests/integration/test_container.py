"""The image, built by a real engine and run by it: as users do, with all that they may take from it."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import fluence_watch

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(600),  # the first one makes a Debian, and the image over it
    pytest.mark.xdist_group("container"),  # they share it
]

ROOT = Path(__file__).parents[2]
BASE, IMAGE, REVISION = "localhost/base", "localhost/fluence-watch", "the-revision"
# As small as Debian's image for Docker, and Python with its venv module.
DEBIAN = [
    *("--variant=essential", "--include=python3,python3-venv,ca-certificates"),
    *(f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "locale", "man")),
    *("--dpkgopt=force-unsafe-io", "bookworm"),
]
STATE, PORT, USER = "/var/lib/fluence-watch", 9824, "10001"
SBOM = "/usr/share/doc/fluence-watch/sbom.cdx.json"
# As locked as an engine can: docs/operations.md and grafana/compose.yaml ask no less.
LOCKED = ["--read-only", "--cap-drop=all", "--security-opt=no-new-privileges"]
# Within what this process may have itself: a nested engine cannot ask for more.
LIMITS = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=512:512"]
START_SECONDS = 1.5


@dataclass(frozen=True)
class Engine:
    """podman, with a store of its own."""

    podman: Sequence[str]

    def __call__(self, *args: str, check: bool = True) -> str:
        """What a command prints, both streams together where it fails."""
        done = subprocess.run(
            [*self.podman, *args], check=False, capture_output=True, text=True, timeout=500
        )
        assert not check or 0 == done.returncode, done.stdout + done.stderr
        return done.stdout.strip() if check else done.stdout + done.stderr

    def run(self, *args: str, options: Sequence[str] = (), check: bool = True) -> str:
        """What the image prints when it is run, locked, with these arguments."""
        command = ["run", "--rm", "--network=host", *LIMITS, *LOCKED, *options, IMAGE, *args]
        return self(*command, check=check)

    @contextmanager
    def running(self, *args: str, options: Sequence[str]) -> Iterator["Container"]:
        """A container that runs until it is left."""
        command = ["run", "--detach", "--network=host", *LIMITS, *LOCKED, *options, IMAGE, *args]
        began = time.monotonic()
        made = Container(self, self(*command), began)
        try:
            yield made
        finally:
            self("rm", "--force", "--time=1", made.id)


@dataclass(frozen=True)
class Container:
    """One that runs, and when it was asked for, on the monotonic clock."""

    engine: Engine
    id: str
    began: float

    def inspect(self, template: str) -> str:
        """A property of it."""
        return self.engine("inspect", "--format", template, self.id)

    @cached_property
    def process(self) -> Path:
        """Its first process, in /proc of this machine."""
        return Path("/proc", self.inspect("{{.State.Pid}}"))

    def cpu_seconds(self) -> float:
        """What it has computed until now."""
        ticks = (self.process / "stat").read_text().rpartition(")")[2].split()[11:15]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")

    @property
    def log(self) -> str:
        """What it said, on both streams."""
        return self.engine("logs", self.id, check=False)


@pytest.fixture(scope="module")
def engine(tool: Callable[..., str]) -> Iterator[Engine]:
    """With a store for this run alone, below a short path: sockets are in there."""
    runtime = shutil.which("runc") or tool("crun", "crun")
    with tempfile.TemporaryDirectory(prefix="fw-", ignore_cleanup_errors=True) as folder:
        where = [f"--root={folder}/root", f"--runroot={folder}/run", f"--runtime={runtime}"]
        yield Engine([tool("podman", "podman"), *where])


@pytest.fixture(scope="module")
def debian(tool: Callable[..., str], pytestconfig: pytest.Config) -> Path:
    """A Debian to build over, made without a registry; it stays in pytest's cache."""
    made = pytestconfig.cache.mkdir("debian") / "root.tar"  # type: ignore[union-attr]
    if not made.exists():
        new = made.with_suffix(".new.tar")
        mmdebstrap = tool("mmdebstrap", "mmdebstrap")
        done = subprocess.run(
            [mmdebstrap, *DEBIAN, new], check=False, capture_output=True, text=True
        )
        assert 0 == done.returncode, done.stderr
        new.rename(made)
    return made


@pytest.fixture(scope="module")
def image(engine: Engine, debian: Path) -> Any:  # noqa: ANN401 - JSON
    """What the engine says of the image."""
    engine("import", "--quiet", str(debian), BASE)
    network = ["/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt"]  # how pip reaches its index
    engine(
        *("build", "--quiet", "--format=docker", "--layers=false"),
        *("--isolation=chroot", "--network=host"),
        *(f"--volume={file}:{file}:ro" for file in network if Path(file).exists()),
        *(f"--build-arg=PYTHON_IMAGE={BASE}", f"--build-arg=REVISION={REVISION}"),
        *(f"--tag={IMAGE}", str(ROOT)),
    )
    (found,) = json.loads(engine("image", "inspect", IMAGE))
    return found


def pinned() -> set[tuple[str, str]]:
    """Name and version of what the lock has for this machine."""
    lines = (ROOT / "requirements/run.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line.removesuffix("\\")) for line in lines if "==" in line]
    return {
        (canonicalize_name(pin.name), each.version)
        for pin in pins
        for each in pin.specifier
        if not pin.marker or pin.marker.evaluate()
    }


def test_it_says_how_it_is_run(image: Any) -> None:  # noqa: ANN401 - JSON
    """Its user, command, volume, port, signal and health check; a release has its labels."""
    config = image["Config"]
    environment = dict(entry.split("=", 1) for entry in config["Env"])
    labels = {
        name.removeprefix("org.opencontainers.image."): text
        for name, text in config["Labels"].items()
        if name.startswith("org.opencontainers.image.")
    }

    assert (USER, STATE, "SIGTERM") == (config["User"], config["WorkingDir"], config["StopSignal"])
    assert (["fluence-watch"], ["run"]) == (config["Entrypoint"], config["Cmd"])
    assert ([STATE], [f"{PORT}/tcp"]) == (list(config["Volumes"]), list(config["ExposedPorts"]))
    assert ["CMD", "fluence-watch", "healthcheck"] == image["Healthcheck"]["Test"]
    assert f"0.0.0.0:{PORT}" == environment["FLUENCE_WATCH_SERVER__LISTEN"]
    assert f"sqlite:///{STATE}/fluence-watch.db" == environment["FLUENCE_WATCH_STORE__URL"]
    assert {"title", "description", "version", "revision", "licenses", "base.name"} == labels.keys()
    assert (fluence_watch.__version__, REVISION, "Apache-2.0", BASE) == (
        labels["version"],
        labels["revision"],
        labels["licenses"],
        labels["base.name"],
    )


SUPERFLUOUS = "pip pip3 easy_install gcc cc make ld as hatchling uv"
MODULES = "pip setuptools ensurepip hatchling wheel idlelib venv"


def test_it_holds_nothing_else(image: Any, engine: Engine) -> None:  # noqa: ANN401 - JSON
    """No installer, no compiler, no program that gives rights; the simulator is there for the demo."""
    found = engine.run(
        "-c",
        f"command -v {SUPERFLUOUS.replace(' ', '; command -v ')}; ls /opt /opt/fluence-watch/bin;"
        " find / -xdev -type f -perm /6000; grep --max-count=1 Apache /usr/share/doc/fluence-watch/LICENSE",
        options=["--entrypoint=sh"],
    )
    look = f"import importlib.util as u; print([n for n in '{MODULES}'.split() if u.find_spec(n)])"
    importable = engine.run("-c", look, options=["--entrypoint=python"])

    lines = found.split("\n")
    assert ["/opt:", "fluence-watch", "", "/opt/fluence-watch/bin:", "fluence-watch"] == lines[:5]
    assert "Apache License" == lines[-1].strip()
    assert all(line.startswith("python") for line in lines[5:-1]), found
    assert "[]" == importable
    assert "--story" in engine.run("simulate", "--help")


def test_it_says_what_is_in_it(
    image: Any,  # noqa: ANN401 - JSON
    engine: Engine,
    library: Callable[[str], Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its bill of materials is valid CycloneDX, and is the lock: each pin, with licence and hashes."""
    text = engine.run(SBOM, options=["--entrypoint=cat"])
    library("cyclonedx")
    from cyclonedx.schema import SchemaVersion  # noqa: PLC0415 - where it is installed
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415 - as above

    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    bom = json.loads(text)
    own = int(engine.run("-sm", "/opt/fluence-watch", options=["--entrypoint=du"]).split()[0])
    with capsys.disabled():
        sys.stdout.write(
            f"\nimage: {image['Size'] / 1e6:.0f} MB, {own} MiB of it beside the system;"
            f" {len(bom['components'])} components in its bill of materials\n"
        )

    assert problem is None
    assert pinned() == {(each["name"], each["version"]) for each in bom["components"]}
    assert [] == [each["name"] for each in bom["components"] if not each.get("licenses")]
    assert [] == [each["name"] for each in bom["components"] if not each.get("hashes")]
    assert fluence_watch.__version__ == bom["metadata"]["component"]["version"]
    assert own < 120


@pytest.mark.parametrize("user", ["", "12345:54321", "54321:0"])
def test_it_lives_and_dies(
    user: str,
    image: Any,  # noqa: ANN401 - JSON
    engine: Engine,
    free_port: Callable[[], int],
    eventually: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """As any user, on a volume of root's that all may write: soon ready, stopped in ten seconds."""
    tmp_path.chmod(0o1777)
    port = free_port()
    options = [
        *([f"--user={user}"] if user else []),
        f"--volume={tmp_path}:{STATE}",
        f"--env=FLUENCE_WATCH_SERVER__LISTEN=0.0.0.0:{port}",
        "--env=FLUENCE_WATCH_API_KEY=k",
        "--env=FLUENCE_WATCH_POLL__TIMEOUT=1s",
        "--env=FLUENCE_WATCH_ACCOUNTS__MAIN__BASE_URL=http://127.0.0.1:9",
    ]
    uid = int((user or USER).split(":")[0])
    with engine.running(options=options) as container:
        eventually(lambda: alive(port), "it is alive")
        seconds, computed = time.monotonic() - container.began, container.cpu_seconds()
        status = (container.process / "status").read_text(encoding="utf-8")
        healthy = engine("exec", container.id, "fluence-watch", "healthcheck", check=False)
        changed = engine("diff", container.id)
        asked = time.monotonic()
        engine("stop", "--time=12", container.id)
        stopped = time.monotonic() - asked
        log, code = container.log, container.inspect("{{.State.ExitCode}}")

    sys.stdout.write(f"alive after {seconds:.2f} s, {computed:.2f} s of it computing\n")
    assert computed < START_SECONDS  # a machine that is busy makes it wait, not compute
    assert "" == healthy
    assert re.search(rf"^Uid:\s+{uid}\s", status, re.MULTILINE)
    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
    assert uid == (tmp_path / "fluence-watch.db").stat().st_uid
    assert ("0", True) == (code, stopped < 10), log
    assert "Traceback" not in log
    # the engine's own mount points, and nothing of ours
    assert [] == [line for line in changed.splitlines() if "fluence" in line]


def alive(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/-/healthy", timeout=2, verify=False).is_success
    except httpx.HTTPError:
        return False


def test_commands_beside_it(image: Any, engine: Engine) -> None:  # noqa: ANN401 - JSON
    """`docker run … config show` and `… alerts` work as anybody too."""
    anybody = ["--user=12345", "--env=FLUENCE_WATCH_API_KEY=k"]
    version, shown, alerts = (
        engine.run(*args, options=anybody, check=args != ["alerts"])
        for args in (["--version"], ["config", "show"], ["alerts"])
    )

    assert fluence_watch.__version__ == version
    assert f'listen = "0.0.0.0:{PORT}"' in shown
    assert "Traceback" not in alerts

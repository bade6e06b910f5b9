"""The unit, judged by systemd's own tools, and run by a real systemd in namespaces of its own."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from fluence_watch.simulator import build_world, create_app, running, utc_now

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy/systemd/fluence-watch.service"
PROGRAM = "/opt/fluence-watch/bin/fluence-watch"
EXPOSURE = 1.4  # of 10, as `systemd-analyze security` counts; the network alone is 1.0 of it
KEY = "the-key"

# This machine's files with a layer of our own above, in which systemd is the first process and has no unit but ours.
BOOT = """\
set -e
mount -t tmpfs tmpfs "$LAYER"
mkdir "$LAYER/upper" "$LAYER/work" "$LAYER/root"
root=$LAYER/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$LAYER/upper,workdir=$LAYER/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/sys/fs/cgroup"
mkdir "$root/sys/fs/cgroup/systemd"
mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
mount -t tmpfs tmpfs "$root/usr/lib/systemd/system"
rm -rf "$root/etc/systemd/system" "$root/etc/fluence-watch" "$root/opt/fluence-watch"
cp -r "$UNITS" "$root/etc/systemd/system"
mkdir -p "$root/opt/fluence-watch/bin" "$root/opt/python" "$root/opt/packages" "$root/opt/source/fluence_watch" "$root/etc/fluence-watch"
mount --bind "$PYTHON" "$root/opt/python"
mount --bind "$PACKAGES" "$root/opt/packages"
mount --bind "$SOURCE" "$root/opt/source/fluence_watch"
cp "$SCRIPT" "$root/opt/fluence-watch/bin/fluence-watch"
install -m 0600 "$SECRET" "$root/etc/fluence-watch/api-key"
mkdir "$root/machine"
cd "$root"
pivot_root . machine # not chroot: there nobody may make a user namespace
umount --lazy /machine
mount --make-rshared / # as at every boot: credentials are mounted from below
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=all.target
"""
APART = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--uts", "--ipc", "--cgroup"]


def test_systemd_accepts_every_line(tool: Callable[..., str], tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say, but of a program that is not installed here."""
    here = tmp_path / UNIT.name
    here.write_text(UNIT.read_text("utf-8").replace(PROGRAM, sys.executable), "utf-8")
    wrong = tmp_path / "wrong.service"
    wrong.write_text(here.read_text("utf-8").replace("ProtectSystem=strict", "ProtectSystm=1"))
    verify = [tool("systemd-analyze", "systemd"), "verify"]
    good, bad = (
        subprocess.run([*verify, file], check=False, capture_output=True, text=True)
        for file in (here, wrong)
    )

    assert (0, "") == (good.returncode, good.stderr)
    assert "ProtectSystm" in bad.stderr


def test_it_is_hardly_exposed(tool: Callable[..., str]) -> None:
    """By the figure of `systemd-analyze security`: 0 is closed, 10 is open."""
    command = [tool("systemd-analyze", "systemd"), "security", "--offline=true", UNIT]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figure = re.search(r"exposure level for fluence-watch.service: ([\d.]+)", done.stdout)

    assert figure, done.stdout
    assert float(figure[1]) <= EXPOSURE, done.stdout


class Receiver(ThreadingHTTPServer):
    """Takes messages, and keeps them."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Keep)


class _Keep(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Leave the terminal alone."""


@dataclass(frozen=True)
class Machine:
    """A systemd with our unit: what it says, its files, and what is outside of it."""

    pid: int
    daemon: str
    receiver: Receiver
    api: str

    def systemctl(self, *args: str) -> str:
        """What `systemctl` prints in there."""
        command = ["nsenter", "--target", str(self.pid), "--all", "--root", "systemctl", *args]
        return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()

    def shown(self, name: str) -> str:
        """A property of the service."""
        return self.systemctl("show", "--value", "--property", name, UNIT.name)

    def file(self, path: str) -> Path:
        """A file in there, seen from here."""
        return Path(f"/proc/{self.pid}/root{path}")

    def get(self, path: str) -> httpx.Response | None:
        """What the daemon answers."""
        try:
            return httpx.get(f"http://{self.daemon}{path}", timeout=5, verify=False)
        except httpx.HTTPError:
            return None


@pytest.fixture
def machine(
    tool: Callable[..., str],
    start: Callable[..., "subprocess.Popen[bytes]"],
    free_port: Callable[[], int],
    eventually: Callable[..., Any],
    tmp_path: Path,
) -> Iterator[Machine]:
    """Booted, with the unit as it is and a drop-in that names the simulator and a receiver."""
    tool("systemctl", "systemd")
    if subprocess.run([*APART, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False).returncode:
        pytest.skip("this machine does not let us make namespaces")
    world = build_world(
        seed=1, vms=3, epoch=timedelta(hours=24), now=utc_now(), api_key=KEY
    )  # fmt: skip
    with Receiver() as receiver, start_blocking_portal() as portal:
        Thread(target=receiver.serve_forever, daemon=True).start()
        app: Any = running(create_app(world, utc_now))
        with portal.wrap_async_context_manager(app) as api:
            daemon = f"127.0.0.1:{free_port()}"
            lines = {
                "PYTHONPATH": "/opt/source:/opt/packages",
                "LD_LIBRARY_PATH": "/opt/python/lib",
                "FLUENCE_WATCH_SERVER__LISTEN": daemon,
                "FLUENCE_WATCH_POLL__INTERVAL": "1s",
                "FLUENCE_WATCH_POLL__JITTER": "0s",
                "FLUENCE_WATCH_ACCOUNTS__MAIN__BASE_URL": api.replace("127.0.0.1", "localhost"),
                "FLUENCE_WATCH_NOTIFY_URLS": f"json://localhost:{receiver.server_port}/",
            }
            env = prepared(tmp_path, lines)
            unshare = start([*APART, "sh", "-c", BOOT], tmp_path / "boot.log", env)
            children = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children")
            (pid,) = eventually(lambda: children.read_text().split(), "the first process is there")
            yield Machine(int(pid), daemon, receiver, api)
            unshare.kill()
            unshare.wait()
        receiver.shutdown()


def prepared(folder: Path, lines: dict[str, str]) -> dict[str, str]:
    """What the boot script copies and binds, and where it is."""
    units = folder / "units"
    (units / f"{UNIT.name}.d").mkdir(parents=True)
    shutil.copy(UNIT, units)
    for name in ("basic", "sysinit", "shutdown", "umount", "network-online"):
        (units / f"{name}.target").write_text("[Unit]\nDefaultDependencies=no\n", "utf-8")
    (units / "all.target").write_text(f"[Unit]\nWants={UNIT.name}\n", "utf-8")
    environment = "".join(f'Environment="{name}={value}"\n' for name, value in lines.items())
    (units / f"{UNIT.name}.d/test.conf").write_text(
        f"[Service]\n{environment}StandardOutput=append:/daemon.log\nStandardError=append:/daemon.log\n",
        "utf-8",
    )
    python = Path(sys.executable).resolve().relative_to(sys.base_prefix)
    script = folder / "fluence-watch"
    script.write_text(
        f"#!/opt/python/{python}\nimport sys\nfrom fluence_watch.cli import main\n"
        f"sys.argv[0] = 'fluence-watch'\nmain()\n",
        "utf-8",
    )
    script.chmod(0o755)
    secret, layer = folder / "key", folder / "layer"
    secret.write_text(f"{KEY}\n", "utf-8")
    layer.mkdir()
    named = {
        "LAYER": layer,
        "UNITS": units,
        "PYTHON": sys.base_prefix,
        "PACKAGES": sysconfig.get_path("purelib"),
        "SOURCE": ROOT / "fluence_watch",
        "SCRIPT": script,
        "SECRET": secret,
    }
    return {"PATH": os.environ["PATH"]} | {name: str(path) for name, path in named.items()}


def test_it_works_under_its_restrictions(machine: Machine, eventually: Callable[..., Any]) -> None:
    """It polls, notifies from its child processes, reloads and stops, as nobody with nothing."""
    log = machine.file("/daemon.log")
    eventually(
        lambda: (a := machine.get("/-/ready")) and a.is_success, f"it is ready, says {log}", 90
    )
    daemon = machine.shown("MainPID")
    status = Path(f"/proc/{_outside(machine.pid, int(daemon))}/status").read_text("utf-8")
    said = dict(re.findall(r"^(\w+):\s+(\S+)", status, re.MULTILINE))
    assert 61184 <= int(said["Uid"]) <= 65519  # systemd's dynamic users
    assert ("1", "2") == (said["NoNewPrivs"], said["Seccomp"])
    assert {"0" * 16} == {said[name] for name in ("CapEff", "CapBnd", "CapAmb")}

    httpx.post(
        f"{machine.api}/_control/open-port",
        json={"vm": "web-1", "port": "23/tcp"},
        timeout=30,
        verify=False,
    )
    eventually(lambda: machine.receiver.bodies, f"the receiver is notified, says {log}", 90)
    machine.systemctl("reload", UNIT.name)
    eventually(lambda: "reload" in log.read_text("utf-8"), "it reads its settings again")
    database = machine.file("/var/lib/private/fluence-watch/fluence-watch.db")
    assert (0o600, int(said["Uid"])) == (database.stat().st_mode & 0o777, database.stat().st_uid)
    assert KEY not in log.read_text("utf-8")

    machine.systemctl("stop", UNIT.name)
    assert ("inactive", "success") == (machine.shown("ActiveState"), machine.shown("Result"))
    assert "Traceback" not in log.read_text("utf-8")


def _outside(first: int, inside: int) -> int:
    """The number that a process of the machine has here."""
    for status in Path("/proc").glob("[0-9]*/status"):
        found = re.search(r"^NSpid:\s+(\d+)\s+(\d+)$", status.read_text("utf-8"), re.MULTILINE)
        if found and int(found[2]) == inside and _same_machine(first, int(found[1])):
            return int(found[1])
    raise AssertionError(inside)


def _same_machine(one: int, other: int) -> bool:
    return Path(f"/proc/{one}/ns/pid").samefile(f"/proc/{other}/ns/pid")

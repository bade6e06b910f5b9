"""`demo`: what a newcomer sees in the first minute."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

SOON = 60.0  # seconds
TITLE = re.compile(r"(\[(FIRING|RESOLVED):\d+\]|CRITICAL|WARNING|INFO|RESOLVED) \w+")


@pytest.fixture
def demo(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """The demo, its output through a pipe, its temporary folder below `tmp_path`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fluence_watch", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PATH": os.defpath, "TMPDIR": str(tmp_path)},
    )
    with process:
        yield process
        process.kill()


@pytest.mark.long
def test_demo(
    demo: "subprocess.Popen[str]", tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    """Something fires and something resolves within a minute; Ctrl-C leaves nothing behind."""
    lines: list[str] = []
    reader = Thread(target=lambda: lines.extend(demo.stdout or ()))
    reader.start()
    page = eventually(lambda: address(lines, "status page"), "it says where to look", SOON)
    eventually(lambda: "fluence_vm_info{" in text(f"{page}metrics"), "metrics are there", SOON)
    assert "fluence-watch" in text(page)
    assert 1 == len(list(tmp_path.glob("fluence-watch-demo-*")))
    for title in (
        r"(\[FIRING:\d+\]|CRITICAL|WARNING|INFO) \w+",
        r"(\[RESOLVED:\d+\]|RESOLVED) \w+",
    ):
        eventually(lambda t=title: any(re.match(t, line) for line in lines), title, SOON)
    demo.send_signal(signal.SIGINT)

    assert 0 == demo.wait(20)
    reader.join()
    assert "The demo is over; nothing of it is left.\n" == lines[-1]
    assert [] == list(tmp_path.iterdir())
    assert "\x1b" not in "".join(lines)
    assert "A simulated Fluence account" in lines[0]


def test_the_commands_of_its_messages(
    demo: "subprocess.Popen[str]", eventually: Callable[..., Any]
) -> None:
    """What the greeting exports is all that another terminal needs to paste them."""
    lines: list[str] = []
    reader = Thread(target=lambda: lines.extend(demo.stdout or ()))
    reader.start()

    def pasted() -> list[str]:
        found = [re.search(r"fluence-watch vm ports .*", line) for line in lines]
        return [match[0].rstrip("`.") for match in found if match]

    page = eventually(lambda: address(lines, "status page"), "it says where to look", SOON)
    command = eventually(pasted, "a message with a command", SOON)[0]
    assert not [line for line in lines if "doubtful setting" in line]
    exports = [line.strip() for line in lines if line.startswith("  export ")]
    shell = "\n".join([*exports, "set -e", "fluence-watch vm ls -o json", f"{command} --dry-run"])
    ran = subprocess.run(
        ["/bin/sh", "-c", shell],
        capture_output=True,
        text=True,
        timeout=SOON,
        check=False,
        env={"PATH": os.defpath},
    )

    assert 0 == ran.returncode, ran.stderr
    assert re.search('"vm_name": "web-1"', ran.stdout)
    assert re.search("nothing was changed: this is a dry run|nothing to do", ran.stdout)
    assert 'content="2"' in text(page)
    forecast = subprocess.run(
        ["/bin/sh", "-c", "\n".join([*exports, "fluence-watch forecast -o json"])],
        capture_output=True,
        text=True,
        timeout=SOON,
        check=True,
        env={"PATH": os.defpath},
    )
    epochs_a_day = 24 * 60 // 2 if "epochs of 2 minutes" in "".join(lines) else 0
    for vm in json.loads(forecast.stdout)["vms"]:
        price = Decimal(vm["price_per_epoch"])
        assert Decimal(vm["burn_per_day"]) == (epochs_a_day * price if vm["billed"] else 0)
    demo.send_signal(signal.SIGINT)
    assert 0 == demo.wait(20)
    reader.join()


def test_a_reload_keeps_its_receiver(
    demo: "subprocess.Popen[str]", eventually: Callable[..., Any]
) -> None:
    """After SIGHUP messages go on to appear on the terminal."""
    lines: list[str] = []
    reader = Thread(target=lambda: lines.extend(demo.stdout or ()))
    reader.start()
    page = eventually(lambda: address(lines, "status page"), "it says where to look", SOON)
    eventually(lambda: "fluence_vm_info{" in text(f"{page}metrics"), "metrics are there", SOON)
    reloaded = "fluence_watch_config_last_reload_success_timestamp_seconds "
    before = line_of(f"{page}metrics", reloaded)
    demo.send_signal(signal.SIGHUP)
    eventually(lambda: line_of(f"{page}metrics", reloaded) != before, "it is reloaded", SOON)
    after = len(lines)
    eventually(lambda: any(map(TITLE.match, lines[after:])), "a message appears", SOON)
    demo.send_signal(signal.SIGINT)

    assert 0 == demo.wait(20)
    reader.join()


def line_of(url: str, start: str) -> str:
    """The line there that begins so."""
    return next(line for line in text(url).splitlines() if line.startswith(start))


def address(lines: list[str], what: str) -> str | None:
    """The address that the greeting gives for something."""
    return next((line.split()[-1] for line in lines if what in line), None)


def text(url: str) -> str:
    """What is there."""
    return httpx.get(url, timeout=SOON, verify=False).raise_for_status().text

"""How soon a daemon over a small fleet is ready, and what it then holds; its store exists already."""

import re
import subprocess
import sys
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, sleep

from tests.bench.fleet import KEY
from tests.bench.simulator import free_port, simulated

_STEP = 0.005
_PATIENCE = 30.0  # seconds
_SETTLED = 2.0  # seconds after it is ready
_CONFIG = """
[server]
listen = "127.0.0.1:{port}"
[store]
url = "sqlite:///{folder}/bench.db"
[[accounts]]
name = "main"
api_key = "{key}"
base_url = "{url}"
"""


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from its start to `/-/ready`, and memory in MB (2^20): resident, and its fair share."""

    ready: float
    rss: float
    pss: float


def measure(vms: int, repeats: int) -> Start:
    """The soonest and the smallest of several starts, after one that makes the store."""
    with simulated(vms) as url, TemporaryDirectory() as folder:
        config, port = Path(folder, "config.toml"), free_port()
        config.write_text(_CONFIG.format(port=port, folder=folder, key=KEY, url=url))
        starts = [_start(config, port) for _ in range(repeats + 1)][1:]
    return Start(
        min(start.ready for start in starts),
        min(start.rss for start in starts),
        min(start.pss for start in starts),
    )


def _start(config: Path, port: int) -> Start:
    command = [sys.executable, "-m", "fluence_watch", "run", "--config", str(config)]
    started_at = perf_counter()
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as daemon:
        try:
            while not _is_ready(port):
                if perf_counter() - started_at > _PATIENCE:
                    raise RuntimeError("the daemon is not ready")
                sleep(_STEP)
            ready = perf_counter() - started_at
            sleep(_SETTLED)
            return Start(ready, *_memory(daemon.pid))
        finally:
            daemon.terminate()


def _is_ready(port: int) -> bool:
    page = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        page.request("GET", "/-/ready")
        return page.getresponse().status == 200
    except OSError:
        return False
    finally:
        page.close()


def _memory(pid: int) -> tuple[float, float]:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = dict(re.findall(r"^(Rss|Pss):\s+(\d+) kB", rollup, re.MULTILINE))
    return int(found["Rss"]) / 1024, int(found["Pss"]) / 1024

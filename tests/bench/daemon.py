"""The real daemon over a simulated account in another process: its memory, and scrapes beside it.

Epochs are so short that 1 % of the VMs changes from poll to poll: half is charged, half topped up.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import perf_counter, time

from tests.bench.simulator import started

_INTERVAL = 5.0
_EPOCH = 1000.0
_PAUSE = 0.02
_PUBLISHING = 0.1  # seconds: what a poll logs as its time ends before its page is published
_BUFFER = bytearray(2**20)
_CONFIG = """
[poll]
interval = "{interval:g}s"
jitter = "0s"
[server]
listen = "127.0.0.1:0"
[store]
url = "sqlite:///{folder}/bench.db"
[log]
format = "json"
level = "debug"
[rules.low_balance]
for = "20s"
[rules.billing_due]
lead_time = "40s"
[[accounts]]
name = "main"
api_key = "{key}"
base_url = "{url}"
dialect = "v2"
epoch = "{epoch:g}s"
"""


@dataclass(frozen=True, slots=True)
class Daemon:
    """Memory in MB, times in milliseconds.

    `idle` and `busy` are the least, the median and the 99th percentile of gzip scrapes between
    polls and beside one.
    """

    peak: float
    steady: float
    idle: tuple[float, ...]
    busy: tuple[float, ...]
    plain: float


def measure(vms: int, polls: int) -> Daemon:
    """Run it for so many polls, scraped with gzip all the time."""
    api = ("-m", "fluence_watch", "simulate", "--vms", f"{vms}", "--epoch", f"{_EPOCH:g}s")
    with started(*api, "--listen", "127.0.0.1:0") as simulator, TemporaryDirectory() as folder:
        url, key = _words(simulator, r"(http\S+)\s+key: (\S+)")
        config = Path(folder, "config.toml")
        config.write_text(
            _CONFIG.format(interval=_INTERVAL, folder=folder, key=key, url=url, epoch=_EPOCH)
        )
        with started("-m", "fluence_watch", "run", "--config", f"{config}") as daemon:
            return _watch(daemon, polls)


def _words(process: subprocess.Popen[str], pattern: str) -> tuple[str, ...]:
    for line in process.stdout or ():
        if found := re.search(pattern, line):
            return found.groups()
    raise RuntimeError(f"it ended without saying {pattern}")


def _watch(daemon: subprocess.Popen[str], polls: int) -> Daemon:
    """The first poll is the one that brings the whole fleet; it is not counted."""
    (address,) = _words(daemon, r'"serving": "http://([^"]+)"')
    seen = [_poll(daemon)]
    page, stop = HTTPConnection(address, timeout=30), Event()
    scrapes: list[tuple[float, float]] = []
    scraper = Thread(target=lambda: scrapes.extend(_scraping(page, stop)))
    scraper.start()
    seen += [_poll(daemon) for _ in range(polls)]
    stop.set()
    scraper.join()
    busy = [
        ms for at, ms in scrapes if any(start - ms / 1000 < at < end for start, end in seen[1:])
    ]
    idle = [ms for at, ms in scrapes if not any(start - 1 < at < end + 1 for start, end in seen)]
    peak, steady = _memory(daemon.pid)
    return Daemon(
        peak=peak,
        steady=steady,
        idle=_percentiles(idle),
        busy=_percentiles(busy),
        plain=min(_scrape(page, "identity") for _ in range(5)),
    )


def _poll(daemon: subprocess.Popen[str]) -> tuple[float, float]:
    """When the next poll began and ended; it reports after its page is published."""
    for line in daemon.stdout or ():
        event = json.loads(line) if line.startswith("{") else {}
        if event.get("event") == "poll":
            end = datetime.fromisoformat(event["timestamp"]).timestamp()
            return end - event["seconds"] - _PUBLISHING, end
    raise RuntimeError("the daemon ended")


def _scraping(page: HTTPConnection, stop: Event) -> Iterator[tuple[float, float]]:
    """When each scrape began, and how long it took."""
    _scrape(page, "gzip")  # the first has the page compressed
    while not stop.wait(_PAUSE):
        yield time(), _scrape(page, "gzip")


def _scrape(page: HTTPConnection, encoding: str) -> float:
    started = perf_counter()
    page.request("GET", "/metrics", headers={"Accept-Encoding": encoding})
    answer = page.getresponse()
    while answer.readinto(_BUFFER):  # as cheap for the reader as it can be
        continue
    return (perf_counter() - started) * 1000


def _percentiles(times: list[float]) -> tuple[float, ...]:
    return min(times), median(times), quantiles(times, n=100)[98]


def _memory(pid: int) -> tuple[float, float]:
    """The peak and the present resident memory in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = dict(re.findall(r"(VmHWM|VmRSS):\s+(\d+) kB", status))
    return int(found["VmHWM"]) * 1024 / 1e6, int(found["VmRSS"]) * 1024 / 1e6

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ACCOUNTS, VMS, INTERVAL = 200, 50, 8.0
SLOW, FAILING, UNAUTHORIZED = "a10", "a20", "a30"


@pytest.fixture
def api() -> Iterator[str]:
    """The API of many accounts, in a process of its own."""
    script = Path(__file__).with_name("many_accounts.py")
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.kill()


@pytest.mark.alone
def test_one_account_delays_no_other(
    api: str,
    configure: Callable[..., Path],
    daemon: Any,  # noqa: ANN401 - see conftest.py
    eventually: Callable[..., Any],
) -> None:
    """Of 200 accounts one is slow, one fails, one is refused; no other is polled a second late."""
    accounts = [
        {"name": f"a{number}", "api_key": "key", "base_url": f"{api}/{number}"}
        for number in range(ACCOUNTS)
    ]
    poll = {"interval": f"{INTERVAL:g}s", "timeout": "5s", "jitter": "0s"}
    daemon.config = configure({"accounts": accounts, "poll": poll})
    daemon.start()
    polled: dict[str, list[float]] = {}

    def four_each() -> bool:
        polled.clear()
        for line in daemon.logged("poll"):
            at = datetime.fromisoformat(line["timestamp"]).timestamp()
            polled.setdefault(line["account"], []).append(at)
        return sum(len(times) >= 4 for times in polled.values()) >= ACCOUNTS - 2

    eventually(four_each, "four polls of every account that answers", 10 * INTERVAL)
    gaps = [
        [later - earlier for earlier, later in pairwise(times)][:3]
        for account, times in polled.items()
        if account != SLOW
    ]
    # the slow one is slow in each round, a busy machine is not
    late = min(map(max, zip(*gaps, strict=True))) - INTERVAL
    print(f"the latest poll of {len(gaps)} accounts came {1000 * late:.0f} ms late")  # noqa: T201 - a figure to read

    assert ACCOUNTS - 2 == len(polled)
    assert late < 1.0
    assert 0 == daemon.metric("fluence_up", account=FAILING)
    assert 0 == daemon.metric("fluence_up", account=UNAUTHORIZED)
    vms = re.findall(r"^fluence_vm_info\{", daemon.get("/metrics").text, re.MULTILINE)
    assert VMS * (ACCOUNTS - 2) == len(vms)

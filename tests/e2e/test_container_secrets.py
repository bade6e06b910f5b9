"""Variables of GPU containers hold secrets of users: nothing of them leaves the request."""

# ruff: noqa: ANN401 - the parts' classes are in conftest.py, which is not imported

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from fluence_watch.simulator.dialects.gpu import SECRET


def test_nothing_that_is_kept_or_told_has_them(
    fluence: Any,
    receiver: Any,
    daemon: Any,
    configure: Callable[..., Path],
    eventually: Callable[..., Any],
) -> None:
    """Not the store, the log, the metrics, the page, the messages, nor what commands print."""
    fluence.do("add-gpu", name="trainer", started=False)
    settings = configure(
        {
            "accounts": [
                {
                    "name": "main",
                    "api_key": fluence.world.api_key,
                    "base_url": fluence.url,
                    "gpu": True,
                }
            ],
            "rules.gpu_status": {"for": "0s"},
        }
    )
    daemon.start().ready()
    eventually(
        lambda: any("trainer" in post.body for post in receiver.accepted), "a message about it"
    )
    (gpu,) = httpx.get(f"{fluence.url}/_control/world", timeout=30, verify=False).json()["gpus"]
    whole = httpx.get(
        f"{fluence.url}/gpu/instances/{gpu['id']}",
        headers={"X-API-KEY": fluence.world.api_key},
        timeout=30,
        verify=False,
    )
    seen = "".join(
        [
            daemon.get("/metrics").text,
            daemon.get("/").text,
            *map(str, daemon.lines),
            *(post.body for post in receiver.accepted),
        ]
    )
    daemon.stop()
    kept = b"".join(path.read_bytes() for path in settings.parent.iterdir() if path.is_file())

    assert SECRET in whole.text
    assert "trainer" in seen
    assert b"trainer" in kept
    assert SECRET not in seen
    assert SECRET.encode() not in kept

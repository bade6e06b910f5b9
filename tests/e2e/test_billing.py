"""A charge that comes is notified once, with a command that works."""

import re
import shlex
from datetime import UTC, datetime, timedelta
from typing import Any

# ruff: noqa: ANN401 - the fakes' classes are in conftest.py, which is not imported


def test_a_boundary_that_wobbles(
    fluence: Any, receiver: Any, daemon: Any, configure: Any, cli: Any, eventually: Any
) -> None:
    """The API moves the boundaries of two VMs by a second from poll to poll: that is one message."""
    names = ("web-1", "api-4")
    first = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=20)

    def move(seconds: int) -> None:
        for number, name in enumerate(names):
            at = first + timedelta(minutes=2 * number, seconds=seconds)
            left = (at - datetime.now(UTC)).total_seconds()
            fluence.do("set-boundary", vm=name, seconds=left)

    fluence.do("set-boundary", seconds=36_000)  # all others are due another time
    move(0)
    billing_due = {"enabled": True, "lead_time": "30m"}
    daemon.config = configure({"rules.billing_due": billing_due})
    daemon.start().ready()
    eventually(lambda: receiver.accepted, "it is notified")
    for seconds in (1, -1, 2, 0):
        move(seconds)
        polls = len(daemon.logged("poll"))
        eventually(lambda polls=polls: len(daemon.logged("poll")) >= polls + 2, "more polls")

    assert ["[FIRING:2] billing_due · main"] == receiver.titles
    body = receiver.accepted[0].body
    assert f"2 VMs are charged from {first:%H:%M} UTC, in " in body
    (command,) = re.findall(r"fluence-watch (vm rm [^\n]*)", body)
    removed = cli(*shlex.split(command), "--dry-run", "--config", daemon.config)
    assert (0, "") == (removed.returncode, removed.stderr)
    assert all(name in removed.stdout for name in names)

"""Nothing is concluded from a poll that failed, and nothing is missed for it."""

# ruff: noqa: ANN401 - the parts' classes are in conftest.py, which is not imported

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Eventually = Callable[..., Any]

OPENED = "WARNING web-1: 8001/tcp is open and should not be"
POLLS = "fluence_poll_duration_seconds_count"
DRIFT = {"vm": "web-1", "port": "8001/tcp"}


@pytest.mark.parametrize("restarted", [False, True])
def test_vm_that_disappears_while_polls_fail(
    fluence: Any, receiver: Any, daemon: Any, configure: Callable[..., Path],
    eventually: Eventually, *, restarted: bool,
) -> None:  # fmt: skip
    """It is reported when polls work again; what fired goes on firing until then."""
    configure({"rules.vm_vanished": {"confirm_polls": 10}})  # or both may share a message
    daemon.start().ready()
    fluence.do("open-port", **DRIFT)
    eventually(lambda: receiver.titles == [OPENED], "the drift is told")

    fluence.fail(status=500)
    eventually(lambda: len(receiver.accepted) == 2, "the failure is told")
    fluence.do("vanish", vm="db-2")
    fluence.do("close-port", **DRIFT)
    if restarted:
        daemon.kill()
        daemon.start().ready()
    polls = daemon.metric(POLLS)
    eventually(lambda: daemon.metric(POLLS) >= polls + 3, "more polls fail")

    assert [OPENED, "CRITICAL account main cannot be polled: server error"] == receiver.titles
    assert 1 == daemon.metric("fluence_watch_alerts", rule="port_drift", state="silenced")
    assert 0 == daemon.metric("fluence_up", account="main")
    assert daemon.get("/-/healthy").is_success
    assert daemon.get("/-/ready").is_success

    fluence.mend()
    eventually(lambda: len(receiver.accepted) >= 4, "the end of the failure and the loss are told")
    polls = daemon.metric(POLLS)
    eventually(lambda: daemon.metric(POLLS) >= polls + 3, "more polls succeed")

    both, lost = receiver.titles[2:]
    assert "[RESOLVED:2] poll_failing, port_drift · main" == both
    assert re.fullmatch(r"CRITICAL db-2 is missing since .* UTC: cause unknown", lost)
    assert "db-2" in receiver.accepted[-1].body
    assert 1 == daemon.metric("fluence_up", account="main")

"""Links of messages, from the receiver of a real daemon to what it knows afterwards."""

# ruff: noqa: ANN401 - the parts' classes are in conftest.py, which is not imported

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

Eventually = Callable[..., Any]
Run = Callable[..., Any]
BASE = "https://watch.example.com/fw"
SECRET = "t0p-s3cret of forty characters, or more."


def test_a_link_of_a_message(
    fluence: Any, receiver: Any, daemon: Any, configure: Callable[..., Path], eventually: Eventually,
    cli: Run, tmp_path: Path,
) -> None:  # fmt: skip
    """GET shows, POST acknowledges, `alerts` has it; accepted ports resolve; a new secret ends all."""
    (tmp_path / "secret").write_text(SECRET, encoding="utf-8")
    server = {"external_url": BASE, "action_secret_file": str(tmp_path / "secret")}
    config = configure({"server": server})
    daemon.start().ready()
    fluence.do("open-port", vm="web-1", port="8001/tcp")
    eventually(lambda: receiver.accepted, "the message")
    links = dict(re.findall(rf"{BASE}(/alerts/\w+/([a-z-]+)/\S+)", receiver.accepted[0].body))
    paths = {action: path for path, action in links.items()}
    assert {"ack", "snooze", "accept-ports"} == paths.keys()

    def alerts() -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = json.loads(
            cli("alerts", "--config", config, "-o", "json").stdout
        )
        return shown

    assert "8001/tcp is open" in daemon.get(paths["ack"].partition("/ack/")[0]).text
    assert "Acknowledge this alert?" in daemon.get(paths["ack"]).text
    assert [None] == [each["muted"] for each in alerts()]
    assert httpx.post(daemon.url + paths["ack"], timeout=30).is_success
    (alert,) = alerts()
    assert ("acknowledged", "a link") == (alert["muted"]["why"], alert["muted"]["by"])
    assert 409 == httpx.post(daemon.url + paths["ack"], timeout=30).status_code
    assert f"/alerts/{alert['id']}" in paths["ack"]
    assert f'href="alerts/{alert["id"]}"' in daemon.get("/").text

    assert httpx.post(daemon.url + paths["accept-ports"], timeout=30).is_success
    eventually(lambda: not alerts(), "the accepted ports")
    answer = httpx.post(daemon.url + paths["accept-ports"], timeout=30)
    assert (409, True) == (answer.status_code, "The alert is over." in answer.text)

    (tmp_path / "secret").write_text(SECRET[::-1], encoding="utf-8")
    daemon.signal(signal.SIGHUP)
    eventually(lambda: daemon.logged("reloaded"), "the reload")
    assert 403 == daemon.get(paths["snooze"]).status_code
    shown = cli("config", "show", "--config", config).stdout
    assert 0 == daemon.stop()
    log = json.dumps(daemon.lines)
    assert ["ack", "accept-ports"] == [e["action"] for e in daemon.logged("done by a link")]
    for text in (SECRET, *(path.rpartition("-")[2] for path in paths.values())):
        assert text not in log + shown

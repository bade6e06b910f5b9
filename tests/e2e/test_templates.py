"""The daemon with templates of a user."""

# ruff: noqa: ANN401 - the parts' classes are in conftest.py, which is not imported

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

Eventually = Callable[..., Any]
MINE = "{% macro title(item) %}mine: {{ item.facts.vm.name }}{% endmacro %}\n"


def test_messages_in_words_of_ones_own(
    fluence: Any, receiver: Any, daemon: Any, configure: Callable[..., Path], eventually: Eventually,
    tmp_path: Path,
) -> None:  # fmt: skip
    """A reload reads them again; one that fails is replaced by the shipped one, with a log line."""
    (tmp_path / "words").mkdir()
    template = tmp_path / "words" / "PortDrift.jinja"
    template.write_text(MINE, encoding="utf-8")
    configure({"templates": {"dir": str(tmp_path / "words")}})
    daemon.start().ready()
    fluence.do("open-port", vm="web-1", port="8001/tcp")
    eventually(lambda: "WARNING mine: web-1" in receiver.titles, "the message")

    template.write_text(MINE.replace("name", "nope"), encoding="utf-8")
    daemon.signal(signal.SIGHUP)
    eventually(lambda: daemon.logged("reloaded"), "the reload")
    fluence.do("open-port", vm="web-1", port="8002/tcp")
    shipped = "WARNING web-1: 8002/tcp is open and should not be"
    eventually(lambda: shipped in receiver.titles, "the message in the shipped words")
    (line,) = daemon.logged("template fails, the shipped one is used")
    assert ("PortDrift.jinja", 1) == (line["template"], line["line"])
    assert 0 == daemon.stop()

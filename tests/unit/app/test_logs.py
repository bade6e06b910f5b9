import json
import logging

import pytest
import structlog

from fluence_watch.app.logs import configure_logs
from fluence_watch.settings import LogSettings


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    out, err = capsys.readouterr()
    assert not out
    return [json.loads(line) for line in err.splitlines()]


def test_one_line_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    """Ours and the libraries' records leave by one way: JSON where there is no terminal."""
    configure_logs(LogSettings())
    structlog.get_logger("ours").info("poll", account="main", vms=3)
    logging.getLogger("theirs").warning("disk %s", "full")
    ours, theirs = lines(capsys)

    assert ("poll", "info", "main", 3) == tuple(
        ours[k] for k in ("event", "level", "account", "vms")
    )
    assert ("disk full", "warning") == (theirs["event"], theirs["level"])
    assert str(ours["timestamp"]).endswith("Z")


def test_the_console_form(capsys: pytest.CaptureFixture[str]) -> None:
    """For people, and without colour when it is not a terminal."""
    configure_logs(LogSettings(format="console"))
    structlog.get_logger("ours").warning("poll failed", account="main")
    _, err = capsys.readouterr()

    assert "poll failed" in err
    assert "account=main" in err
    assert "\x1b" not in err


def test_levels(capsys: pytest.CaptureFixture[str]) -> None:
    """Below the level nothing is said; what libraries say of their work is left out anyway."""
    configure_logs(LogSettings(level="debug"))
    structlog.get_logger("ours").debug("ours")
    logging.getLogger("httpx").info("GET https://…")
    logging.getLogger("alembic.runtime").info("Running upgrade")
    logging.getLogger("theirs").debug("theirs")
    configure_logs(LogSettings(level="error"))
    structlog.get_logger("ours").warning("not told")
    logging.getLogger("theirs").warning("not told")

    assert ["ours", "theirs"] == [line["event"] for line in lines(capsys)]


def test_a_second_time_changes_and_does_not_double(capsys: pytest.CaptureFixture[str]) -> None:
    """A reload may configure again, also loggers that were used before."""
    log = structlog.get_logger("ours")
    configure_logs(LogSettings(level="error"))
    log.info("before")
    configure_logs(LogSettings(level="info"))
    log.info("after")

    assert ["after"] == [line["event"] for line in lines(capsys)]


@pytest.mark.parametrize("form", ["json", "console"])
def test_outside_text_is_harmless(capsys: pytest.CaptureFixture[str], form: str) -> None:
    """Names and error bodies cannot forge a line, hide one, or move the cursor."""
    configure_logs(LogSettings.model_validate({"format": form}))
    evil = "web\n2026 level=info\x1b[2J\u202e\x9b31m" + "x" * 1_000
    structlog.get_logger("ours").warning(evil, vm=evil)
    logging.getLogger("theirs").warning("said %s", evil)
    structlog.get_logger("ours").error("crashed", exc_info=ValueError(evil))
    _, err = capsys.readouterr()

    assert not {"\x1b", "\u202e", "\x9b"} & set(err)
    assert not [line for line in err.splitlines() if line.startswith("2026 level=info")]
    assert "x" * 600 not in err
    assert "  ValueError: web" in err
    if form == "json":
        assert 3 == len(err.splitlines())

"""`notify preview`, and `config check` of templates."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SETTINGS = """\
[[accounts]]
api_key = "k"
[[receivers]]
name = "ops"
url = "json://localhost"
"""
PAGER = '[[receivers]]\nname = "pager"\nurl = "json://127.0.0.1"\n'
WORDS = '[templates]\ndir = "words"\n'
TITLE = "{% macro title(item) %}mine: {{ item.facts.vm.name }}{% endmacro %}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    """The folder of templates, empty; the settings name it."""
    Path("config.toml").write_text(SETTINGS + WORDS, encoding="utf-8")
    made = tmp_path / "words"
    made.mkdir()
    return made


def test_every_format(run: Callable[..., Any], folder: Path) -> None:
    """While it fires and when it is over, in the words of the user."""
    (folder / "LowBalance.jinja").write_text(TITLE, encoding="utf-8")
    ran = run("notify", "preview", "low_balance")
    assert 0 == ran.code
    assert 2 == ran.out.count("── text ──") == ran.out.count("── markdown ──") == ran.out.count("── html ──")  # fmt: skip
    assert 3 == ran.out.count("CRITICAL mine: web-1\n")
    assert 3 == ran.out.count("RESOLVED mine: web-1\n")


def test_as_a_receiver_shows_it(run: Callable[..., Any]) -> None:
    """In its format, and as many alerts as wanted; an event has no end."""
    ran = run("notify", "preview", "price_changed", "--receiver", "ops", "--count", "20")
    assert ["── plain ──"] == [line for line in ran.out.splitlines() if line.startswith("──")]
    assert "[FIRING:20] price_changed · main" in ran.out


def test_one_format(run: Callable[..., Any]) -> None:
    """`--format` has those of bodies."""
    ran = run("notify", "preview", "debt", "--format", "markdown")
    assert {"── markdown ──"} == {line for line in ran.out.splitlines() if line.startswith("──")}


def test_as_escalated(run: Callable[..., Any]) -> None:
    """With who was notified before; an event is not escalated."""
    ran = run("notify", "preview", "debt", "--format", "text", "--escalated")
    assert "Escalated: firing since" in ran.out
    assert "another receiver was last notified" in ran.out
    settings = SETTINGS + 'escalate_after = "1h"\nescalate_to = "pager"\n' + PAGER
    Path("config.toml").write_text(settings + WORDS, encoding="utf-8")
    ran = run("notify", "preview", "debt", "--receiver", "pager", "--escalated")
    assert ("ops was last notified" in ran.out, "") == (True, ran.err)
    ran = run("notify", "preview", "debt", "--format", "text", "--escalated")
    assert "ops was last notified" in ran.out
    ran = run("notify", "preview", "debt", "--receiver", "ops", "--escalated")
    assert "note: nothing escalates to ops\n" == ran.err
    ran = run("notify", "preview", "price_changed", "--escalated")
    assert (2, True) == (ran.code, "--escalated: price_changed reports what happened" in ran.err)


@pytest.mark.parametrize(
    ("route", "rule", "note"),
    [
        ("", "debt", ""),
        ("rules = []", "debt", "note: pager gets no debt: its rules are []\n"),
        ('rules = ["low_*", "vm_*"]', "debt", "note: pager gets no debt: its rules are [low_*, vm_*]\n"),
        ('min_severity = "critical"', "debt", ""),
        ('min_severity = "critical"', "billing_due", "note: pager gets what is critical or worse; this sample is info\n"),
        ('accounts = ["main"]', "budget", ""),
    ],
)  # fmt: skip
def test_what_a_receiver_does_not_get(
    run: Callable[..., Any], route: str, rule: str, note: str
) -> None:
    """It is shown all the same, with a note."""
    Path("config.toml").write_text(f"{SETTINGS}{PAGER}{route}\n{WORDS}", encoding="utf-8")
    ran = run("notify", "preview", rule, "--receiver", "pager")
    assert (0, note, True) == (ran.code, ran.err, "── plain ──" in ran.out)


def test_in_the_browser(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A page as a mail has it, in a file."""
    opened: list[str] = []
    monkeypatch.setattr("typer.launch", opened.append)
    assert 0 == run("notify", "preview", "billing_due", "--browser").code
    (url,) = opened
    page = Path(url.removeprefix("file://"))
    assert "<!doctype html>" in page.read_text(encoding="utf-8").lower()
    page.unlink()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["low_balanc"], "RULE: 'low_balanc' matches no rule; did you mean 'low_balance'?"),
        (["debt", "--receiver", "x"], "--receiver: there is no 'x'; there are: ops"),
    ],
)
def test_what_is_not_there(run: Callable[..., Any], words: list[str], error: str) -> None:
    """With the nearest name."""
    ran = run("notify", "preview", *words)
    assert (2, f"fluence-watch: {error}\n") == (ran.code, ran.err)


def test_config_check_fills_templates(run: Callable[..., Any], folder: Path) -> None:
    """With the file, the line, the rule, and the format."""
    (folder / "LowBalance.jinja").write_text(TITLE, encoding="utf-8")
    assert 0 == run("config", "check").code
    (folder / "LowBalance.jinja").write_text(f"\n{TITLE}".replace(".name", ".nme"), "utf-8")
    ran = run("config", "check")
    assert 2 == ran.code
    assert "words/LowBalance.jinja:2: templates.dir: " in ran.err
    assert "has no attribute 'nme' (low_balance, text)" in ran.err

    (folder / "LowBalanc.jinja").write_text("", encoding="utf-8")
    ran = run("config", "check")
    assert "did you mean 'LowBalance.jinja'?" in ran.err
    assert "has no attribute 'nme' (low_balance, text)" in ran.err  # beside it
    assert 2 == len(ran.err.splitlines())


def test_config_check_tries_the_folder_of_the_record(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an error if it cannot be one, a note if another user may be able to write there."""

    def record(folder: Path) -> None:
        Path("config.toml").write_text(f'{SETTINGS}[record]\ndir = "{folder}"\n', "utf-8")

    record(tmp_path / "new" / "record")
    assert (0, False) == (run("config", "check").code, (tmp_path / "new").exists())
    (tmp_path / "file").touch()
    record(tmp_path / "file" / "record")
    ran = run("config", "check")
    assert 2 == ran.code
    assert "config.toml:7: record.dir: cannot write to the folder" in ran.err
    assert "Not a directory: create it for the daemon's user" in ran.err

    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("fluence_watch.record.files.try_folder", refuse)
    ran = run("config", "check")
    assert 0 == ran.code
    assert "note: config.toml:7: record.dir: cannot write to the folder" in ran.out

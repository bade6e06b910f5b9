"""Help as a newcomer reads it: on a terminal of 80 columns."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from typer._click import Command
from typer.core import TyperGroup
from typer.main import get_command

from fluence_watch.cli.commands import app

Run = Callable[..., Any]  # the fakes' classes are in conftest.py, which is not imported


def _commands(command: Command, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, TyperGroup):
        for name, below in command.commands.items():
            yield from _commands(below, *path, name)


ALL = list(_commands(get_command(app)))


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_nothing_is_cut(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """No line is wider than 80 columns, or ends in dots for want of place."""
    monkeypatch.setenv("COLUMNS", "80")
    ran = run(*command, "--help")
    usage, _, rest = ran.out.partition("\n")

    assert (0, "") == (ran.code, ran.err)
    assert [] == [line for line in rest.splitlines() if len(line) > 80 or line.endswith("...")]
    assert not [odd for odd in ("{", "}", "[[") if odd in usage]
    assert not [odd for odd in ("list[", "<str>", "range>") if odd in rest]


def test_the_arguments_of_usage(run: Run) -> None:
    """Needed or not, one or several, as in manuals."""
    ends = {
        ("vm", "show"): "VM",
        ("vm", "ls"): "[VM]...",
        ("vm", "ports", "open"): "VM PORT...",
        ("ssh-key", "add"): "[KEY]",
    }
    for command, end in ends.items():
        assert run(*command, "-h").out.splitlines()[0].endswith(f" [OPTIONS] {end}")


def test_formats_that_have_an_effect(run: Run) -> None:
    """What shows one thing is not wide."""
    assert "<table|json>" in run("vm", "show", "-h").out
    assert "<table|wide|json>" in run("vm", "ls", "-h").out

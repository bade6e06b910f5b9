"""`test`: users' own tests of their settings."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fluence_watch.cli.common.output import print_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fluence_watch.app.rehearsal.cases.reading import Suite
    from fluence_watch.app.rehearsal.cases.running import Result

_FAILED = 1


class ResultFormat(StrEnum):
    """What `--format` takes."""

    TABLE = "table"
    JSON = "json"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("test")(run_tests)


def run_tests(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Files with tests.")],
    form: Annotated[
        ResultFormat, typer.Option("--format", "-o", help="How to print.")
    ] = ResultFormat.TABLE,
) -> None:
    """Test your settings: given polls, which messages are sent?

    Nothing is polled, stored or sent. Exit code: 0 all pass, 1 a test fails, 2 a file cannot be used.
    """
    from fluence_watch.app.logs import configure_logs
    from fluence_watch.app.rehearsal.cases.reading import read_suite
    from fluence_watch.settings import LogSettings

    configure_logs(LogSettings(level="error"))
    suites = [read_suite(file) for file in files]
    passed = _printed_as_json(suites) if form is ResultFormat.JSON else _printed(suites)
    if not passed:
        raise typer.Exit(_FAILED)


def _printed(suites: "Sequence[Suite]") -> bool:
    """Print each result as soon as it is there. Returns whether all tests pass."""
    from fluence_watch.cli.inspect.rule_tests_shown import in_words, summary

    passed = []
    for suite in suites:
        typer.echo(suite.file)
        for result in _results(suite):
            typer.echo(in_words(result))
            passed.append(result.passed)
    typer.echo(summary(passed))
    return all(passed)


def _printed_as_json(suites: "Sequence[Suite]") -> bool:
    from fluence_watch.cli.inspect.rule_tests_shown import as_view

    results = [(suite.file, result) for suite in suites for result in _results(suite)]
    print_json([as_view(file, result) for file, result in results])
    return all(result.passed for _, result in results)


def _results(suite: "Suite") -> "Iterator[Result]":
    from fluence_watch.app.rehearsal.cases.running import run
    from fluence_watch.app.wiring import read_words

    words = read_words(suite.settings.templates.dir)
    for case in suite.cases:
        yield run(case, suite.settings, words)

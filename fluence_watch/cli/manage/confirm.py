"""Before a write: the difference and the question; and how a command ends with an error."""

import sys
from collections.abc import Sequence
from itertools import zip_longest
from typing import Annotated, NoReturn

import typer

from fluence_watch.cli.common.output import console
from fluence_watch.model.text import inert

REFUSED, USAGE, FAILED = 1, 2, 3

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, no more.")]


def stop(text: str, code: int) -> NoReturn:
    """End the command with a message and an exit code."""
    typer.echo(f"fluence-watch: {text}", err=True)
    raise typer.Exit(code)


def difference(title: str, *, removed: Sequence[str] = (), added: Sequence[str] = ()) -> None:
    """Show what is removed, in red, and what is added, in green."""
    from rich.text import Text

    out = console()
    out.print(Text(inert(title)), soft_wrap=True)
    for sign, style, lines in (("-", "red", removed), ("+", "green", added)):
        for line in lines:
            out.print(Text(f"  {sign} {inert(line)}", style=style), soft_wrap=True)


def facts(title: str, pairs: Sequence[tuple[str, str]]) -> None:
    """Show facts, a line each; a long value continues below itself."""
    from rich.text import Text

    out = console()
    out.print(Text(inert(title), style="bold"), soft_wrap=True)
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        lines = Text(inert(value, 1000)).wrap(out, max(out.width - width - 4, 1), overflow="fold")
        for label, line in zip_longest([name], lines, fillvalue=""):
            out.print(Text(f"  {label:<{width}}  ").append(line), soft_wrap=True)


def ask(question: str, *, yes: bool, dry_run: bool) -> None:
    """Continue only when the user confirms; otherwise the command ends here."""
    if dry_run:
        typer.echo("nothing was changed: this is a dry run")
        raise typer.Exit
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        stop("nothing was changed: without a terminal to ask on, this needs --yes", REFUSED)
    if not typer.confirm(question):
        typer.echo("nothing was changed")
        raise typer.Exit(REFUSED)

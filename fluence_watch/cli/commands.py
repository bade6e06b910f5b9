"""The whole command line. Each group of commands is a file in a folder beside this one."""

from typing import Annotated

import typer
from typer.core import TyperGroup

from fluence_watch import __version__
from fluence_watch.cli.common.help import CommandGroup
from fluence_watch.cli.inspect import (
    alerts,
    check,
    config,
    costs,
    forecast,
    market,
    notify,
    replay,
    rule_tests,
    why,
)
from fluence_watch.cli.manage import gpu, resources, silence, ssh_key, vm
from fluence_watch.cli.service import daemon, demo, simulate


class Commands(TyperGroup):
    """The commands; errors about arguments are in plain words."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override] # as Typer's own type
        """Run a command; Typer's errors come without the prefix of its library."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")
            raise


app = CommandGroup(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},  # the groups below inherit it
    help="Watch the virtual machines you rent on the Fluence marketplace, and what they cost.",
)
for group in (
    daemon,
    demo,
    simulate,
    check,
    alerts,
    why,
    silence,
    forecast,
    costs,
    market,
    vm,
    resources,
    gpu,
    ssh_key,
    config,
    notify,
    replay,
    rule_tests,
):
    group.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Options of the program itself."""

"""Help in the form of manuals: `VM PORT...`, `[VM]...`, without Python's names of types."""

from collections.abc import Callable
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand

Function = TypeVar("Function", bound=Callable[..., Any])


class Command(TyperCommand):
    """A command whose arguments are named in help by their metavariables alone."""

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:  # type: ignore[override] # as Typer's own type
        """What follows the command in its usage; Typer writes a required VM as `{VM}`."""
        return [piece.strip("{").replace("}", "") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override] # noqa: ANN401 - Typer keeps the type to itself
        """Write the arguments, then the options."""
        for kind in ("argument", "option"):
            params = [each for each in self.get_params(ctx) if each.param_type_name == kind]
            records = [record for each in params if (record := each.get_help_record(ctx))]
            if kind == "argument":
                records = [(name.split()[0], text) for name, text in records]
            if records:
                with formatter.section(f"{kind.title()}s"):
                    formatter.write_dl(records)


class CommandGroup(typer.Typer):
    """A group of such commands."""

    def command(self, *args: Any, **settings: Any) -> Callable[[Function], Function]:  # noqa: ANN401 - as in Typer
        """Add a command."""
        return super().command(*args, cls=Command, **settings)

"""Commands: what each of them checks, and help in the form of manuals: `VM PORT...`, `[VM]...`, without Python's names of types."""

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand

Function = TypeVar("Function", bound=Callable[..., Any])


class Command(TyperCommand):
    """A command whose arguments are named in help by their metavariables alone.

    An option that takes one value is refused if it is given twice, instead of ignoring the first.
    """

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override] # as Typer's own type
        """Read the command line."""
        if not ctx.resilient_parsing:  # as for completion
            self._refuse_twice(ctx, [*args])
        return super().parse_args(ctx, args)

    def _refuse_twice(self, ctx: typer.Context, args: list[str]) -> None:
        _, _, order = self.make_parser(ctx).parse_args(args=args)
        for param, times in Counter(each for each in order if _takes_one(each)).items():
            if times > 1:
                text = "it is given twice, and takes one value"
                raise typer.BadParameter(text, ctx, param_hint=f"'{param.opts[0]}'")

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


def _takes_one(param: Any) -> bool:  # noqa: ANN401 - Typer keeps the type to itself
    is_option = param.param_type_name == "option"
    return is_option and not (param.multiple or param.is_flag or param.count)


class CommandGroup(typer.Typer):
    """A group of such commands."""

    def command(self, *args: Any, **settings: Any) -> Callable[[Function], Function]:  # noqa: ANN401 - as in Typer
        """Add a command."""
        return super().command(*args, cls=Command, **settings)

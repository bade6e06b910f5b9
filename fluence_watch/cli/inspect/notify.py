"""`notify test`: a test message through the receivers."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from fluence_watch import eventloop
from fluence_watch.cli.common.help import CommandGroup
from fluence_watch.cli.common.options import ConfigOption, settings_from
from fluence_watch.errors import ConfigError, NotifyError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluence_watch.app.wiring import Setup
    from fluence_watch.notify.delivery import Channel


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = CommandGroup(no_args_is_help=True, help="Check that receivers can be reached.")
    group.command("test")(send_test)
    group.callback()(_group)
    app.add_typer(group, name="notify")


def _group() -> None:
    """Keep `test` a subcommand, though it is the only one."""


def send_test(
    config: ConfigOption = None,
    receiver: Annotated[
        str | None, typer.Option("--receiver", metavar="NAME", help="Only this one.")
    ] = None,
) -> None:
    """Send a test message through every receiver; exit 1 when one fails."""
    from fluence_watch.app.wiring import prepare

    chosen = _chosen(prepare(settings_from(config)), receiver)
    failed = eventloop.run(_send_all(chosen))
    raise typer.Exit(1 if failed else 0)


def _chosen(setup: "Setup", name: str | None) -> "Sequence[Channel]":
    if not setup.receivers:
        what = "there are none: add [[receivers]] to the file, or set FLUENCE_WATCH_NOTIFY_URLS"
        raise ConfigError([Problem("receivers", what)])
    if name is None:
        return list(setup.receivers.values())
    if name not in setup.receivers:
        known = ", ".join(setup.receivers)
        raise ConfigError([Problem("--receiver", f"there is no {name!r}; there are: {known}")])
    return [setup.receivers[name]]


async def _send_all(receivers: "Sequence[Channel]") -> int:
    return sum(await asyncio.gather(*map(_send, receivers)))


async def _send(receiver: "Channel") -> bool:
    """Send to one and print the result; whether it failed."""
    from fluence_watch.app.clock import utc_now
    from fluence_watch.notify.render import render_test

    try:
        await receiver.send(
            render_test(receiver.name, receiver.format, utc_now(), receiver.longest)
        )
    except NotifyError as error:
        typer.echo(f"{receiver.name}: failed: {error}", err=True)
        return True
    typer.echo(f"{receiver.name}: sent")
    return False

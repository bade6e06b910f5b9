"""`simulate`: the Fluence API of our own, alone."""

import asyncio
import signal
from collections.abc import Awaitable
from contextlib import suppress
from datetime import timedelta
from shlex import quote
from typing import Annotated, Literal

import typer

from fluence_watch.errors import ListenError
from fluence_watch.model.billing import EPOCH
from fluence_watch.model.duration import parse_duration, short

KEY = "simulated-key"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(simulate)


def _duration(text: str) -> timedelta:
    try:
        duration = parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if not duration:
        raise typer.BadParameter("it must be above zero")
    return duration


def _address(text: str) -> tuple[str, int]:
    host, _, number = text.rpartition(":")
    if not (host and number.isascii() and number.isdigit() and int(number) < 65_536):  # noqa: PLR2004 - ports are 16 bit
        raise typer.BadParameter('write an address and a port, such as "127.0.0.1:8080"')
    return host.strip("[]"), int(number)


async def _until_stopped(work: Awaitable[object]) -> None:
    """Wait for the work, until SIGINT or SIGTERM, also if a shell let it ignore SIGINT."""
    working = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, working.cancel)
    with suppress(asyncio.CancelledError):
        await working


def exports(url: str, dialect: str, epoch: timedelta) -> str:
    """The exports that make `fluence-watch` use this API; `all` is used as v2."""
    spoken = "v2" if dialect == "all" else dialect
    account = {"BASE_URL": url, "DIALECT": spoken, "EPOCH": short(epoch)}
    if spoken == "cloud":
        del account["EPOCH"]  # it is always 1h there
    variables = {"API_KEY": KEY} | {f"ACCOUNTS__MAIN__{k}": v for k, v in account.items()}
    return "\n".join(f"  export FLUENCE_WATCH_{k}={quote(v)}" for k, v in variables.items())


def simulate(
    *,
    dialect: Annotated[
        Literal["v2", "v3", "cloud", "all"],
        typer.Option(
            help="The generation of the API, or all at once.",
        ),
    ] = "v2",
    vms: Annotated[int, typer.Option(metavar="N", min=0, max=200_000, help="How many VMs.")] = 8,
    epoch: Annotated[
        timedelta, typer.Option(parser=_duration, metavar="DURATION", help="The billing period.")
    ] = "5m",  # type: ignore[assignment] # Typer parses the default too
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed makes the same fleet.")] = 1,
    faults: Annotated[
        Literal["none", "flaky", "slow", "chaos", "hostile"],
        typer.Option(
            help="What goes wrong.",
        ),
    ] = "none",
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to serve.")
    ] = "127.0.0.1:9825",
    story: Annotated[
        bool, typer.Option("--story", help="VMs come, go, drift and run dry, as in the demo.")
    ] = False,
) -> None:
    """Serve a simulated Fluence API until interrupted."""
    from fluence_watch.simulator import (
        PROFILES,
        FaultPlan,
        build_world,
        create_app,
        perform,
        running,
        utc_now,
    )

    host, port = _address(listen)
    metered = dialect == "cloud"
    world = build_world(
        seed=seed,
        vms=vms,
        epoch=EPOCH if metered else epoch,
        now=utc_now(),
        api_key=KEY,
        metered=metered,
    )
    app = create_app(world, utc_now, faults=FaultPlan(PROFILES[faults], seed), dialect=dialect)

    async def serve() -> None:
        async with running(app, host, port) as url:
            typer.echo(f"Fluence API, dialect {dialect}: {url}   key: {KEY}")
            paid = "metered" if metered else f"epoch: {short(epoch)}"
            typer.echo(f"VMs: {vms}, {paid}, seed: {seed}, faults: {faults}")
            typer.echo(f"control: {url}/_control/world")
            typer.echo(
                f"Commands work on it in another terminal, after:\n{exports(url, dialect, epoch)}"
            )
            await _until_stopped(perform(world, utc_now) if story else asyncio.Event().wait())

    try:
        asyncio.run(serve())
        typer.echo("stopped")
    except OSError as error:
        raise ListenError(listen, error, "--listen") from None

"""`run` and `healthcheck`."""

import os
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from fluence_watch.cli.common.options import ConfigOption, settings_from
from fluence_watch.errors import ConfigError

if TYPE_CHECKING:
    from fluence_watch.settings import WatchSettings

_HEALTH_SECONDS = 4.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(run)
    app.command()(healthcheck)


def run(config: ConfigOption = None) -> None:
    """Watch: poll, export, alert, until SIGTERM. SIGHUP reads the settings again."""
    from fluence_watch.app.start import watch

    watch(config)


def healthcheck(config: ConfigOption = None) -> None:
    """Exit 0 when the local daemon is alive, 1 when it is not."""
    from http.client import HTTPConnection, HTTPException

    place = _local(_listen(config))
    url = f"http://{place}/-/healthy"
    try:
        with closing(HTTPConnection(place, timeout=_HEALTH_SECONDS)) as connection:
            connection.request("GET", "/-/healthy")
            status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        typer.echo(f"{url}: no answer: {error}", err=True)
        raise typer.Exit(1) from None
    if status != HTTPStatus.OK:
        typer.echo(f"{url}: {status}", err=True)
        raise typer.Exit(1)


def _listen(config: Path | None) -> str:
    """Where the daemon listens; an unreadable settings file must not hide a live daemon."""
    if listen := os.environ.get("FLUENCE_WATCH_SERVER__LISTEN"):
        return listen
    from fluence_watch.settings import ServerSettings

    try:
        settings: WatchSettings = settings_from(config)
    except ConfigError:
        return ServerSettings().listen
    return settings.server.listen


def _local(listen: str) -> str:
    """The address to connect to where the daemon listens on all."""
    host, _, port = listen.rpartition(":")
    return {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host) + f":{port}"  # noqa: S104 - it is the one that is replaced

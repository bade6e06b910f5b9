"""`run`, `healthcheck` and `demo`."""

import gc
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from fluence_watch import eventloop
from fluence_watch.cli.common.options import ConfigOption, settings_from
from fluence_watch.errors import ConfigError
from fluence_watch.garbage import garbage_collection_paused

if TYPE_CHECKING:
    from fluence_watch.settings import WatchSettings

_HEALTH_SECONDS = 4.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(run)
    app.command()(healthcheck)


def run(config: ConfigOption = None) -> None:
    """Watch: poll, export, alert, until SIGTERM. SIGHUP reads the settings again."""
    from fluence_watch.app.lean import load_lean
    from fluence_watch.app.runtime import share_arenas

    share_arenas()
    with garbage_collection_paused():  # 100,000 objects come to stay
        load_lean()
        from fluence_watch.app.clock import utc_now
        from fluence_watch.app.daemon import Daemon
        from fluence_watch.app.logs import configure_logs
        from fluence_watch.app.server import bind
        from fluence_watch.app.wiring import prepare
        from fluence_watch.settings import find_file, load_settings
        from fluence_watch.store import Store

        settings = settings_from(config)
        first = prepare(settings)
        gc.freeze()  # so that the collector never walks what was loaded: 50 ms each time
    configure_logs(settings.log)
    with Store.open(settings.store.url) as store:
        listener = bind(settings.server.host, settings.server.port)

        async def watch() -> None:
            daemon = Daemon(first, store, utc_now, lambda: load_settings(find_file(config)))
            await daemon.run(listener)

        eventloop.run(watch())
    _leave()


def _leave() -> NoReturn:
    """End without waiting for threads: one may hang in a send, which nothing can cut off."""
    logging.shutdown()
    os._exit(0)


def healthcheck(config: ConfigOption = None) -> None:
    """Exit 0 when the daemon on this machine is alive, 1 when it is not."""
    import httpx

    url = f"http://{_local(_listen(config))}/-/healthy"
    try:
        answer = httpx.get(url, timeout=_HEALTH_SECONDS, trust_env=False)
    except httpx.HTTPError as error:
        typer.echo(f"{url}: no answer: {error}", err=True)
        raise typer.Exit(1) from None
    if not answer.is_success:
        typer.echo(f"{url}: {answer.status_code}", err=True)
        raise typer.Exit(1)


def _listen(config: Path | None) -> str:
    """Where the daemon listens: a settings file that cannot be read must not hide a live one."""
    if listen := os.environ.get("FLUENCE_WATCH_SERVER__LISTEN"):
        return listen
    from fluence_watch.settings import ServerSettings

    try:
        settings: WatchSettings = settings_from(config)
    except ConfigError:
        return ServerSettings().listen
    return settings.server.listen


def _local(listen: str) -> str:
    """The address to ask where one listens on all."""
    host, _, port = listen.rpartition(":")
    return {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host) + f":{port}"  # noqa: S104 - it is the one that is replaced

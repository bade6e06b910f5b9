"""The daemon as a process, from start to exit.

It runs for months, so it loads no library for command lines.
"""

import gc
import logging
import os
from pathlib import Path
from typing import NoReturn

from fluence_watch import eventloop
from fluence_watch.app.lean import load_lean
from fluence_watch.app.runtime import allow_files, share_arenas
from fluence_watch.garbage import garbage_collection_paused

# ruff: noqa: PLC0415 - imports come after the code that decides how to import


def watch(config: Path | None) -> NoReturn:
    """Run the daemon with the settings file, or the first default one, until SIGTERM or SIGINT.

    Raises:
        ConfigError: the settings cannot be used.
        ListenError: the address cannot be bound.
        StoreError: the store cannot be used.
    """
    share_arenas()
    allow_files()
    with garbage_collection_paused():  # it creates 100,000 lasting objects
        load_lean()
        from fluence_watch.app.clock import utc_now
        from fluence_watch.app.daemon import Daemon
        from fluence_watch.app.logs import configure_logs
        from fluence_watch.app.server import bind
        from fluence_watch.app.wiring import prepare
        from fluence_watch.settings import LogSettings, find_file, load_settings
        from fluence_watch.store import Store

        configure_logs(LogSettings(level="error"))
        settings = load_settings(find_file(config))
        first = prepare(settings)
        gc.collect()  # what loading left behind would be frozen too: saves 0.3 MB
        gc.freeze()  # the collector then skips loaded modules: saves 50 ms each time
    configure_logs(settings.log)
    with Store.open(settings.store.url) as store:
        listener = bind(settings.server.host, settings.server.port)

        async def serve() -> None:
            again = lambda: prepare(load_settings(find_file(config)))  # noqa: E731 - reads again
            daemon = Daemon(first, store, utc_now, again)
            await daemon.run(listener)

        eventloop.run(serve())
    _leave()


def _leave() -> NoReturn:
    """Exit without waiting for threads, because a hanging thread cannot be stopped."""
    logging.shutdown()
    os._exit(0)

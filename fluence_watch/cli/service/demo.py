"""`demo`: the simulator and the daemon in one process, with messages on the terminal."""

import asyncio
import os
import sys
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from shlex import quote
from shutil import which
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import typer

from fluence_watch import eventloop
from fluence_watch.model.duration import short

if TYPE_CHECKING:
    import socket

    from fluence_watch.app.wiring import Setup
    from fluence_watch.notify.markup import BodyFormat
    from fluence_watch.notify.render import Rendered

EPOCH = timedelta(minutes=2)
VMS = 6
_KEY = "demo-key"
_ACCOUNT = "demo"
_TERMINAL = "terminal"
_COLOURS = {"failure": "red", "warning": "yellow", "info": "blue", "success": "green"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo() -> None:
    """Watch a simulated fleet whose epochs are minutes.

    It needs no key, no settings and no network.
    """
    for name in [name for name in os.environ if name.startswith("FLUENCE_WATCH_")]:
        del os.environ[name]  # the demo ignores settings of the user
    with TemporaryDirectory(prefix="fluence-watch-demo-") as folder:
        eventloop.run(_demo(Path(folder)))
    typer.echo("The demo is over; nothing of it is left.")


async def _demo(folder: Path) -> None:
    from fluence_watch.app.clock import utc_now
    from fluence_watch.app.daemon import Daemon
    from fluence_watch.app.logs import configure_logs
    from fluence_watch.app.server import address
    from fluence_watch.simulator import build_world, create_app, running
    from fluence_watch.simulator.scenario import perform
    from fluence_watch.store import Store

    world = build_world(seed=1, vms=VMS, epoch=EPOCH, now=utc_now(), api_key=_KEY)
    async with running(create_app(world, utc_now)) as api:
        listener = _listener()
        site = address(listener)
        path = _write_settings(folder, api, site.partition("://")[2])
        setup = _setup(path)
        configure_logs(setup.settings.log)
        with Store.open(setup.settings.store.url) as store:
            _greet(api, site, path)
            daemon = Daemon(setup, store, utc_now, lambda: _setup(path))
            story = asyncio.create_task(perform(world, utc_now))
            try:
                await daemon.run(listener)
            finally:
                story.cancel()


def _write_settings(folder: Path, api: str, listen: str) -> Path:
    """The settings of the demo, in a file that commands in another terminal can use too."""
    path = folder / "config.toml"
    path.touch(mode=0o600)
    path.write_text(
        f"""\
[poll]
interval = "2s"
timeout = "2s"
jitter = "0s"

[server]
listen = "{listen}"

[store]
url = "sqlite:///{folder}/demo.db"

[log]
level = "warning"

[[accounts]]
name = "{_ACCOUNT}"
api_key = "{_KEY}"
base_url = "{api}"
epoch = "{short(EPOCH)}"

[rules.low_balance]
for = "4s"

[rules.topup_failed]
for = "4s"

[rules.billing_due]
lead_time = "20s"

[rules.poll_failing]
for = "10s"
""",
        encoding="utf-8",
    )
    return path


def _setup(path: Path) -> "Setup":
    """The setup of the settings in the file, with the terminal as the receiver."""
    from fluence_watch.alerting.matching import Route
    from fluence_watch.app.wiring import prepare
    from fluence_watch.notify.markup import BodyFormat
    from fluence_watch.settings import load_settings

    settings = load_settings(path)
    notes = [note for note in settings.notes if note.where != "receivers"]
    made = prepare(settings.with_notes(notes))  # the terminal is notified
    return replace(
        made,
        routes={_TERMINAL: Route(_TERMINAL)},
        receivers={_TERMINAL: Terminal(BodyFormat.PLAIN)},
    )


def _listener() -> "socket.socket":
    """The usual port, or a free one where that is taken."""
    from fluence_watch.app.server import bind
    from fluence_watch.errors import ListenError
    from fluence_watch.settings import ServerSettings

    usual = ServerSettings()
    try:
        return bind(usual.host, usual.port)
    except ListenError:
        return bind(usual.host, 0)


def _greet(api: str, site: str, settings: Path) -> None:
    typer.echo(f"""\
A simulated Fluence account with {VMS} VMs, epochs of {EPOCH.seconds // 60} minutes, a poll every 2 seconds.
  status page   {site}/
  metrics       {site}/metrics
  its API       {api}/_control/world
VMs come and go, ports drift, money runs dry. Ctrl-C ends it.
Messages appear below: the demo is its own receiver, so `notify test` has nobody to notify.
A day has {timedelta(days=1) // EPOCH} of these epochs and costs as much: a real one lasts a day.
The commands in them work in another terminal, after:
{_exports(settings)}
""")


def _exports(settings: Path) -> str:
    """The exports that let a shell find `fluence-watch`, and let that find the demo."""
    lines = [f"  export FLUENCE_WATCH_CONFIG={quote(str(settings))}"]
    if which("fluence-watch") is None:
        programs = Path(sys.executable).absolute().parent
        lines.append(f'  export PATH={quote(str(programs))}:"$PATH"')
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Terminal:
    """A receiver that prints."""

    format: "BodyFormat"
    name: str = _TERMINAL
    longest: int = 100_000

    async def send(self, rendered: "Rendered") -> None:
        """Print the message."""
        title = typer.style(rendered.title, fg=_COLOURS[rendered.kind], bold=True)
        body = "\n".join(f"  {line}".rstrip() for line in rendered.body.splitlines())
        typer.echo(f"{title}\n{body}\n", color=None if sys.stdout.isatty() else False)
        sys.stdout.flush()

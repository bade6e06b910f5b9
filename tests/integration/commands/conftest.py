"""The commands, called as the shell calls them, and a simulated API for them to ask."""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import stamina.instrumentation
import structlog
from anyio.from_thread import start_blocking_portal

from fluence_watch.cli import main
from fluence_watch.simulator import FaultPlan, World, build_world, create_app, running, utc_now

KEY = "simulated-key"


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An empty working folder, an environment without our variables, and logging put back."""
    for name in [name for name in os.environ if name.upper().startswith("FLUENCE_WATCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.chdir(tmp_path)
    stamina.instrumentation.set_on_retry_hooks(())
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()
    stamina.instrumentation.set_on_retry_hooks(None)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run a command line, with these variables (without prefix) in the environment."""

    def _run(*args: str, **variables: str) -> Ran:
        for name, value in variables.items():
            monkeypatch.setenv(f"FLUENCE_WATCH_{name}", value)
        monkeypatch.setattr(sys, "argv", ["fluence-watch", *args])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return Ran(int(ended.value.code or 0), out, err)

    return _run


@dataclass
class Api:
    """A simulated account of three VMs on a socket; everything can be done to its world."""

    url: str
    world: World
    faults: FaultPlan


@pytest.fixture
def serve() -> Iterator[Callable[..., Api]]:
    """Serve a simulated API, in a thread of its own."""
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())

        def _serve(vms: int = 3, dialect: str = "v2", *, metered: bool = False) -> Api:
            epoch, faults = timedelta(hours=24), FaultPlan()
            world = build_world(
                seed=1, vms=vms, epoch=epoch, now=utc_now(), api_key=KEY, metered=metered
            )
            app = running(create_app(world, utc_now, faults=faults, dialect=dialect))
            return Api(stack.enter_context(portal.wrap_async_context_manager(app)), world, faults)

        yield _serve


@pytest.fixture
def api(serve: Callable[..., Api]) -> Api:
    return serve()


@pytest.fixture
def answers() -> Iterator[dict[str, object]]:
    """An API that answers with the JSON of this mapping from paths; its own address is `url`."""
    replies: dict[str, object] = {"/vms/v2": [], "/ssh_keys": []}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer, with 404 where nothing is known."""
            reply = replies.get(self.path)
            self.send_response(404 if reply is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps(reply).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        replies["url"] = f"http://127.0.0.1:{server.server_address[1]}"
        Thread(target=server.serve_forever, daemon=True).start()
        yield replies
        server.shutdown()


@pytest.fixture
def configure() -> Callable[..., None]:
    """Write `config.toml` with these accounts, by name and address, and what else it should say."""

    def _configure(accounts: Mapping[str, str], more: str = "", dialect: str = "v2") -> None:
        text = '[poll]\ntimeout = "5s"\n'
        for name, url in accounts.items():
            text += f'[[accounts]]\nname = "{name}"\napi_key = "{KEY}"\nbase_url = "{url}"\n'
            text += f'dialect = "{dialect}"\n'
        Path("config.toml").write_text(text + more, encoding="utf-8")

    return _configure


@pytest.fixture
def unused_port() -> int:
    """A port on which nobody answers."""

    async def port() -> int:
        server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
        number: Any = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        return int(number)

    return asyncio.run(port())

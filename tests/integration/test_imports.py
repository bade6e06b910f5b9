import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = """
[server]
listen = "127.0.0.1:0"
[poll]
timeout = "1s"
[store]
url = "sqlite:///{folder}/store.db"
[[accounts]]
name = "main"
api_key = "key"
base_url = "http://127.0.0.1:9"
[[receivers]]
name = "chat"
url = "json://127.0.0.1:9"
"""
SCRIPT = """
import asyncio, os, signal, sys
from fluence_watch import eventloop
from fluence_watch.cli import main

real = eventloop.run

async def watched(daemon):
    running = asyncio.create_task(daemon)
    while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        await asyncio.sleep(0.05)
    await asyncio.sleep(1)
    print(*sys.modules, flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
    await running

eventloop.run = lambda daemon: real(watched(daemon))
sys.argv[1:] = ["run", "--config", sys.argv[1]]
main()
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What a process that watches has loaded a second after its start, with a store of its own."""
    folder = tmp_path_factory.mktemp("imports")
    config = Path(folder, "config.toml")
    config.write_text(CONFIG.format(folder=folder), encoding="utf-8")
    command = [sys.executable, "-c", SCRIPT, str(config)]
    subprocess.run(command, capture_output=True, check=True)  # makes the store
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "name",
    [
        "alembic", "apprise", "click", "fastapi", "jinja2", "mako", "multiprocessing",
        "pydantic_settings", "pygments", "requests", "rich", "sqlalchemy.dialects.postgresql",
        "sqlalchemy.orm", "trio", "typer", "fluence_watch.cli.commands",
        "fluence_watch.fluence.dialects.cloud", "fluence_watch.simulator",
        "fluence_watch.app.alertmanager", "fluence_watch.notify.alertmanager",
        "fluence_watch.app.digests", "fluence_watch.model.digest", "cronsim",
        "fluence_watch.app.heartbeat", "fluence_watch.notify.heartbeat",
        "fluence_watch.notify.custom", "fluence_watch.notify.overrides", "fluence_watch.notify.samples",
        "fluence_watch.alerting.active",
        "fluence_watch.alerting.links", "fluence_watch.app.alert_pages", "fluence_watch.app.link_actions",
        "fluence_watch.notify.links", "fluence_watch.web.alert_page",
        "fluence_watch.alerting.slots", "fluence_watch.alerting.hidden", "fluence_watch.web.query",
        "backports.zstd", "fluence_watch.app.recording", "fluence_watch.record",
        "fluence_watch.fluence.dialects.offers", "html.entities", "http.server",
        "idna", "httpcore._sync.http11", "logging.config",
        "sqlalchemy.dialects.sqlite.aiosqlite", "wsgiref.simple_server",
        "configparser", "csv", "gzip", "msgspec.inspect", "zipfile",
    ],
)  # fmt: skip
def test_the_daemon_does_not_load(loaded: set[str], name: str) -> None:
    """Each costs megabytes, and is for others, or for rare moments."""
    assert name not in loaded


@pytest.mark.parametrize("name", ["fluence_watch.app.daemon", "httpx", "structlog", "uvicorn"])
def test_what_it_does_load(loaded: set[str], name: str) -> None:
    """The list above is of a process that ran."""
    assert name in loaded


def test_what_was_left_out_can_be_loaded_later() -> None:
    """Nothing seems to be missing once the daemon is there."""
    script = (
        "from fluence_watch.app.lean import load_lean; load_lean()\n"
        "import click, html, http.server, rich, pygments, uvicorn, uvicorn.main\n"
        "import sqlalchemy.dialects.sqlite.aiosqlite, wsgiref.simple_server\n"
        "assert html.unescape('&lt;') == '<' and http.server.HTTPServer\n"
        "import httpx, logging; from starlette.middleware import errors\n"
        "assert httpx.URL('http://bücher.example').raw_host == b'xn--bcher-kva.example'\n"
        "httpx.Client().close()\n"
        "assert errors.html.escape('<') == '&lt;'\n"
        "logging.config.dictConfig({'version': 1})\n"
        "import configparser, csv, gzip, importlib.metadata, msgspec, zipfile\n"
        "assert importlib.metadata.zipfile.Path is zipfile.Path\n"
        "assert msgspec.inspect.type_info(int) == msgspec.inspect.IntType()\n"
        "uvicorn.Config(lambda: None, log_config=uvicorn.config.LOGGING_CONFIG)\n"
        "assert uvicorn.Server and uvicorn.main.Server is uvicorn.Server"
    )
    subprocess.run([sys.executable, "-c", script], check=True)

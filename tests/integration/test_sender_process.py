"""The real program in a real process, and what it leaves behind: nothing."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from fluence_watch.errors import NotifyError
from fluence_watch.sender import process as process_module
from fluence_watch.sender.process import SenderProcess, command, environment
from fluence_watch.sender.urls import describe

PATIENCE = 20.0


@pytest.fixture
async def sender() -> AsyncIterator[SenderProcess]:
    made = SenderProcess()
    yield made
    await made.aclose()


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a server that accepts connections, and neither reads nor answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"json://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def dripping() -> Iterator[str]:
    """The URL of a server that answers a byte at a time, for ever."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=_drip, args=[server], daemon=True).start()
        yield f"json://127.0.0.1:{server.getsockname()[1]}"


def _drip(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection, suppress(OSError):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            connection.sendall(b".")
            time.sleep(0.05)


def message(url: str) -> dict[str, str]:
    return {"url": url, "format": "text", "title": "t", "body": "b", "kind": "info"}


def pid_of(sender: SenderProcess) -> int:
    assert sender._process is not None
    return sender._process.pid


async def started(sender: SenderProcess) -> int:
    """Wait until it has a process; the process's id."""
    async with asyncio.timeout(PATIENCE):
        while sender._process is None:  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.02)
    return pid_of(sender)


def _exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _told(pid: int) -> bytes:
    """What the system shows of a process."""
    return b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ"))


async def gone(pid: int) -> None:
    """Wait until no such process is left, not even a zombie."""
    async with asyncio.timeout(PATIENCE):
        while _exists(pid):  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("hangs", ["silent", "dripping"])
async def test_a_send_that_hangs_is_killed(
    sender: SenderProcess, hangs: str, request: pytest.FixtureRequest
) -> None:
    """The bound is hard, nothing goes on trying, and the next request has a process again."""
    asking = asyncio.create_task(sender.ask(message(request.getfixturevalue(hangs)), 2.5))
    pid = await started(sender)
    with pytest.raises(NotifyError, match=r"no answer within 2\.5 s; the message may have arrived"):
        await asking

    await gone(pid)
    assert (
        "Connection error" in (await sender.ask(message("json://127.0.0.1:1"), PATIENCE))["error"]
    )


async def test_the_process_is_kept_for_the_next_message_and_ends_when_idle() -> None:
    """Two messages, one process; then none."""
    sender = SenderProcess(idle=0.2)
    await sender.ask(message("json://127.0.0.1:1"), PATIENCE)
    first = pid_of(sender)
    await sender.ask(message("json://127.0.0.1:1"), PATIENCE)
    assert first == pid_of(sender)
    await gone(first)

    await sender.ask(message("json://127.0.0.1:1"), PATIENCE)
    assert first != pid_of(sender)
    await sender.aclose()


async def test_who_is_cancelled_leaves_nothing_running(sender: SenderProcess, silent: str) -> None:
    """A stop in the middle of a send ends the process."""
    asking = asyncio.create_task(sender.ask(message(silent), PATIENCE))
    pid = await started(sender)
    asking.cancel()
    await asyncio.wait([asking])

    assert asking.cancelled()
    await gone(pid)


async def test_a_process_that_dies_is_a_failure_and_is_replaced(
    sender: SenderProcess, silent: str
) -> None:
    """The system may kill it for want of memory."""
    asking = asyncio.create_task(sender.ask(message(silent), PATIENCE))
    os.kill(await started(sender), signal.SIGKILL)
    with pytest.raises(NotifyError, match="the process that sends ended"):
        await asking

    assert "error" in await sender.ask(message("json://127.0.0.1:1"), PATIENCE)


def test_it_ends_with_whoever_asked(silent: str) -> None:
    """In the middle of a send, though its parent was killed without a chance to end it."""
    script = f"""
        import asyncio
        from fluence_watch.sender.process import SenderProcess

        async def main():
            sender = SenderProcess()
            asking = asyncio.create_task(sender.ask({message(silent)!r}, 60))
            while sender._process is None:
                await asyncio.sleep(0.01)
            await asyncio.sleep(1)
            print(sender._process.pid, flush=True)
            await asking

        asyncio.run(main())
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        parent.kill()
    asyncio.run(gone(pid))


async def test_signals_that_are_meant_for_the_daemon_do_not_end_it(sender: SenderProcess) -> None:
    """A service manager sends SIGTERM to all: a last message must still go out."""
    await sender.ask(message("json://127.0.0.1:1"), PATIENCE)
    pid = pid_of(sender)
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(pid, number)
    await sender.ask(message("json://127.0.0.1:1"), PATIENCE)

    assert pid == pid_of(sender)


@pytest.fixture
def noisy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An Apprise whose plugin prints answers, reads requests, and fails with the URL in its text."""
    package = tmp_path / "apprise"
    package.mkdir()
    (package / "__init__.py").write_text(
        textwrap.dedent("""
            import os, subprocess, sys

            class AppriseAsset:
                def __init__(self, **_): pass

            class OverflowMode:
                TRUNCATE = None

            NotifyType = NotifyFormat = str

            class Plugin:
                def url(self, privacy): return "noisy://***"

            class Apprise(list):
                def __init__(self, asset): pass
                def add(self, url):
                    self.append(Plugin()); self.asked = url
                    return True
                def notify(self, **_):
                    print('{}', flush=True)
                    os.write(1, b'{}\\n'); os.write(2, b'leaked\\n')
                    assert sys.stdin.read() == ""
                    subprocess.run(["sh", "-c", "echo '{}'; cat"], check=True)
                    raise RuntimeError(f"cannot reach {self.asked}")
        """)
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


async def test_what_plugins_print_is_no_answer(
    noisy: None, sender: SenderProcess, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nor does it reach our own output; an error keeps no secret of the URL."""
    answer = await sender.ask(message("noisy://t0ken-secret/path"), PATIENCE)

    assert {"error": "RuntimeError: cannot reach ***://***/***"} == answer
    assert ("", "") == capfd.readouterr()


async def test_url_and_keys_are_neither_arguments_nor_environment(
    sender: SenderProcess, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other users of the machine can read the arguments; plugins can read the environment."""
    monkeypatch.setenv("FLUENCE_WATCH_API_KEY", "t0p-secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:3128")
    asking = asyncio.create_task(sender.ask(message(f"{silent}/t0p-secret"), PATIENCE))
    shown = _told(await started(sender))
    asking.cancel()
    await asyncio.wait([asking])

    assert b"t0p-secret" not in shown
    assert "HTTPS_PROXY" in environment()


async def test_without_a_program_there_is_an_error(
    monkeypatch: pytest.MonkeyPatch, sender: SenderProcess
) -> None:
    """No file left, no memory left: the message waits."""
    monkeypatch.setattr(process_module, "command", lambda: ["/nowhere"])
    with pytest.raises(NotifyError, match="cannot start a process that sends"):
        await sender.ask(message("json://127.0.0.1:1"), PATIENCE)


def test_all_urls_are_asked_about_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One process for all, and none for what is known."""
    started: list[list[str]] = []
    run = subprocess.run

    def counted(arguments: list[str], **kwargs: object) -> object:
        started.append(arguments)
        return run(arguments, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "run", counted)
    urls = ["json://once.test/t0ken", "bad://once", "json://a json://b", "json://once.test/t0ken"]
    found = describe(urls)

    assert [True, False, False, True] == [each is not None for each in found]
    assert found == describe(urls)
    assert [command("describe")] == started


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("raise SystemExit(3)", "Apprise cannot be asked about URLs: CalledProcessError"),
        ("print('no JSON')", "Apprise cannot be asked about URLs: JSONDecodeError"),
        ("""print('{"error": "Apprise cannot be loaded: x"}')""", "Apprise cannot be loaded: x"),
    ],
)
def test_when_apprise_cannot_be_asked(
    program: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A URL is then neither good nor bad, and the next time it is asked about again."""
    monkeypatch.setattr(
        "fluence_watch.sender.urls.command", lambda *_: [sys.executable, "-c", program]
    )
    for _ in range(2):
        with pytest.raises(NotifyError, match=why):
            describe(["json://never.asked"])

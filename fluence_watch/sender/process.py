"""A process that sends for one receiver: kept while in use, killed when it takes too long."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from fluence_watch.errors import NotifyError

IDLE_SECONDS = 60.0
"""How long a process is kept for the next message. Starting one takes 0.3 s of CPU."""

_LONGEST_ANSWER = 2**20


def command(*arguments: str) -> list[str]:
    """The command line of the program; `-P` keeps the current folder off its import path."""
    return [sys.executable, "-P", str(Path(__file__).with_name("worker.py")), *arguments]


def environment() -> dict[str, str]:
    """Its environment: ours (proxies, certificates) without the settings, which contain keys."""
    return {name: value for name, value in os.environ.items() if "FLUENCE_WATCH" not in name}


class SenderProcess:
    """Answers requests one at a time, each with a hard time limit.

    The process starts with the first request. It ends when it is idle for `idle` seconds, when an
    answer is late, when the request is cancelled, and when this process ends.
    """

    def __init__(self, idle: float = IDLE_SECONDS) -> None:
        self._idle = idle
        self._asking = asyncio.Lock()
        self._process: Process | None = None
        self._rest: asyncio.TimerHandle | None = None

    async def ask(self, request: Mapping[str, str], seconds: float) -> dict[str, str]:
        """The answer of the program (see `worker`).

        Raises:
            NotifyError: no answer arrived in time. The process is killed, but the message may have
                arrived.
        """
        async with self._asking:
            self._stay()
            try:
                async with asyncio.timeout(seconds):
                    answer = await self._exchange(request)
            except TimeoutError:
                await self._end()
                raise NotifyError(
                    f"no answer within {seconds:g} s; the message may have arrived",
                    may_have_arrived=True,
                ) from None
            except BaseException:
                await self._end()
                raise
            self._rest = asyncio.get_running_loop().call_later(self._idle, self._kill)
            return answer

    async def aclose(self) -> None:
        """Kill the process, if there is one, without waiting for an answer."""
        self._stay()
        await self._end()

    async def _exchange(self, request: Mapping[str, str]) -> dict[str, str]:
        process = await self._started()
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            await process.stdin.drain()
            answer: dict[str, str] = json.loads(await process.stdout.readline())
        except (OSError, ValueError):
            raise NotifyError(
                "the process that sends ended; the message may have arrived", may_have_arrived=True
            ) from None
        return answer

    async def _started(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *command(),
                    stdin=PIPE,
                    stdout=PIPE,
                    env=environment(),
                    limit=_LONGEST_ANSWER,
                    start_new_session=True,  # so that children of plugins are killed with it
                )
            except OSError as error:
                raise NotifyError(f"cannot start a process that sends: {error}") from None
        return self._process

    def _stay(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None

    def _kill(self) -> Process | None:
        """Kill the process and everything that a plugin started; asyncio reaps it."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return process

    async def _end(self) -> None:
        if process := self._kill():
            await process.wait()

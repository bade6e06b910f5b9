"""The program under test, in a process of its own: it is told what time it is, and killed."""

import json
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parents[2]

Told = Mapping[str, Any]
"""What the program answers: a line of JSON."""


class Program:
    """A module that answers each moment on standard input. `taken` is how long it took, in seconds."""

    def __init__(self, module: str) -> None:
        self.taken = 0.1
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self, *arguments: object) -> Told:
        """Begin a life, and wait for its first answer."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", self._module, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_HERE,
        )
        return self._answer()

    def ask(self, at: datetime, patience: float | None = None) -> Told | None:
        """What it answers to that moment; `None` if it did not within so many seconds."""
        assert self._process
        assert self._process.stdin
        assert self._process.stdout
        begun = time.monotonic()
        self._process.stdin.write(f"{at.isoformat()}\n".encode())
        self._process.stdin.flush()
        if patience is not None and not select.select([self._process.stdout], [], [], patience)[0]:
            return None
        answer = self._answer()
        self.taken = time.monotonic() - begun
        return answer

    def kill(self) -> None:
        """End it with SIGKILL, if it lives."""
        if self._process:
            self._process.kill()
            self._process.communicate()

    def stop(self) -> None:
        """Let it end."""
        assert self._process
        self._process.communicate()
        assert self._process.returncode == 0

    def _answer(self) -> Told:
        assert self._process
        assert self._process.stdout
        answer: Told = json.loads(self._process.stdout.readline())
        return answer

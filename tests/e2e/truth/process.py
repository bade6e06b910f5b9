"""The daemon's process: it is started, told what time it is, and killed."""

import json
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

_HERE = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Answer:
    """Where the daemon is: when it is to live next, and the last poll of each account that is stored."""

    next_at: datetime
    polled: Mapping[str, datetime | None]
    good: Mapping[str, datetime | None]
    looked: datetime | None
    duplicates: int

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """Read it."""
        return cls(
            datetime.fromisoformat(told["next"]),
            {name: _moment(at) for name, at in told["polled"].items()},
            {name: _moment(at) for name, at in told["good"].items()},
            _moment(told["looked"]),
            int(told["duplicates"]),
        )


class Watcher:
    """The program under test; see watcher.py."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None
        self.seconds = 0.1

    def start(self, at: datetime) -> Answer:
        """Begin a life at that time."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.truth.watcher", self._config, at.isoformat()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_HERE,
        )
        return self._answer()

    def live(self, at: datetime, patience: float | None = None) -> Answer | None:
        """Live through that moment; `None` if it did not within so many seconds."""
        assert self._process
        assert self._process.stdin
        assert self._process.stdout
        begun = time.monotonic()
        self._process.stdin.write(f"{at.isoformat()}\n".encode())
        self._process.stdin.flush()
        if patience is not None and not select.select([self._process.stdout], [], [], patience)[0]:
            return None
        answer = self._answer()
        self.seconds = 0.9 * self.seconds + 0.1 * (time.monotonic() - begun)
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

    def _answer(self) -> Answer:
        assert self._process
        assert self._process.stdout
        return Answer.of(json.loads(self._process.stdout.readline()))


def _moment(text: str | None) -> datetime | None:
    return text and datetime.fromisoformat(text)  # type: ignore[return-value]

"""The daemon's process: it is started, told what time it is, and killed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from tests.e2e.program import Program


@dataclass(frozen=True, slots=True)
class Answer:
    """Where the daemon is: when it is to live next, and the last poll of each account that is stored.

    `odd` are the accounts that spend far more than usual.
    """

    next_at: datetime
    polled: Mapping[str, datetime | None]
    good: Mapping[str, datetime | None]
    looked: datetime | None
    duplicates: int
    odd: Collection[str]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """Read it."""
        return cls(
            datetime.fromisoformat(told["next"]),
            {name: _moment(at) for name, at in told["polled"].items()},
            {name: _moment(at) for name, at in told["good"].items()},
            _moment(told["looked"]),
            int(told["duplicates"]),
            frozenset(told["odd"]),
        )


class Watcher(Program):
    """The program under test; see watcher.py. `seconds` is how long it lives through a moment."""

    def __init__(self, config: Path) -> None:
        super().__init__("tests.e2e.truth.watcher")
        self._config = config
        self.seconds = self.taken

    def start(self, at: datetime) -> Answer:
        """Begin a life at that time."""
        return Answer.of(self.begin(self._config, at.isoformat()))

    def live(self, at: datetime, patience: float | None = None) -> Answer | None:
        """Live through that moment; `None` if it did not within so many seconds."""
        answer = self.ask(at, patience)
        if answer is None:
            return None
        self.seconds = 0.9 * self.seconds + 0.1 * self.taken
        return Answer.of(answer)


def _moment(text: str | None) -> datetime | None:
    return text and datetime.fromisoformat(text)  # type: ignore[return-value]

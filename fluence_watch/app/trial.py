"""Finds out what is at fault when a receiver refuses messages: the receiver, or an alert in them.

A refused message is tried in its plainest form, and then alert by alert, until two are refused.
If the receiver accepts anything, it works, and the alerts that it refused are at fault.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from fluence_watch.alerting.grouping import SHOWN
from fluence_watch.alerting.telling import Line
from fluence_watch.app.agenda import Lines
from fluence_watch.errors import NotifyError


class Refused(NamedTuple):
    """The lines about an account that were refused as one message."""

    account: str
    lines: Lines


class Culprit(NamedTuple):
    """An alert that was refused alone, and why."""

    account: str
    line: Line
    error: NotifyError


@dataclass(frozen=True, slots=True)
class Held:
    """An alert that was refused alone: how often, and until when it waits.

    `accepted` is the number of messages that had been accepted when it was last refused.
    """

    refusals: int
    accepted: int
    until: datetime


class Trial:
    """One trial of refused messages.

    `send` sends lines in their plainest form, or raises `NotifyError`. It leaves out what is not true
    any more, and returns whether anything was left to send.
    `passed` is whether the receiver accepted another message just before.
    `turn` is a number that differs from trial to trial, so that each begins with another alert.
    `culprits` are the alerts that were refused alone.
    """

    def __init__(
        self, send: Callable[[str, Lines], Awaitable[bool]], *, passed: bool, turn: int
    ) -> None:
        self._send = send
        self._passed = passed
        self._turn = turn
        self.culprits: list[Culprit] = []
        self._error = NotifyError("")

    async def run(self, refused: Iterable[Refused]) -> None:
        """Send what the receiver accepts.

        Raises:
            NotifyError: the receiver accepts nothing.
        """
        for account, lines in refused:
            if not await self._accepted(account, lines) and len(lines) > 1:
                first = self._turn % len(lines)
                for line in (*lines[first:], *lines[:first])[:SHOWN]:
                    await self._accepted(account, (line,))
        if not self._passed:
            raise self._error

    async def _accepted(self, account: str, lines: Lines) -> bool:
        """Whether the receiver accepted the lines, or nothing of them is left to send."""
        try:
            sent = await self._send(account, lines)
        except NotifyError as error:
            self._error = error
            if len(lines) == 1:
                self.culprits.append(Culprit(account, lines[0], error))
            if len(self.culprits) > 1 and not self._passed:
                raise
            return False
        self._passed = self._passed or sent
        return True

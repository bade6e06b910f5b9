"""Messages in the words of a user, from a process of its own; in the shipped words if that fails."""

import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from threading import Lock, Timer
from time import monotonic
from typing import Any

import structlog

from fluence_watch.alerting.grouping import Message
from fluence_watch.errors import NotifyError
from fluence_watch.model.digest import Digest
from fluence_watch.notify.markup import BodyFormat
from fluence_watch.notify.overrides import Overrides
from fluence_watch.notify.render import Rendered
from fluence_watch.notify.shipped import SHIPPED
from fluence_watch.sender.process import environment

_log = structlog.get_logger(__name__)

NO_ANSWER = "a template takes too long, or too much memory"
SECONDS = 15.0
"""How long an answer may take; a busy machine is slower than the limit of CPU time."""
IDLE_SECONDS = 60.0
REST_SECONDS = 600.0
"""How long to use the shipped words after a template hung, so that messages are not late each time."""
_PROGRAM = [sys.executable, "-P", "-m", "fluence_watch.notify.user_words"]
_LONGEST_ANSWER = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Failure:
    """A template that failed, where and why."""

    name: str
    line: int
    what: str


class UserWords:
    """Renders with the templates of a user. All methods block; they may be called in any thread.

    The process starts with the first message, and ends when it is idle.
    """

    def __init__(self, overrides: Overrides, clock: Callable[[], float] = monotonic) -> None:
        self.overrides = overrides
        self._clock = clock
        self._asking = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._idle: Timer | None = None
        self._rests_until = 0.0
        self._logged = set[Failure | str]()

    def render(
        self, message: Message, fmt: BodyFormat, now: datetime, longest: int | None = None, /
    ) -> Rendered:
        """Render a message about alerts."""
        asked = {"message": message, "fmt": fmt, "now": now, "longest": longest}
        return self._rendered("message", asked) or SHIPPED.render(message, fmt, now, longest)

    def render_digest(
        self, digest: Digest, fmt: BodyFormat, now: datetime, longest: int | None = None, /
    ) -> Rendered:
        """Render a digest."""
        asked = {"digest": digest, "fmt": fmt, "now": now, "longest": longest}
        return self._rendered("digest", asked) or SHIPPED.render_digest(digest, fmt, now, longest)

    def render_test(
        self, receiver: str, fmt: BodyFormat, now: datetime, longest: int | None = None, /
    ) -> Rendered:
        """Render the message of `notify test`."""
        asked = {"receiver": receiver, "fmt": fmt, "now": now, "longest": longest}
        return self._rendered("test", asked) or SHIPPED.render_test(receiver, fmt, now, longest)

    def ask(self, what: str, **arguments: object) -> tuple[Rendered, list[Failure]]:
        """The message, and which templates failed and were replaced by shipped ones.

        Raises:
            NotifyError: there is no message; the process was killed if it took too long.
        """
        with self._asking:
            answer = self._exchange(pickle.dumps((what, arguments)))
        if "error" in answer:
            raise NotifyError(str(answer["error"]))
        failures = [Failure(**each) for each in answer["failures"]]
        return Rendered(answer["title"], answer["body"], answer["kind"]), failures

    def close(self) -> None:
        """End the process."""
        with self._asking:
            self._end()

    def _rendered(self, what: str, arguments: Mapping[str, object]) -> Rendered | None:
        if self._clock() < self._rests_until:
            return None
        try:
            rendered, failures = self.ask(what, **arguments)
        except NotifyError as error:
            self._log_once(str(error), error=str(error))
            return None
        for each in failures:
            self._log_once(each, template=each.name, line=each.line, error=each.what)
        return rendered

    def _log_once(self, what: Failure | str, **facts: object) -> None:
        if what not in self._logged:
            self._logged.add(what)
            _log.error("template fails, the shipped one is used", **facts)

    def _exchange(self, request: bytes) -> dict[str, Any]:
        if self._idle is not None:
            self._idle.cancel()
        process = self._started()
        late = Timer(SECONDS, process.kill)
        late.start()
        try:
            answer: dict[str, Any] = json.loads(_asked(process, request))
        except (OSError, ValueError):
            self._end()
            self._rests_until = self._clock() + REST_SECONDS
            return {"error": NO_ANSWER}
        finally:
            late.cancel()
        self._idle = Timer(IDLE_SECONDS, self.close)
        self._idle.daemon = True
        self._idle.start()
        return answer

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                _PROGRAM,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment(),
                start_new_session=True,
            )
            with suppress(OSError):  # the answer that does not come says it
                _write(self._process, pickle.dumps(dict(self.overrides)))
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


def _asked(process: "subprocess.Popen[bytes]", request: bytes) -> bytes:
    assert process.stdout
    _write(process, request)
    return process.stdout.readline(_LONGEST_ANSWER)


def _write(process: "subprocess.Popen[bytes]", data: bytes) -> None:
    assert process.stdin
    process.stdin.write(data)
    process.stdin.flush()

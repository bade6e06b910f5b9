"""The program of a process that renders templates of a user; `custom` runs it.

Whatever a template does, it cannot hold up the daemon or exhaust its memory: this process has a limit
of memory, one of CPU time for each message, and is killed when an answer is late.

Standard input has pickled objects of the parent: the templates, and then requests. Standard output has
an answer for each, a line of JSON, since a parent must not unpickle what a template may have written:

    {"title", "body", "kind", "failures": [{"name", "line", "what"}]}   or   {"error": "what"}
"""

import json
import os
import pickle
import resource
import signal
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import IO, Any, NoReturn

from fluence_watch.errors import NotifyError
from fluence_watch.model.text import inert
from fluence_watch.notify import sandbox
from fluence_watch.notify.digest import render_digest
from fluence_watch.notify.markup import BodyFormat
from fluence_watch.notify.overrides import TOO_BIG, TOO_SLOW, Overrides
from fluence_watch.notify.render import Rendered, render, render_test
from fluence_watch.notify.words import macros_of, words

MOST_MEMORY = 256 * 2**20
SECONDS = 2.0
"""CPU time of one message."""
LARGEST = 2**20
"""Characters of a message."""


def _compiled(name: str, *, fmt: BodyFormat) -> Rendered:
    sandbox.check_macros(words(fmt), name)
    return Rendered("", "", "info")


def _briefly(facts: object, *, fmt: BodyFormat, now: datetime) -> Rendered:
    module = macros_of(facts, fmt, now)
    return Rendered("", str(module.brief(facts)), "info")  # type: ignore[attr-defined] # macros are attributes


_RENDERERS: Mapping[str, Callable[..., Rendered]] = {
    "message": render,
    "digest": render_digest,
    "test": render_test,
    "brief": _briefly,
    "compile": _compiled,
}


class _TooSlowError(Exception):
    """A template takes more time than a message may."""


def main() -> None:
    """Answer requests until the input ends."""
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    signal.signal(signal.SIGPROF, _too_slow)
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    overrides: Overrides = pickle.load(requests)  # noqa: S301 - of our parent
    sandbox.use(overrides)
    while True:
        try:
            what, arguments = pickle.load(requests)  # noqa: S301 - of our parent
        except EOFError:
            return
        _say(answers, _answer(_RENDERERS[what], arguments, overrides))


def _too_slow(*_: object) -> NoReturn:
    raise _TooSlowError


def _limited(renderer: Callable[..., Rendered], arguments: Mapping[str, Any]) -> Rendered:
    """Render, for so long at most; the kernel ends this process if a template holds it up after that."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    limit = int(used.ru_utime + used.ru_stime + 3 * SECONDS) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, most))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        rendered = renderer(**arguments)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    if len(rendered.body) > LARGEST:
        raise NotifyError(f"a message is longer than {LARGEST} characters")
    return rendered


def _answer(
    renderer: Callable[..., Rendered], arguments: Mapping[str, Any], overrides: Overrides
) -> Mapping[str, object]:
    """The message, with the shipped templates in the place of those that fail."""
    left, failures = dict(overrides), list[Mapping[str, object]]()
    try:
        while True:
            try:
                rendered = _limited(renderer, arguments)
            except Exception as error:  # noqa: BLE001 - of a template, it may be any
                place = sandbox.culprit(error, left)
                if place is None:
                    return {"error": _described(error)}
                failures.append({"name": place[0], "line": place[1], "what": _described(error)})
                del left[place[0]]
                sandbox.use(left)
            else:
                return {**asdict(rendered), "failures": failures}
    finally:
        if failures:
            sandbox.use(overrides)


def _described(error: BaseException) -> str:
    cause = sandbox.root(error)
    if isinstance(cause, MemoryError):
        return TOO_BIG
    if isinstance(cause, _TooSlowError):
        return TOO_SLOW
    return inert(str(cause) or type(cause).__name__)


def _say(answers: IO[bytes], answer: Mapping[str, object]) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")
    answers.flush()


if __name__ == "__main__":
    main()

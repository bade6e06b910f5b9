"""The program of a process that sends: runs Apprise, driven by lines of JSON on standard input.

    {"url", "format", "title", "body", "kind"}   → {} when it was sent, else {"error": "why"}

It exits at the end of its input, even during a send, because its parent is gone.
As `worker.py describe` it reads one list of URLs up to the end of the input, and answers

    {"urls": [{"format", "longest", "shown"} or null, …]}   or {"error": "why"}

URLs come by standard input only, because other users can read the arguments of a process.
No answer contains their secrets. Output of plugins is discarded.
The program needs Apprise and the standard library, nothing of this package, and is run by its path.
"""

import contextlib
import json
import os
import re
import resource
import signal
import sys
from collections.abc import Callable, Iterable
from functools import cache
from queue import SimpleQueue
from threading import Thread
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from apprise import Apprise, NotifyBase

_OURSELVES = "fluence-watch"
# Bytes. A service may respond without end, and Apprise reads whole responses.
# Then the send fails here, or the parent kills this process after `TIMEOUT`
# (see `notify/receiver.py`), whichever comes first.
_MOST_MEMORY = 512 * 2**20
_SECRET = 4  # shorter pieces of a URL are not secrets, and hiding them would hide ordinary words


def main() -> None:
    """Answer requests, one after the other, until the input ends."""
    resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY, _MOST_MEMORY))
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # the terminal sends them to every process; the end of the input is what counts
        signal.signal(number, signal.SIG_IGN)
    requests, answers = _channels()
    if sys.argv[1:] == ["describe"]:
        _say(answers, _described(json.load(requests)))
        return
    waiting: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_work, args=(waiting.get, answers), daemon=True).start()
    for line in requests:
        waiting.put(line)
    os._exit(0)


def _channels() -> tuple[IO[bytes], IO[bytes]]:
    """Duplicates of standard input and output; plugins and their children get /dev/null."""
    channels = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    return channels


def _work(next_line: Callable[[], bytes], answers: IO[bytes]) -> None:
    with contextlib.suppress(ImportError):  # the first answer reports the error
        import apprise  # noqa: F401, PLC0415 - while the first request is on its way
    with contextlib.suppress(OSError):
        while True:
            _say(answers, _sent(**json.loads(next_line())))
    os._exit(0)


def _say(answers: IO[bytes], answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")
    answers.flush()


def _described(urls: list[str]) -> dict[str, Any]:
    try:
        return {"urls": [_description(url) for url in urls]}
    except ImportError as error:
        return {"error": f"Apprise cannot be loaded: {error}"}


def _sent(url: str, **message: str) -> dict[str, str]:
    try:
        return _send(url, **message)
    except Exception as error:  # noqa: BLE001 - of a plugin; it is a failure to send like others
        return {"error": _hide(f"{type(error).__name__}: {error}", _pieces(url))}


def _description(url: str) -> dict[str, Any] | None:
    apprise = _load(url)
    if apprise is None:
        return None
    plugin = apprise[0]
    return {
        "format": plugin.resolve_format().value,
        "longest": plugin.body_maxlen,
        "shown": _shown(plugin),
    }


def _send(url: str, *, title: str, body: str, kind: str, format: str) -> dict[str, str]:  # noqa: A002 - the request's word
    from apprise import NotifyFormat, NotifyType  # noqa: PLC0415 - see _work

    apprise = _load(url)
    if apprise is None:
        return {"error": "Apprise cannot use its URL"}
    with apprise.notify(
        body=body,
        title=title,
        notify_type=NotifyType(kind),
        body_format=NotifyFormat(format),
        interpret_escapes=False,
    ) as result:
        if result:
            return {}
        said = "; ".join(dict.fromkeys(entry.message for entry in result.logs()))
        return {"error": _hide(said, _secrets(url, apprise[0])) or "no reason was given"}


@cache
def _load(url: str) -> "Apprise | None":
    """Apprise with the URL's single receiver; `None` if the URL means none or several."""
    from apprise import Apprise, AppriseAsset, OverflowMode  # noqa: PLC0415 - see _work

    asset = AppriseAsset(
        app_id=_OURSELVES,
        app_desc=_OURSELVES,
        http_redirects=False,  # a redirected POST arrives as an empty GET
        interpret_emojis=False,
        service_timeout=0,  # the parent kills this process when a send takes too long
        timezone="UTC",
    )
    apprise = Apprise(asset=asset)
    if len(url.split()) != 1 or not apprise.add(url) or len(apprise) != 1:
        return None
    plugin = apprise[0]
    plugin.overflow_mode = (
        OverflowMode.TRUNCATE
    )  # one message is never split, whatever the URL says
    plugin.optional = False  # otherwise a failure would look like a success
    return apprise


def _shown(plugin: "NotifyBase") -> str:
    url: str = plugin.url(privacy=True)  # type: ignore[no-untyped-call]  # Apprise types it not
    return url.partition("?")[0]


def _pieces(url: str) -> Iterable[str]:
    pieces = {piece for text in (url, unquote(url)) for piece in re.split(r"[/:@?&=,#\s]+", text)}
    return sorted((piece for piece in pieces if len(piece) >= _SECRET), key=len, reverse=True)


def _secrets(url: str, plugin: "NotifyBase") -> Iterable[str]:
    """The pieces of the URL that Apprise's display form omits, the longest first."""
    shown = _shown(plugin)
    return [piece for piece in _pieces(url) if piece not in shown]


def _hide(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


if __name__ == "__main__":
    main()

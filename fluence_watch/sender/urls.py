"""Describes receivers by their URLs: one short-lived process describes all, once."""

import json
import subprocess
from collections.abc import Sequence
from threading import Lock
from typing import NamedTuple

from fluence_watch.errors import NotifyError
from fluence_watch.sender.process import command, environment

_SECONDS = 60.0
_MOST = 10_000


class Description(NamedTuple):
    """A receiver as Apprise describes it.

    `format` is the service's preferred format (text, markdown or html).
    `longest` is the largest number of characters in a message.
    `shown` is the URL without its secrets.
    """

    format: str
    longest: int
    shown: str


_known: dict[str, Description | None] = {}
_lock = Lock()


def describe(urls: Sequence[str]) -> list[Description | None]:
    """Describe each URL; `None` if Apprise cannot use it, or it holds several URLs.

    Raises:
        NotifyError: Apprise cannot be run.
    """
    with _lock:
        new = [url for url in dict.fromkeys(urls) if url not in _known]
        if new:
            if len(_known) > _MOST:
                _known.clear()
            _known.update(zip(new, _asked(new), strict=True))
        return [_known[url] for url in urls]


def unusable(url: str) -> str:
    """The error text for a URL that Apprise cannot use; it does not show the URL."""
    scheme, colon, _ = url.partition("://")
    return (
        f"Apprise cannot use this {scheme[:20] if colon else ''!r} URL: write one URL, as "
        "Apprise's page on that service shows it"
    )


def _asked(urls: Sequence[str]) -> list[Description | None]:
    try:
        process = subprocess.run(  # noqa: S603 - our own program
            command("describe"),
            input=json.dumps(urls).encode(),
            stdout=subprocess.PIPE,
            env=environment(),
            timeout=_SECONDS,
            check=True,
        )
        answer = json.loads(process.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise NotifyError(f"Apprise cannot be asked about URLs: {type(error).__name__}") from None
    if "error" in answer:
        raise NotifyError(answer["error"])
    return [Description(**found) if found else None for found in answer["urls"]]

"""One receiver: a service or a mailbox, through Apprise in a process of its own.

Each receiver has a process with one URL, so that one that hangs holds up no other. With several
URLs in one, a single failure would fail all, and a retry would notify the others twice.
"""

import re
from dataclasses import dataclass, field

from fluence_watch.errors import NotifyError
from fluence_watch.model.text import inert
from fluence_watch.notify.markup import BodyFormat
from fluence_watch.notify.render import Rendered
from fluence_watch.sender.process import SenderProcess
from fluence_watch.sender.urls import describe, unusable

MAIL = frozenset(
    {
        "azure", "brevo", "groundmail", "mailersend", "mailgun", "mailto", "mailtos", "o365",
        "postmark", "resend", "sendgrid", "sendpulse", "ses", "smtp2go", "sparkpost",
    }
)  # fmt: skip
"""Apprise's schemas of services that deliver mail."""
PROGRAMS = frozenset(
    {"form", "forms", "json", "jsons", "mqtt", "mqtts", "rsyslog", "syslog", "xml", "xmls"}
)
"""Apprise's schemas of what hands a message to a program, which acts upon nothing in it."""
TIMEOUT = 30.0
"""Seconds that one delivery may take; then the process that sends is killed."""
_STATUS = re.compile(r"\berror=(\d{3})\b")  # how Apprise writes the HTTP status in its errors


@dataclass(frozen=True, slots=True)
class Receiver:
    """A receiver of messages.

    `format` is what the service takes best, `longest` how many characters title and body may
    have together, `shown` the URL without its secrets, `timeout` in seconds.
    """

    name: str
    format: BodyFormat
    longest: int
    shown: str
    timeout: float
    _url: str = field(repr=False)
    _process: SenderProcess = field(repr=False, default_factory=SenderProcess)

    async def send(self, rendered: Rendered) -> None:
        """Hand the message to the service.

        Raises:
            NotifyError: the service did not accept it, or not in time; then it may have it.
        """
        answer = await self._process.ask(
            {
                "url": self._url,
                "format": self.format.syntax,
                "title": rendered.title,
                "body": rendered.body,
                "kind": rendered.kind,
            },
            self.timeout,
        )
        if "error" in answer:
            error = answer["error"]
            raise NotifyError(inert(error), permanent=_is_permanent(error))

    async def aclose(self) -> None:
        """End the process that sends."""
        await self._process.aclose()


def _is_permanent(error: str) -> bool:
    """Whether the service refuses this message for good: a 4xx that no later try mends."""
    statuses = [int(status) for status in _STATUS.findall(error)]
    return bool(statuses) and all(400 <= each < 500 and each not in {408, 429} for each in statuses)  # noqa: PLR2004 - HTTP


def parse_receiver(name: str, url: str, *, timeout: float = TIMEOUT) -> Receiver:
    """Make a receiver from one Apprise URL; `describe` several first to have one process for all.

    Raises:
        NotifyError: Apprise cannot use the URL, or there are several in it; the text does not
            show the URL.
    """
    (description,) = describe([url])
    if description is None:
        raise NotifyError(f"receiver {name}: {inert(unusable(url))}")
    return Receiver(
        name=name,
        format=_format(description.format, url),
        longest=description.longest,
        shown=description.shown,
        timeout=timeout,
        _url=url,
    )


def _format(taken: str, url: str) -> BodyFormat:
    """The format that the service shows best.

    A mail takes an HTML document, a chat a few tags. Text is plain for services that do not look
    for mentions in it; an unknown service may.
    """
    best = BodyFormat(taken)
    schema = url.partition("://")[0].lower()
    if best is BodyFormat.HTML and schema in MAIL:
        return BodyFormat.MAIL
    if best is BodyFormat.TEXT and schema in MAIL | PROGRAMS:
        return BodyFormat.PLAIN
    return best

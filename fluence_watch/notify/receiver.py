"""One receiver: a service or a mailbox, through Apprise.

Each receiver is an Apprise object of its own with one URL: of several, one that fails would make
all look failed, and a retry would tell the others twice.
"""

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from fluence_watch.errors import NotifyError
from fluence_watch.model.text import inert
from fluence_watch.notify.markup import BodyFormat
from fluence_watch.notify.render import Rendered

if TYPE_CHECKING:
    from apprise import Apprise, NotifyBase

TIMEOUT = 30.0
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
_OURSELVES = "fluence-watch"
_NOWHERE = logging.NullHandler()
_SECRET = 4  # shorter pieces of a URL are no secrets, and would blank out ordinary words


@dataclass(frozen=True, slots=True)
class Receiver:
    """Somebody who can be notified.

    `format` is what the service takes best, `longest` how many characters title and body may
    have together, `shown` the URL without its secrets.
    """

    name: str
    format: BodyFormat
    longest: int
    shown: str
    _apprise: "Apprise" = field(repr=False)
    _secrets: tuple[str, ...] = field(repr=False)

    async def send(self, rendered: Rendered) -> None:
        """Hand the message to the service.

        Raises:
            NotifyError: the service did not accept it, or not in time; it may have it then.
        """
        from apprise import NotifyFormat, NotifyType  # noqa: PLC0415 - see parse_receiver

        with await self._apprise.async_notify(
            body=rendered.body,
            title=rendered.title,
            notify_type=NotifyType(rendered.kind),
            body_format=NotifyFormat(self.format.syntax),
            interpret_escapes=False,
        ) as result:
            if not result:
                said = "; ".join(dict.fromkeys(entry.message for entry in result.logs()))
                raise NotifyError(inert(_hide(said, self._secrets)) or "no reason was given")


def parse_receiver(name: str, url: str, *, timeout: float = TIMEOUT) -> Receiver:
    """Make a receiver from one Apprise URL; `timeout` is in seconds, for a whole send.

    Apprise is loaded here: it costs 0.3 s and 30 MB with its plugins, for those alone who use it.

    Raises:
        NotifyError: Apprise cannot use the URL, or there are several in it; the text does not
            show the URL.
    """
    _silence("apprise", "urllib3")
    from apprise import Apprise, AppriseAsset, OverflowMode  # noqa: PLC0415 - see above

    asset = AppriseAsset(
        app_id=_OURSELVES,
        app_desc=_OURSELVES,
        http_redirects=False,  # a POST that is redirected arrives as an empty GET
        interpret_emojis=False,
        service_timeout=timeout,
        timezone="UTC",
    )
    apprise = Apprise(asset=asset)
    if not apprise.add(url) or len(apprise) != 1:
        scheme, colon, _ = url.partition("://")
        kind = inert(scheme, 20) if colon else ""
        raise NotifyError(
            f"receiver {name}: Apprise cannot use this {kind!r} URL: write one URL, as Apprise's "
            "page on that service shows it"
        )
    plugin = apprise[0]
    plugin.overflow_mode = OverflowMode.TRUNCATE  # one message stays one, whatever the URL says
    plugin.optional = False  # or a failure would look like success
    return Receiver(
        name=name,
        format=_format(plugin, url),
        longest=plugin.body_maxlen,
        shown=_shown(plugin),
        _apprise=apprise,
        _secrets=tuple(_secrets(url, plugin)),
    )


def _format(plugin: "NotifyBase", url: str) -> BodyFormat:
    """What the service takes best.

    Of HTML, a mail takes a document, and a chat a few tags. Text is plain where nobody reads it
    for mentions; of a service that is not known it is not.
    """
    taken = BodyFormat(plugin.resolve_format().value)
    schema = url.partition("://")[0].lower()
    if taken is BodyFormat.HTML and schema in MAIL:
        return BodyFormat.MAIL
    if taken is BodyFormat.TEXT and schema in MAIL | PROGRAMS:
        return BodyFormat.PLAIN
    return taken


def _silence(*names: str) -> None:
    """Keep to ourselves what these log: it holds addresses with tokens in them."""
    for name in names:
        logger = logging.getLogger(name)
        logger.propagate = False
        logger.addHandler(_NOWHERE)


def _shown(plugin: "NotifyBase") -> str:
    url: str = plugin.url(privacy=True)  # type: ignore[no-untyped-call]  # Apprise types it not
    return url.partition("?")[0]


def _secrets(url: str, plugin: "NotifyBase") -> Iterable[str]:
    """The pieces of the URL that Apprise itself does not show, the longest first."""
    shown = _shown(plugin)
    pieces = {piece for text in (url, unquote(url)) for piece in re.split(r"[/:@?&=,#\s]+", text)}
    return sorted(
        (piece for piece in pieces if len(piece) >= _SECRET and piece not in shown),
        key=len,
        reverse=True,
    )


def _hide(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text

"""Checks on the heartbeat."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from fluence_watch.settings.checks.accounts import is_near
from fluence_watch.settings.checks.doubt import Doubt, error, note, unused
from fluence_watch.settings.environment import Loc
from fluence_watch.settings.model import WatchSettings

_URL: tuple[Loc, Loc] = (("heartbeat", "url"), ("heartbeat", "url_file"))


def address_is_usable(settings: WatchSettings) -> Iterator[Doubt]:
    """The address is one that can be called; no text shows it, since it is a secret."""
    if not settings.heartbeat.enabled:
        return
    try:
        scheme, host = _parts(settings.heartbeat.address)
    except ValueError as wrong:
        yield error(str(wrong), *_URL)
        return
    if scheme == "http" and not is_near(host):
        yield note("http sends the address, a secret, unencrypted: write https", *_URL)


def somebody_is_called(settings: WatchSettings) -> Iterator[Doubt]:
    """How it calls is about an address."""
    if not settings.heartbeat.enabled:
        what = "without effect: nothing is called without url"
        yield from unused("heartbeat", settings.heartbeat, what)


def _parts(address: str) -> tuple[str, str]:
    """The scheme and the host.

    Raises:
        ValueError: it is not an address over HTTP.
    """
    what = "is not an address: write http(s)://HOST/PATH, as the service shows it"
    if not (address.isascii() and address.isprintable() and " " not in address):
        raise ValueError(what)
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(what) from None
    if parts.scheme not in {"http", "https"} or not host or parts.fragment:
        raise ValueError(what)
    return parts.scheme, host

"""Checks on the links that messages have."""

from collections.abc import Iterator

from fluence_watch.settings.checks.doubt import Doubt, error, note
from fluence_watch.settings.model import WatchSettings

_SECRET = (("server", "action_secret"), ("server", "action_secret_file"))
_URL = ("server", "external_url")


def secret_is_usable(settings: WatchSettings) -> Iterator[Doubt]:
    """What signs links can be read, and is long enough."""
    try:
        _ = settings.server.secret
    except ValueError as wrong:
        yield error(str(wrong), *_SECRET)


def links_lead_somewhere(settings: WatchSettings) -> Iterator[Doubt]:
    """A signed link has an address."""
    if settings.server.has_actions and settings.server.external_url is None:
        yield error("is without an external_url: links need an address that people reach", *_SECRET)


def links_travel_encrypted(settings: WatchSettings) -> Iterator[Doubt]:
    """Who sees a signed link can use it."""
    url = settings.server.external_url
    if settings.server.has_actions and url is not None and url.scheme == "http":
        yield note("http shows signed links to the network: write https", _URL)

"""Checks on receivers that are Alertmanagers."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from fluence_watch.settings.checks.accounts import is_near
from fluence_watch.settings.checks.doubt import Doubt, error, note, secret, twins, unusable
from fluence_watch.settings.model import WatchSettings
from fluence_watch.settings.receivers import ReceiverSettings
from fluence_watch.settings.secrets import check_alertmanager_urls

_DONE_THERE = ("send_resolved", "repeat_interval", "group_wait", "group_interval", "active")
_ITS_OWN = ("alertmanager_ca_file", "alertmanager_labels")


def urls_are_usable(settings: WatchSettings) -> Iterator[Doubt]:
    """Each member of a cluster has a URL, another one."""
    return unusable("receivers", "alertmanager", settings.receivers, _check_urls)


def _check_urls(receiver: ReceiverSettings) -> None:
    if receiver.is_alertmanager and not receiver.url and not receiver.url_file:
        check_alertmanager_urls(receiver.alertmanager_urls)


def passwords_travel_encrypted(settings: WatchSettings) -> Iterator[Doubt]:
    """A password crosses the open network only encrypted."""
    for number, receiver in enumerate(settings.receivers):
        urls = secret(receiver, "alertmanager_urls")
        if isinstance(urls, tuple) and any(map(_is_exposed, urls)):
            what = "http sends the password unencrypted: write https"
            yield note(what, *twins("receivers", number, "alertmanager"))


def _is_exposed(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "http" and bool(parts.password) and not is_near(parts.hostname or "")


def its_settings_are_its_own(settings: WatchSettings) -> Iterator[Doubt]:
    """What is for an Alertmanager is given with one."""
    for number, receiver in enumerate(settings.receivers):
        for key in _ITS_OWN:
            if not receiver.is_alertmanager and getattr(receiver, key) is not None:
                what = "without effect: it is for an Alertmanager, and this receiver has a url"
                yield note(what, ("receivers", number, key))


def its_work_is_its_own(settings: WatchSettings) -> Iterator[Doubt]:
    """What Alertmanager does by itself is not expected of fluence-watch."""
    for number, receiver in enumerate(settings.receivers):
        for key in _DONE_THERE if receiver.is_alertmanager else ():
            if getattr(receiver, key) != ReceiverSettings.model_fields[key].default:
                what = "without effect: Alertmanager does this itself, see its route and receivers"
                yield note(what, ("receivers", number, key))


def escalations_go_elsewhere(settings: WatchSettings) -> Iterator[Doubt]:
    """What is posted to an Alertmanager, its own route decides."""
    clusters = _clusters(settings)
    for number, receiver in enumerate(settings.receivers):
        if receiver.escalate_to in clusters:
            what = f"{receiver.escalate_to!r} is an Alertmanager, which gets what its own route takes: name another receiver"
            yield error(what, ("receivers", number, "escalate_to"))


def _clusters(settings: WatchSettings) -> set[str]:
    return {each.name for each in settings.receivers if each.is_alertmanager}


def digests_go_elsewhere(settings: WatchSettings) -> Iterator[Doubt]:
    """A digest is a message, and no alert."""
    clusters = _clusters(settings)
    for number, digest in enumerate(settings.digests):
        if digest.receiver in clusters:
            what = f"{digest.receiver!r} is an Alertmanager, which takes no messages: name another receiver"
            yield error(what, ("digests", number, "receiver"))

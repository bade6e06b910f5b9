"""Signed links: what a reader of a message may do with one alert, until when. Pure.

A link is `<external_url>/alerts/<alert id>/<action>/<token>`. Its token is the time when it expires,
in seconds, the digest of what the message said that matters to the action, and the signature of all that.
Whoever has the link may use it, so it does little, and expires. A new secret ends all of them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import blake2b, sha256
from hmac import compare_digest
from hmac import new as hmac

from fluence_watch.model.finding import Severity

LASTS = timedelta(days=7)
"""How long a link can be used."""
TAKES = timedelta(days=1)
"""How long an acknowledgement or a silence by a link lasts."""
_TOKEN = re.compile(
    r"(?P<expires>[1-9][0-9]{0,11})(-(?P<state>[0-9a-f]{32}))?-(?P<signature>[0-9a-f]{64})"
)


class Action(StrEnum):
    """What a link does."""

    ACK = "ack"
    SNOOZE = "snooze"
    ACCEPT_PORTS = "accept-ports"


class LinkError(ValueError):
    """The link is not one of ours, or expired; the text says which."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a link asks for. `state` is the digest of what it depends on, empty if on nothing."""

    action: Action
    alert_id: str
    expires_at: datetime
    state: str = ""

    @property
    def signed_at(self) -> datetime:
        """When the link was made."""
        return self.expires_at - LASTS


def order(action: Action, alert_id: str, now: datetime, state: str = "") -> Order:
    """An order that can be carried out for a while from now on, while the state is this."""
    return Order(action, alert_id, now.replace(microsecond=0) + LASTS, state)


def state_of(action: Action, severity: Severity, step: int, ports: Iterable[str]) -> str:
    """What must be as in the message: how bad it is, or the open ports. A silence needs nothing."""
    if action is Action.ACK:
        return _digest([severity.value, str(step)])
    return _digest(ports) if action is Action.ACCEPT_PORTS else ""


def _digest(parts: Iterable[str]) -> str:
    return blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


def token(wanted: Order, secret: str) -> str:
    """The token of the link: what it says beside its path, signed."""
    expires = f"{int(wanted.expires_at.timestamp())}"
    parts = [expires, wanted.state] if wanted.state else [expires]
    return "-".join([*parts, _signature(wanted, secret)])


def read_token(action: str, alert_id: str, given: str, secret: str, now: datetime) -> Order:
    """The order of a link.

    Raises:
        LinkError: it is not signed with the secret, or it expired.
    """
    wanted, signature = _parsed(action, alert_id, given)
    if not secret or not compare_digest(_signature(wanted, secret).encode(), signature.encode()):
        raise LinkError("this link is not valid: it is incomplete, changed, or the secret is new")
    if wanted.expires_at <= now:
        raise LinkError("this link expired: use one of a newer message")
    return wanted


def _parsed(action: str, alert_id: str, given: str) -> tuple[Order, str]:
    found = _TOKEN.fullmatch(given)
    try:
        if found is not None:
            until = datetime.fromtimestamp(int(found["expires"]), UTC)
            return Order(Action(action), alert_id, until, found["state"] or ""), found["signature"]
    except (ValueError, OverflowError, OSError):
        pass
    raise LinkError("this link is not valid: it is incomplete or changed")


def _signature(wanted: Order, secret: str) -> str:
    expires = int(wanted.expires_at.timestamp())
    text = f"fluence-watch link\n{wanted.action}\n{wanted.alert_id}\n{expires}\n{wanted.state}"
    return hmac(secret.encode(), text.encode(errors="surrogatepass"), sha256).hexdigest()

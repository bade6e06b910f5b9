"""Messages with links: to the page of each alert, and to what can be done about it.

Only loaded with `server.external_url`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from fluence_watch.alerting.attempts import mark
from fluence_watch.alerting.grouping import Item, Link, Message
from fluence_watch.alerting.lifecycle import Episode
from fluence_watch.alerting.links import Action, order, state_of, token
from fluence_watch.model.digest import Digest
from fluence_watch.model.finding import vm_of
from fluence_watch.notify.markup import BodyFormat
from fluence_watch.notify.render import Rendered
from fluence_watch.notify.shipped import Words
from fluence_watch.rules.port_drift import PortDrift

_WORDS = {
    Action.ACK: "Acknowledge for 1 d",
    Action.SNOOZE: "Snooze for 1 d",
    Action.ACCEPT_PORTS: "Accept these ports",
}
_Seen = set[tuple[Action, str, str]]


@dataclass(frozen=True, slots=True)
class Links:
    """Makes the links of alerts. Without a secret they only lead to pages."""

    base: str
    secret: str = field(default="", repr=False)

    def on(self, message: Message, now: datetime) -> Message:
        """The message with links. What concerns a VM as a whole is linked once."""
        seen: _Seen = set()
        items = [replace(item, links=tuple(self._of(item, now, seen))) for item in message.items]
        return replace(message, items=tuple(items))

    def _of(self, item: Item, now: datetime, seen: _Seen) -> Iterator[Link]:
        alert_id = mark(Episode(item.fingerprint, item.active_at))
        page = f"{self.base}/alerts/{alert_id}"
        yield Link("Details", page)
        if not self.secret or item.event or not item.firing:
            return
        for action in actions(item.facts, item.fingerprint.subject):
            place = (action, item.fingerprint.rule, item.fingerprint.subject)
            if action is Action.ACK or place not in seen:
                seen.add(place)
                ports = item.facts.actual if isinstance(item.facts, PortDrift) else ()
                state = state_of(action, item.severity, item.step, ports)
                signed = token(order(action, alert_id, now, state), self.secret)
                yield Link(_WORDS[action], f"{page}/{action}/{signed}")


def actions(facts: object, subject: str) -> Iterator[Action]:
    """What can be done about an alert with these facts.

    A silence is of a rule and a VM or the account, so there is none for a single disk or key.
    """
    yield Action.ACK
    if vm_of(facts) or not subject:
        yield Action.SNOOZE
    if isinstance(facts, PortDrift) and not facts.configured:
        yield Action.ACCEPT_PORTS


@dataclass(frozen=True, slots=True)
class LinkedWords:
    """Puts messages into words, with links in those about alerts."""

    words: Words
    links: Links

    def render(
        self, message: Message, fmt: BodyFormat, now: datetime, longest: int | None = None, /
    ) -> Rendered:
        """Render a message about alerts."""
        return self.words.render(self.links.on(message, now), fmt, now, longest)

    def render_digest(
        self, digest: Digest, fmt: BodyFormat, now: datetime, longest: int | None = None, /
    ) -> Rendered:
        """Render a digest."""
        return self.words.render_digest(digest, fmt, now, longest)

    def render_test(
        self, receiver: str, fmt: BodyFormat, now: datetime, longest: int | None = None, /
    ) -> Rendered:
        """Render the message of `notify test`."""
        return self.words.render_test(receiver, fmt, now, longest)

"""What signed links do: each acts once, and only on the alert as it was in the message.

The store remembers: an acknowledgement or a note from after the link was made, or a silence with an id
that derives from the link, means that it was used.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import structlog

from fluence_watch.alerting.labels import labels
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.links import TAKES, Action, Order, state_of
from fluence_watch.alerting.matchers import Matcher, Operator
from fluence_watch.alerting.muting import Acknowledgement, Silence
from fluence_watch.model.moment import distance, exact
from fluence_watch.model.note import NoteAction
from fluence_watch.model.ports import Port, port_from_text
from fluence_watch.notify.render import brief
from fluence_watch.rules.port_drift import PortDrift
from fluence_watch.store import Store
from fluence_watch.web.alert import ActionView

_log = structlog.get_logger(__name__)

AUTHOR = "a link"
_CONFLICT = 409


@dataclass(frozen=True, slots=True)
class _Deed:
    """How an action is described, why it cannot be done now, if so, and how it is done.

    `do` says why it was not done, if the alert has changed since it was read.
    """

    title: str
    button: str
    would: Callable[[Alert, datetime], str]
    obstacle: Callable[[Store, Alert, Order], str]
    do: Callable[[Store, Alert, Order, datetime], str]
    done: str


def answer(store: Store, alert: Alert, order: Order, now: datetime, *, do: bool) -> ActionView:
    """What the order would do to the alert; with `do` it is done."""
    deed = _DEEDS[order.action]
    why = _over(alert) or deed.obstacle(store, alert, order)
    if not why and not do:
        return ActionView(200, deed.title, deed.would(alert, now), deed.button)
    if why := why or deed.do(store, alert, order, now):
        return ActionView(_CONFLICT, "Nothing was done", why)
    _log.info("done by a link", action=order.action.value, alert=alert.fingerprint.words)
    return ActionView(200, deed.done, deed.would(alert, now))


def silence_id(order: Order) -> str:
    """The id of the silence that a link makes: another link makes another."""
    text = f"{order.alert_id} {order.expires_at.isoformat()}"
    return blake2b(text.encode(errors="surrogatepass"), digest_size=4).hexdigest()


_OVER = "The alert is over."
_USED = "This link was used before."


def _over(alert: Alert) -> str:
    over = alert.state is State.RESOLVED or alert.clear_since is not None
    return _OVER if over else ""


def _is_as_told(alert: Alert, order: Order) -> bool:
    return order.state == state_of(order.action, alert.severity, alert.step, _ports(alert))


def _until(now: datetime) -> str:
    until = now + TAKES
    return f"until {exact(until, now)} ({distance(until, now)})"


def _would_acknowledge(_: Alert, now: datetime) -> str:
    until = _until(now)
    return f"The alert is not repeated or escalated {until}, unless it gets worse."


def _acknowledged(store: Store, alert: Alert, order: Order) -> str:
    known = store.silences.acknowledged().get(alert.episode)
    if known is not None and known.at >= order.signed_at:
        return "The alert was acknowledged after this message was sent."
    return "" if _is_as_told(alert, order) else "The alert is worse or milder than in the message."


def _acknowledge(store: Store, alert: Alert, order: Order, now: datetime) -> str:
    taken = Acknowledgement(now, now + TAKES, alert.severity, alert.step, AUTHOR)
    if store.silences.acknowledge(alert.episode, taken):
        return ""
    found = store.alert(order.alert_id)
    if found is None or _over(found):
        return _OVER
    return f"The alert is worse now: {found.severity}, {brief(found.facts, now)}."


def _matchers(alert: Alert) -> tuple[Matcher, ...]:
    """Exactly this rule, in this account, on this VM."""
    its: Mapping[str, str] = labels(alert)
    names = ("rule", "account", "vm_id")
    return tuple(Matcher(name, Operator.EQUAL, its[name]) for name in names if name in its)


def _would_snooze(alert: Alert, now: datetime) -> str:
    about = ", ".join(map(str, _matchers(alert)))
    return f"No messages {_until(now)} about {about}. If it fires then, you are notified."


def _snoozed(store: Store, _: Alert, order: Order) -> str:
    known = {silence.id for silence in store.silences.all()}
    return _USED if silence_id(order) in known else ""


def _snooze(store: Store, alert: Alert, order: Order, now: datetime) -> str:
    end = now + TAKES
    made = Silence(silence_id(order), _matchers(alert), now, end, "snoozed", AUTHOR)
    store.silences.add(made)
    return ""


def _would_accept(alert: Alert, _: datetime) -> str:
    open_now = ", ".join(_ports(alert)) or "none"
    return f"These ports of the VM are expected from the next poll on: {open_now}. The VM is not changed."


def _ports(alert: Alert) -> tuple[str, ...]:
    return alert.facts.actual if isinstance(alert.facts, PortDrift) else ()


def _exact(alert: Alert) -> tuple[Port, ...]:
    """The ports as they are; fewer if one has a name that only the API understands."""
    return tuple(filter(None, map(port_from_text, _ports(alert))))


def _accepted(store: Store, alert: Alert, order: Order) -> str:
    about = alert.fingerprint
    if not isinstance(alert.facts, PortDrift) or alert.facts.configured:
        return "The configuration says which ports are expected: change its [[expect]] instead."
    if not _is_as_told(alert, order):
        return "Other ports are open now than in the message."
    if len(_exact(alert)) < len(alert.facts.actual):
        return "One of the ports is not known here: use `fluence-watch vm ports accept`."
    notes = (n for n in store.notes(about.account) if n.action is NoteAction.ACCEPTED)
    used = any(n.subject == about.subject and n.at >= order.signed_at for n in notes)
    return "Ports of the VM were accepted already: the next poll applies it." if used else ""


def _accept(store: Store, alert: Alert, _: Order, now: datetime) -> str:
    about = alert.fingerprint
    store.leave_note(about.account, NoteAction.ACCEPTED, about.subject, at=now, ports=_exact(alert))
    return ""


_DEEDS: Mapping[Action, _Deed] = {
    Action.ACK: _Deed(
        "Acknowledge this alert?", "Acknowledge for 1 d", _would_acknowledge, _acknowledged,
        _acknowledge, "Acknowledged",
    ),
    Action.SNOOZE: _Deed(
        "Snooze this alert?", "Snooze for 1 d", _would_snooze, _snoozed, _snooze, "Snoozed",
    ),
    Action.ACCEPT_PORTS: _Deed(
        "Accept these ports?", "Accept these ports", _would_accept, _accepted, _accept, "Accepted",
    ),
}  # fmt: skip

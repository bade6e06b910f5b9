"""What a message says of escalated alerts: once for all that share it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from fluence_watch.notify.item_view import ItemView


@dataclass(frozen=True, slots=True)
class EscalatedView:
    """Escalated alerts, by `ids`: since when they fire, who was notified before, and when last."""

    since: datetime
    receiver: str
    notified_at: datetime | None
    ids: tuple[str, ...]


def escalated_views(items: Iterable[ItemView]) -> list[EscalatedView]:
    """The escalated items, in the order of first appearance."""
    found: dict[tuple[datetime, str, datetime | None], list[str]] = {}
    for item in items:
        if item.escalated:
            of = (
                item.starts_at or item.active_at,
                item.escalated.receiver,
                item.escalated.notified_at,
            )
            found.setdefault(of, []).append(item.id)
    return [EscalatedView(*of, tuple(ids)) for of, ids in found.items()]

"""Fits a message into a receiver's limit: the worst items stay longest, the rest is counted."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace
from sys import maxsize
from typing import NamedTuple

from fluence_watch.alerting.grouping import SHOWN, Item, Status, in_full

_TITLE = 150
_FULL_AFTER_OUTAGE = 3  # what was missed comes with it, and the message is still a screen
_SEAM = 16  # characters that a service may add when it joins title and body


class Shown(NamedTuple):
    """The items shown in full and in brief; the rest is counted."""

    full: Sequence[Item]
    brief: Sequence[Item]


BodyOf = Callable[[Shown], str]


def of_title(longest: int | None) -> int:
    """The largest length of a title, if title and body together may have `longest` characters."""
    return _TITLE if longest is None else min(_TITLE, longest // 2)


def of_body(longest: int | None, title: str) -> int:
    """The number of characters left for the body."""
    return maxsize if longest is None else max(longest - len(title) - _SEAM, 0)


def fitted(items: Sequence[Item], room: int, body_of: BodyOf, number: int) -> str:
    """The fullest body that fits; `number` is the count of alerts in the message.

    First it shows fewer items in full, then fewer in brief, then none in full.
    If nothing else fits, it is the count alone.
    """
    most = min(len(_listed(items)), _most_in_full(items))
    worst = _shown(items, 1)
    stages: tuple[tuple[int, Callable[[int], Shown]], ...] = (
        (most, lambda fewer: _shown(items, most - fewer)),
        (len(worst.brief) + 1, lambda fewer: _briefer(worst, fewer)),
        (most + 1, lambda fewer: Shown((), in_full(items, most - fewer))),
    )
    for steps, shown_of in stages:
        if body := _fullest(steps, shown_of, body_of, room):
            return body
    return f"{number} alert{'' if number == 1 else 's'}"[:room]


def linked(shown: Shown, room: int, body_of: BodyOf) -> str:
    """The body with all links, else with those to pages alone, else with none, as it fits."""
    if not any(item.links for item in (*shown.full, *shown.brief)):
        return body_of(shown)
    bodies = (body_of(_with_links(shown, most)) for most in (None, 1))
    fits = next((body for body in bodies if len(body) <= room), None)
    return body_of(_with_links(shown, 0)) if fits is None else fits


def _with_links(shown: Shown, most: int | None) -> Shown:
    """The items with their first links; `None`: with all, but in brief with the first alone."""
    full = shown.full if most is None else [_fewer(item, most) for item in shown.full]
    return Shown(full, [_fewer(item, 1 if most is None else most) for item in shown.brief])


def _fewer(item: Item, most: int) -> Item:
    return replace(item, links=item.links[:most])


def _fullest(
    steps: int, shown_of: Callable[[int], Shown], body_of: BodyOf, room: int
) -> str | None:
    """The first body that fits. Bodies get shorter from step to step, so bisection finds it."""
    bodies: dict[int, str] = {}

    def fits(step: int) -> bool:
        bodies[step] = body_of(shown_of(step))
        return len(bodies[step]) <= room

    first = 0 if fits(0) else bisect_left(range(steps), True, lo=1, key=fits)  # noqa: FBT003 - the value to find
    return bodies[first] if first < steps else None


def _listed(items: Sequence[Item]) -> list[Item]:
    """The items that may be listed in full: what a receiver missed is always in brief."""
    return [item for item in items if item.status is not Status.MISSED]


def _most_in_full(items: Sequence[Item]) -> int:
    missed = any(item.status is Status.MISSED for item in items)
    return _FULL_AFTER_OUTAGE if missed else SHOWN


def _shown(items: Sequence[Item], number: int) -> Shown:
    """`number` items in full.

    In brief what was missed, the other events, and one of each rule with none in full.
    If that many are all that may be in full, all others are in brief.
    """
    full = in_full(_listed(items), number)
    listed = set(map(id, full))
    first = set(map(id, in_full(items, len({item.fingerprint.rule for item in items}))))
    rules = {item.fingerprint.rule for item in full}
    rest = number == _FULL_AFTER_OUTAGE == _most_in_full(items)
    return Shown(
        full,
        [
            item
            for item in items
            if id(item) not in listed
            and (
                rest
                or item.event
                or item.status is Status.MISSED
                or (id(item) in first and item.fingerprint.rule not in rules)
            )
        ],
    )


def _briefer(shown: Shown, number: int) -> Shown:
    """The same with `number` fewer items in brief."""
    return Shown(shown.full, in_full(shown.brief, len(shown.brief) - number))

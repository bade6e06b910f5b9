"""Messages into words. The words are in `templates/`, one file for each type of facts.

A template has five macros: `fires` and `resolved` take all items of a section, so that they can
say what several have in common; `title` words one item for a title, `missed` for a line about
what is over, and `brief` its facts for a line of a page. Files with a
leading underscore are for the message as a whole, and for what several templates share.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from fluence_watch.alerting.grouping import Count, Item, Message, Status
from fluence_watch.model.finding import Severity
from fluence_watch.model.text import inert
from fluence_watch.notify.escalated import EscalatedView, escalated_views
from fluence_watch.notify.fitting import Shown, fitted, linked, of_body, of_title
from fluence_watch.notify.item_view import ItemView
from fluence_watch.notify.markup import MARKUPS, BodyFormat
from fluence_watch.notify.plain import plain_body, plain_title

if TYPE_CHECKING:
    from jinja2.environment import TemplateModule

Kind = Literal["failure", "warning", "info", "success"]

_BRIEF = 300
_KINDS: dict[Severity, Kind] = {
    Severity.CRITICAL: "failure",
    Severity.WARNING: "warning",
    Severity.INFO: "info",
}


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message in words: a title of one line, a body, and its Apprise type."""

    title: str
    body: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Section:
    """The items of one rule and severity; `parts` has them by template."""

    rule: str
    severity: Severity
    firing: bool
    parts: "list[tuple[TemplateModule, list[ItemView]]]"

    @property
    def tone(self) -> str:
        """What decides the colour: the severity while it fires, else resolved."""
        return self.severity.value if self.firing else "resolved"

    @property
    def escalated(self) -> list[EscalatedView]:
        """Those that somebody else did not acknowledge in time."""
        return escalated_views(item for _, items in self.parts for item in items)


def render(
    message: Message, fmt: BodyFormat, now: datetime, longest: int | None = None
) -> Rendered:
    """Render a message; times are UTC, with their distance from `now`.

    Title and body have at most `longest` characters together. What does not fit is listed in
    brief, if it is an event or the only one of its rule, else counted; the worst one is always in
    full. What the receiver missed is in brief. Links are left out before anything else.

    Raises:
        NotifyError: no template fits these facts.
    """
    title = _message_title(message, fmt, now, of_title(longest))
    room = of_body(longest, title)
    body = fitted(
        message.items,
        room,
        lambda shown: linked(
            shown, room, lambda each: _page(_body(message, each, fmt, now), fmt, title)
        ),
        message.number(),
    )
    return Rendered(title, body, _kind_of(message))


def render_plainly(message: Message, fmt: BodyFormat, longest: int | None = None) -> Rendered:
    """Render a message in its plainest form: it names the alerts."""
    title = inert(plain_title(message), of_title(longest))
    body = fitted(
        message.items,
        of_body(longest, title),
        lambda shown: _page(plain_body(message, [*shown.full, *shown.brief], fmt), fmt, title),
        message.number(),
    )
    return Rendered(title, body, _kind_of(message))


def _kind_of(message: Message) -> Kind:
    worst = message.counts[0]
    if worst.status is Status.FIRING:
        return _KINDS[worst.severity]
    return "success" if worst.status is Status.RESOLVED else "info"


def render_test(
    receiver: str, fmt: BodyFormat, now: datetime, longest: int | None = None
) -> Rendered:
    """Render the message of `notify test`."""
    title = _title("_test_title", fmt, now, of_title(longest), receiver=receiver)
    body = _page(text_of("_test", fmt, now, receiver=receiver), fmt, title)
    room = of_body(longest, title)
    return Rendered(title, body if len(body) <= room else "a test"[:room], "info")


def brief(facts: object, now: datetime) -> str:
    """The facts of a finding in one line of plain text, for pages and listings.

    Raises:
        NotifyError: no template fits these facts.
    """
    module = _words_of(facts, BodyFormat.PLAIN, now)
    return inert(str(module.brief(facts)), _BRIEF)  # type: ignore[attr-defined] # macros are attributes


def _message_title(message: Message, fmt: BodyFormat, now: datetime, longest: int) -> str:
    """The worst alert in words where it is the only one, else rules and count."""
    first, status = message.items[0], message.counts[0].status
    rules = dict.fromkeys(count.rule for count in message.counts if count.status is status)
    number = message.number(status)
    values = {"message": message, "status": status, "number": number, "rules": list(rules)}
    alone = number == 1 and status is not Status.MISSED
    words = _words_of(first.facts, fmt.of_title, now) if alone else None
    return _title("_title", fmt, now, longest, item=_view(first), words=words, **values)


def _body(message: Message, shown: Shown, fmt: BodyFormat, now: datetime) -> str:
    sections = [
        Section(rule, severity, firing, _parts([_view(item) for item in items], fmt, now))
        for (firing, severity, rule), items in groupby(shown.full, key=_section_of)
    ]
    brief = [item for item in shown.brief if item.status is not Status.MISSED]
    missed = [item for item in shown.brief if item.status is Status.MISSED]
    listed = set(map(id, (*shown.full, *shown.brief)))
    return text_of(
        "_message",
        fmt,
        now,
        sections=sections,
        lines=_lines(brief, fmt, now),
        missed=_lines(missed, fmt, now),
        receiver=message.receiver,
        more=_more(message, [*shown.full, *shown.brief]),
        unlisted=any(item.event and id(item) not in listed for item in message.items),
    )


def _lines(
    items: Sequence[Item], fmt: BodyFormat, now: datetime
) -> "list[tuple[TemplateModule, ItemView]]":
    return [(_words_of(item.facts, fmt, now), _view(item)) for item in items]


def _section_of(item: Item) -> tuple[bool, Severity, str]:
    return item.firing, item.severity, item.fingerprint.rule


def _view(item: Item) -> ItemView:
    return ItemView(
        fingerprint=item.fingerprint,
        facts=item.facts,
        active_at=item.active_at,
        ends_at=item.ends_at,
        reason=item.reason,
        starts_at=item.starts_at,
        escalated=item.escalated,
        links=item.links,
    )


def _parts(
    items: Sequence[ItemView], fmt: BodyFormat, now: datetime
) -> "list[tuple[TemplateModule, list[ItemView]]]":
    by_type: dict[type, list[ItemView]] = {}
    for item in items:
        by_type.setdefault(type(item.facts), []).append(item)
    return [(_words_of(same[0].facts, fmt, now), same) for same in by_type.values()]


def _more(message: Message, shown: Sequence[Item]) -> list[Count]:
    seen = Counter((item.fingerprint.rule, item.severity, item.status) for item in shown)
    left = [
        replace(count, number=count.number - seen[count.rule, count.severity, count.status])
        for count in message.counts
    ]
    return [count for count in left if count.number]


def _words_of(facts: object, fmt: BodyFormat, now: datetime) -> "TemplateModule":
    from fluence_watch.notify.words import macros_of  # noqa: PLC0415 - it loads Jinja

    return macros_of(facts, fmt, now)


def text_of(template: str, fmt: BodyFormat, now: datetime, **values: object) -> str:
    """The template, filled with the values, without needless blank lines."""
    from fluence_watch.notify.words import filled  # noqa: PLC0415 - it loads Jinja

    text = filled(template, fmt, {"now": now, **values})
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _page(body: str, fmt: BodyFormat, title: str) -> str:
    """The body as it is sent: a whole document for a mail."""
    return str(MARKUPS[fmt].page(body, title))


def _title(template: str, fmt: BodyFormat, now: datetime, longest: int, **values: object) -> str:
    """A title is text in every format: services show it as such, or put it into a body."""
    text = text_of(template, fmt.of_title, now, **values)
    return str(MARKUPS[fmt.of_title].text(text, longest))

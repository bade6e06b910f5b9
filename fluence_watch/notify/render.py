"""Messages into words. The words are in `templates/`, one file for each type of facts.

A template has five macros: `fires` and `resolved` take all items of a section, so that they can
say what several have in common; `title` words one item for a title, `missed` for a line of a summary,
and `brief` its facts for a line of a page. Files with a
leading underscore are for the message as a whole, and for what several templates share.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from fluence_watch.alerting.grouping import Count, Item, Message
from fluence_watch.errors import NotifyError
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.model.text import inert
from fluence_watch.notify.fitting import Shown, fitted, of_body, of_title
from fluence_watch.notify.item_view import ItemView
from fluence_watch.notify.markup import MARKUPS, BodyFormat
from fluence_watch.notify.plain import plain_body, plain_title

if TYPE_CHECKING:
    from jinja2.environment import TemplateModule

Kind = Literal["failure", "warning", "info", "success"]
FiringSince = Mapping[Fingerprint, datetime] | None

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


def render(
    message: Message,
    fmt: BodyFormat,
    now: datetime,
    firing: FiringSince = None,
    longest: int | None = None,
) -> Rendered:
    """Render a message; times are UTC, with their distance from `now`.

    Of `firing` (with `active_at`), where given, an item that fires no longer says so. Title and body have at most
    `longest` characters together. What does not fit is listed in brief, if it is an event or the only one of its rule,
    else counted; the worst one is always in full.

    Raises:
        NotifyError: no template fits these facts.
    """
    message, worst = _wordable(message), message.counts[0]
    title = _message_title(message, fmt, now, firing, of_title(longest))
    body = fitted(
        message.items,
        of_body(longest, title),
        lambda shown: _page(_body(message, shown, fmt, now, firing), fmt, title),
        _number([message]),
    )
    return Rendered(title, body, _KINDS[worst.severity] if worst.firing else "success")


def render_summary(
    messages: Sequence[Message],
    fmt: BodyFormat,
    now: datetime,
    firing: FiringSince = None,
    longest: int | None = None,
) -> Rendered:
    """Render outdated messages to one receiver as a summary, one line an item.

    Raises:
        NotifyError: no template fits these facts.
    """
    messages = [_wordable(message) for message in messages]
    title = _title(
        "_summary_title",
        fmt,
        now,
        of_title(longest),
        number=_number(messages),
        receiver=messages[0].receiver,
        accounts=list(dict.fromkeys(message.account for message in messages)),
    )
    told = {
        id(item): _told(item, message, firing) for message in messages for item in message.items
    }
    body = fitted(
        [item for message in messages for item in message.items],
        of_body(longest, title),
        lambda shown: _page(_summary_body(messages, shown, told, fmt, now), fmt, title),
        _number(messages),
    )
    return Rendered(title, body, "info")


def render_plainly(
    messages: Sequence[Message], fmt: BodyFormat, longest: int | None = None
) -> Rendered:
    """Render messages whose facts no template fits: they name the alerts."""
    title = inert(plain_title(messages), of_title(longest))
    worst = max((c for m in messages for c in m.counts), key=lambda c: (c.firing, c.severity.rank))
    body = fitted(
        [item for message in messages for item in message.items],
        of_body(longest, title),
        lambda shown: _page(plain_body(messages, [*shown.full, *shown.brief], fmt), fmt, title),
        _number(messages),
    )
    return Rendered(title, body, _KINDS[worst.severity] if worst.firing else "success")


def render_test(
    receiver: str, fmt: BodyFormat, now: datetime, longest: int | None = None
) -> Rendered:
    """Render the message of `notify test`."""
    title = _title("_test_title", fmt, now, of_title(longest), receiver=receiver)
    body = _page(_text("_test", fmt, now, receiver=receiver), fmt, title)
    room = of_body(longest, title)
    return Rendered(title, body if len(body) <= room else "a test"[:room], "info")


def brief(facts: object, now: datetime) -> str:
    """The facts of a finding in one line of plain text, for pages and listings.

    Raises:
        NotifyError: no template fits these facts.
    """
    module = _words_of(facts, BodyFormat.PLAIN, now)
    return inert(str(module.brief(facts)), _BRIEF)  # type: ignore[attr-defined] # macros are attributes


def _wordable(message: Message) -> Message:
    """The message without the items whose facts this version does not know: they are counted."""
    known = tuple(item for item in message.items if item.facts is not None)
    if not known:
        raise NotifyError("there are no words for unknown facts")
    return replace(message, items=known)


def _message_title(
    message: Message, fmt: BodyFormat, now: datetime, firing: FiringSince, longest: int
) -> str:
    """The worst alert in words where it is the only one, else rules and count."""
    first, fires = message.items[0], message.counts[0].firing
    rules = dict.fromkeys(count.rule for count in message.counts if count.firing == fires)
    alone = (message.firing if fires else message.resolved) == 1
    values = {"message": message, "rules": list(rules), "item": None, "words": None}
    if alone:
        values["words"] = _words_of(first.facts, fmt.of_title, now)
        values["item"] = _told(first, message, firing)
    return _title("_title", fmt, now, longest, **values)


def _body(
    message: Message, shown: Shown, fmt: BodyFormat, now: datetime, firing: FiringSince
) -> str:
    sections = [
        Section(rule, severity, fires, _parts([_told(i, message, firing) for i in items], fmt, now))
        for (fires, severity, rule), items in groupby(shown.full, key=_kind)
    ]
    lines = [(_words_of(i.facts, fmt, now), _told(i, message, firing)) for i in shown.brief]
    more = _more(message, [*shown.full, *shown.brief])
    told = set(map(id, (*shown.full, *shown.brief)))
    unlisted = any(item.event and id(item) not in told for item in message.items)
    return _text("_message", fmt, now, sections=sections, lines=lines, more=more, unlisted=unlisted)


def _summary_body(
    messages: Sequence[Message],
    shown: Shown,
    told: Mapping[int, ItemView],
    fmt: BodyFormat,
    now: datetime,
) -> str:
    chosen = {id(item) for item in (*shown.full, *shown.brief)}
    views = [view for key, view in told.items() if key in chosen]
    lines = [(_words_of(view.facts, fmt, now), view) for view in views]
    receiver, more = messages[0].receiver, _number(messages) - len(lines)
    return _text("_summary", fmt, now, receiver=receiver, lines=lines, more=more)


def _number(messages: Sequence[Message]) -> int:
    """How many alerts the messages are about."""
    return sum(count.number for message in messages for count in message.counts)


def _kind(item: Item) -> tuple[bool, Severity, str]:
    return item.firing, item.severity, item.fingerprint.rule


def _told(item: Item, message: Message, firing: FiringSince) -> ItemView:
    fires_on = firing is not None and firing.get(item.fingerprint) == item.active_at
    return ItemView(
        fingerprint=item.fingerprint,
        facts=item.facts,
        active_at=item.active_at,
        ends_at=item.ends_at,
        repeated=item.repeated,
        told_at=message.created_at,
        over=None if firing is None or not item.firing else not fires_on,
    )


def _parts(
    items: Sequence[ItemView], fmt: BodyFormat, now: datetime
) -> "list[tuple[TemplateModule, list[ItemView]]]":
    by_type: dict[type, list[ItemView]] = {}
    for item in items:
        by_type.setdefault(type(item.facts), []).append(item)
    return [(_words_of(same[0].facts, fmt, now), same) for same in by_type.values()]


def _more(message: Message, shown: Sequence[Item]) -> list[Count]:
    seen = Counter(map(_kind, shown))
    left = [
        replace(count, number=count.number - seen[count.firing, count.severity, count.rule])
        for count in message.counts
    ]
    return [count for count in left if count.number]


def _words_of(facts: object, fmt: BodyFormat, now: datetime) -> "TemplateModule":
    from fluence_watch.notify.words import macros_of  # noqa: PLC0415 - it loads Jinja

    return macros_of(facts, fmt, now)


def _text(template: str, fmt: BodyFormat, now: datetime, **values: object) -> str:
    from fluence_watch.notify.words import filled  # noqa: PLC0415 - it loads Jinja

    text = filled(template, fmt, {"now": now, **values})
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _page(body: str, fmt: BodyFormat, title: str) -> str:
    """The body as it is sent: a whole document for a mail."""
    return str(MARKUPS[fmt].page(body, title))


def _title(template: str, fmt: BodyFormat, now: datetime, longest: int, **values: object) -> str:
    """A title is text in every format: services show it as such, or put it into a body."""
    text = _text(template, fmt.of_title, now, **values)
    return str(MARKUPS[fmt.of_title].text(text, longest))

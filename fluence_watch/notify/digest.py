"""A digest into words: as long as the receiver takes, with charts in a mail.

The templates are `_digest.jinja` (all of it), `_digest_brief.jinja` (its numbers, for a service with
short messages) and `_digest_title.jinja`.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from fluence_watch.alerting.grouping import in_full
from fluence_watch.model.digest import AlertLine, DaySpend, Digest, Funded
from fluence_watch.notify.fitting import of_body, of_title
from fluence_watch.notify.markup import MARKUPS, BodyFormat
from fluence_watch.notify.render import Rendered, text_of
from fluence_watch.notify.words import macros_of

if TYPE_CHECKING:
    from jinja2.environment import TemplateModule

_LIMITS = (8, 5, 3, 1, 0)
_CHARTED_FROM = 5
_HORIZON = timedelta(days=30)
_SOON = ((timedelta(days=1), "critical"), (timedelta(days=3), "warning"))


class Bar(NamedTuple):
    """A bar of a chart: of what, its share of the longest one in percent, and its tone."""

    of: DaySpend | Funded
    percent: int
    tone: str = "info"


def render_digest(
    digest: Digest, fmt: BodyFormat, now: datetime, longest: int | None = None
) -> Rendered:
    """Render a digest; title and body have at most `longest` characters together.

    Raises:
        NotifyError: the templates do not fit it.
    """
    title = _title(digest, fmt, now, of_title(longest))
    room = of_body(longest, title)
    for body in chain(_bodies(digest, fmt, now, title), [_brief(digest, fmt, now)]):
        if len(body) <= room:
            return Rendered(title, body, "info")
    words = MARKUPS[fmt.of_title].text(_brief(digest, fmt.of_title, now), max(room, 1))
    return Rendered(title, str(words)[:room], "info")


def _bodies(digest: Digest, fmt: BodyFormat, now: datetime, title: str) -> Iterator[str]:
    """The bodies, the fullest first."""
    markup = MARKUPS[fmt]
    for limit in _LIMITS:
        text = text_of("_digest", fmt, now, **_values(digest, fmt, now, limit))
        yield str(markup.page(text, title))


def _values(digest: Digest, fmt: BodyFormat, now: datetime, limit: int) -> dict[str, object]:
    has_charts = MARKUPS[fmt].has_bars and limit >= _CHARTED_FROM
    return {
        "digest": digest,
        "limit": limit,
        "several": _several(digest),
        "day_bars": _day_bars(digest) if has_charts else [],
        "funded_bars": _funded_bars(digest, now, limit) if has_charts else [],
        "worded": lambda lines: _worded(lines, fmt, now),
        "in_full": in_full,
    }


def _several(digest: Digest) -> bool:
    return len(digest.accounts) > 1


def _title(digest: Digest, fmt: BodyFormat, now: datetime, longest: int) -> str:
    text = text_of("_digest_title", fmt.of_title, now, digest=digest, several=_several(digest))
    return str(MARKUPS[fmt.of_title].text(text, longest))


def _brief(digest: Digest, fmt: BodyFormat, now: datetime) -> str:
    text = text_of("_digest_brief", fmt, now, digest=digest, several=_several(digest))
    return str(MARKUPS[fmt].page(text, "fluence-watch"))


def _worded(
    lines: Sequence[AlertLine], fmt: BodyFormat, now: datetime
) -> "list[tuple[TemplateModule, AlertLine]]":
    return [(macros_of(line.facts, fmt, now), line) for line in lines]


def _day_bars(digest: Digest) -> list[Bar]:
    """The spending of each day; none if there was none."""
    days = [each for each in digest.spent.days if each.amount is not None] if digest.spent else []
    most = max((each.amount or 0 for each in days), default=0)
    return [Bar(each, _percent(each.amount or 0, most)) for each in days] if most > 0 else []


def _funded_bars(digest: Digest, now: datetime, limit: int) -> list[Bar]:
    """How long each is funded, those that last longer than the horizon as long as that."""
    shown = digest.ahead.funded[:limit] if digest.ahead else ()
    lasts = [min(max(each.until - now, timedelta(0)), _HORIZON) for each in shown]
    longest = max(lasts, default=timedelta(0)) // timedelta(seconds=1)
    return [
        Bar(each, _percent(left // timedelta(seconds=1), longest), _tone(each, left))
        for each, left in zip(shown, lasts, strict=True)
    ]


def _percent(part: int, whole: int) -> int:
    """At least 1 of what is not nothing."""
    return max(1, round(100 * part / whole)) if part > 0 and whole > 0 else 0


def _tone(of: Funded, left: timedelta) -> str:
    if of.is_refilled:
        return "info"
    return next((tone for span, tone in _SOON if left < span), "info")

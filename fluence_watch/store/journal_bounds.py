"""What keeps the journal small: what is old goes, and of findings that never fire the latest stays."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

import msgspec
from sqlalchemy import Connection, and_, delete, exists, func, or_, select

from fluence_watch.alerting.conditions import END_OF
from fluence_watch.alerting.journal import Entry, What
from fluence_watch.model.finding import Fingerprint
from fluence_watch.store.batches import batches
from fluence_watch.store.codec import Loader
from fluence_watch.store.schema import alerts, is_open, journal

_later = journal.alias()
_LASTS = or_(
    *(
        and_(
            journal.c.what == begin,
            ~exists().where(
                _later.c.account_id == journal.c.account_id,
                _later.c.subject == journal.c.subject,
                _later.c.rule == journal.c.rule,
                _later.c.what.in_([begin, end]),
                _later.c.id > journal.c.id,
            ),
        )
        for end, begin in END_OF.items()
    )
)
_OF_OPEN = journal.c.alert_id.in_(select(alerts.c.id).where(is_open)) & journal.c.receiver.is_not(
    None
)
_EACH = journal.c.alert_id, journal.c.receiver
_FIRST_SENT = select(func.min(journal.c.id)).where(_OF_OPEN, journal.c.what == What.SENT)
_LAST = select(func.max(journal.c.id)).where(_OF_OPEN)


class _Earlier(msgspec.Struct):
    """What a row says of those before it."""

    number: int | None = None
    first_at: datetime | None = None


_load_earlier = Loader(_Earlier)


def prune(connection: Connection, before: datetime) -> None:
    """Remove entries from before that time.

    What lasts stays. About an alert that is stored, entries of receivers go while it is open, but the
    first message that each was sent, and its last word; all others go with the alert.
    """
    is_old = journal.c.at < before
    connection.execute(delete(journal).where(journal.c.alert_id.is_(None), is_old, ~_LASTS))
    kept = (each.group_by(*_EACH) for each in (_FIRST_SENT, _LAST))
    is_between = and_(*(journal.c.id.not_in(each) for each in kept))
    connection.execute(delete(journal).where(_OF_OPEN, is_old, is_between))


def merge_dropped(
    connection: Connection, entries: Collection[Entry], ids: Mapping[str, int]
) -> list[Entry]:
    """These entries, and of each finding that never fired only the latest, with the number of all.

    Earlier ones are removed. A reserve that dips at every boundary would fill the disk otherwise.
    """
    dropped = [each for each in entries if each.what is What.DROPPED]
    if not dropped:
        return list(entries)
    earlier, latest = _taken(connection, dropped, ids), dict[Fingerprint, Entry]()
    for entry in dropped:
        assert entry.about
        latest[entry.about] = merged = _merged(entry, earlier.get(entry.about))
        earlier[entry.about] = merged.details.number or 1, merged.details.first_at or merged.at
    return [*(each for each in entries if each.what is not What.DROPPED), *latest.values()]


_Before = tuple[int, datetime]
"""How often it was dropped, and when first."""


def _merged(entry: Entry, before: _Before | None) -> Entry:
    if before is None:
        return entry
    number, first_at = before
    return replace(entry, details=replace(entry.details, number=number + 1, first_at=first_at))


def _taken(
    connection: Connection, dropped: Iterable[Entry], ids: Mapping[str, int]
) -> dict[Fingerprint, _Before]:
    """What is stored of these findings. It is removed."""
    wanted = dict[str, set[str]]()
    abouts = {each.about for each in dropped if each.about}
    for about in abouts:
        wanted.setdefault(about.account, set()).add(about.subject)
    found: dict[Fingerprint, _Before] = {}
    removed: list[int] = []
    for account, subjects in wanted.items():
        for some in batches(sorted(subjects)):
            query = select(journal).where(
                journal.c.account_id == ids[account],
                journal.c.subject.in_(some),
                journal.c.what == What.DROPPED,
            )
            for row in connection.execute(query.order_by(journal.c.id)):
                about = Fingerprint(account, row.rule, row.subject, row.key)
                if about in abouts:
                    found[about] = _before(row.details, row.at, found.get(about))
                    removed.append(row.id)
    for these in batches(removed):
        connection.execute(delete(journal).where(journal.c.id.in_(these)))
    return found


def _before(text: str | None, at: datetime, former: _Before | None) -> _Before:
    stored = _Earlier()
    with suppress(ValueError):  # of a later version: it counts as one
        stored = _load_earlier(text) if text else stored
    number, first_at = former or (0, at)
    return number + (stored.number or 1), min(first_at, stored.first_at or at)

"""What `vm show` says of the ledger of a VM."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import typer

from fluence_watch.cli.common.output import UNKNOWN, cell, lasting
from fluence_watch.cli.manage.choose import Target
from fluence_watch.errors import StoreError
from fluence_watch.model.ledger import EntryKind

if TYPE_CHECKING:
    from fluence_watch.app.wiring import Setup
    from fluence_watch.cli.manage.memory import Memory
    from fluence_watch.views.ledger import EntryView, LedgerView

_MISSED = 3
"""After so many intervals without a poll, what was charged is old."""
_WORDS: Mapping[EntryKind, str] = {EntryKind.TOP_UP: "top-up", EntryKind.OPENING: "spent before"}


def ledger_of(
    setup: "Setup", target: Target, memory: "Memory", now: datetime
) -> "LedgerView | None":
    """The ledger of a VM, `None` if no watcher on this machine knows the VM."""
    from fluence_watch.store import Store
    from fluence_watch.views.ledger import ledger_view

    known = memory.get((target.account, target.key))
    if known is None:
        return None
    account, key, since = target.account, target.key, known.first_seen_at
    try:
        with Store.open(setup.settings.store.url, exclusive=False) as store:
            costs = store.costs(date.min, now.date(), account, key=key)
            entries, as_of = store.entries(account, key), store.ledger_ends(account)
            counted = store.counted_until(account).get(account)
    except StoreError as error:
        typer.echo(f"fluence-watch: note: what was charged is unknown: {error}", err=True)
        return None
    return ledger_view(costs, entries, since=since, as_of=as_of, now=now, counted_until=counted)


def ledger_lines(
    ledger: "LedgerView | None", now: datetime, interval: timedelta
) -> Iterator[tuple[str, str]]:
    """The ledger, a fact a line; with as of when it is, if the last poll is several intervals old."""
    if ledger is None:
        yield "charged", "unknown: no watcher on this machine has seen it"
        return
    if ledger.as_of is not None and now - ledger.as_of > _MISSED * interval:
        yield "last poll", f"{_moment(ledger.as_of, now)}: what was charged since is unknown"
    yield "charged today", _usdc(ledger.today)
    yield "charged this month", _usdc(ledger.month)
    guess = f", {_usdc(ledger.estimated)} of it estimated" if ledger.estimated else ""
    yield "charged in all", f"{_usdc(ledger.total)}{guess}"
    if ledger.counted_until and ledger.counted_until < now:
        yield "metered", f"counted until {_moment(ledger.counted_until, now)}"
    yield "watched since", _moment(ledger.watched_since, now)
    for entry in ledger.entries:
        yield _WORDS.get(entry.kind, entry.kind.value), _told(entry, now)


def _told(entry: "EntryView", now: datetime) -> str:
    return f"{_usdc(entry.amount)}, {entry.certainty.value}, {_moment(entry.at, now)}"


def _usdc(amount: Decimal | None) -> str:
    return UNKNOWN if amount is None else f"{amount:f} USDC"


def _moment(moment: datetime, now: datetime) -> str:
    return f"{cell(moment)}, {lasting(moment, now)}"

"""How old it is what commands read from the store."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import typer

from fluence_watch.model.moment import distance, exact
from fluence_watch.model.text import counted

_POLLS_LATE, _GRACE = 3, timedelta(minutes=1)
"""Data is old if so many polls are missing, and a little more."""


def note_age(polls: Mapping[str, datetime | None], now: datetime, interval: timedelta) -> None:
    """Print on stderr whose data is old: the daemon is not running, or does not poll.

    `polls` has the last one of each account, `interval` is how often each is polled.
    """
    limit = _POLLS_LATE * interval + _GRACE
    late = {name: at for name, at in polls.items() if at is not None and now - at > limit}
    if not late:
        return
    oldest = min(late.values())
    which = "" if len(late) == len(polls) else f" of {counted(len(late), 'account')}"
    typer.echo(
        f"fluence-watch: note: the last poll{which} was {exact(oldest, now)},"
        f" {distance(oldest, now)}, so this may be out of date: is `fluence-watch run` running?",
        err=True,
    )

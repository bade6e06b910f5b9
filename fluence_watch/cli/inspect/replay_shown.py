"""How `replay` prints."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import typer

from fluence_watch.app.rehearsal.differing import (
    Kind,
    MessageDifference,
    Repeats,
    SentAlert,
    differences,
    repeats,
)
from fluence_watch.app.rehearsal.replay import Replayed
from fluence_watch.app.rehearsal.sent import Sent
from fluence_watch.app.wiring import read_words
from fluence_watch.cli.common.output import Column, OutputFormat, print_json, print_rows
from fluence_watch.model.finding import shown_account, vm_of
from fluence_watch.model.moment import to_the_second
from fluence_watch.model.text import counted, inert
from fluence_watch.notify.shipped import Words
from fluence_watch.settings import WatchSettings

_WORDS = 160
_TAIL = timedelta(days=1)

_MESSAGES = (
    Column("at", "AT"),
    Column("receiver", "RECEIVER"),
    Column("title", "TITLE", wraps=24),
    Column("reason", "WHY", drop=1),
    Column("says", "SAYS", drop=2, wraps=30),
)
_SUMS = (
    Column("rule", "RULE"),
    Column("receiver", "RECEIVER"),
    Column("messages", "MESSAGES", right=True),
    Column("alerts", "ALERTS", right=True),
)
_DIFFERENCES = (
    Column("when", "AT (UTC)"),
    Column("change", "CHANGE"),
    Column("receiver", "RECEIVER", wraps=8),
    Column("was", "WAS", wraps=8),
    Column("now", "NOW", wraps=8),
    Column("rule", "RULE", wraps=10),
    Column("about", "ABOUT", wraps=8),
    Column("reason", "WHY", drop=1),
    Column("account", "ACCOUNT", drop=2),
)


def print_messages(
    settings: WatchSettings, found: Replayed, form: OutputFormat, *, full: bool
) -> None:
    """The messages, and their sums by rule and receiver."""
    words = read_words(settings.templates.dir)
    rows = [_message(each, words, full=full) for each in found.messages]
    sums = _sums(found.messages)
    if form is OutputFormat.JSON:
        extent = {"polls": found.polls, "first_at": found.first_at, "last_at": found.last_at}
        left_out = {"not_in_settings": sorted(found.unwatched), "flaws": list(found.flaws)}
        print_json({**extent, **left_out, "messages": rows, "sums": sums})
        return
    if full:
        for row in rows:
            typer.echo(f"{row['at']:%Y-%m-%d %H:%M:%S} UTC → {row['receiver']}")
            typer.echo(f"{row['title']}\n{row['body']}\n")
    elif rows:
        print_rows(_MESSAGES, rows, form)
    if rows:
        typer.echo()
        print_rows(_SUMS, sums, form)
    typer.echo(f"{counted(len(rows), 'message')} of {counted(found.polls, 'poll')}{_extent(found)}")


def print_differences(
    old: Replayed, new: Replayed, common: Collection[str], form: OutputFormat
) -> None:
    """What differs, and how often; `common` are the receivers that both settings have.

    Of repetitions, a table has their numbers alone: their times follow from the first notification.
    """
    found = differences(old.messages, new.messages, common)
    before, now = len(old.messages), len(new.messages)
    if form is OutputFormat.JSON:
        sides = {"old_messages": before, "new_messages": now, "last_at": new.last_at}
        sums = Counter(str(each.kind) for each in found)
        print_json({**sides, "differences": [*map(_difference, found)], "sums": dict(sums)})
        return
    single = [each for each in found if not each.sent.is_repetition]
    rows = [*map(_difference, single), *map(_fold, repeats(old.messages, new.messages))]
    if rows:
        rows.sort(key=lambda row: row["at"])
        print_rows(
            _DIFFERENCES, [{**row, "when": f"{row['at']:%m-%d %H:%M}"} for row in rows], form
        )
    differ = _counted(rows) if rows else "nothing differs"
    typer.echo(f"{counted(before, 'message')} before, {now} now: {differ}")
    _remark_repetitions(len(found) - len(single))
    _remark_end(single, new.last_at)


def _counted(rows: Iterable[Mapping[str, Any]]) -> str:
    sums = Counter(row["change"] for row in rows)
    said = ", ".join(f"{number} {change}" for change, number in sorted(sums.items()))
    return f"{counted(sums.total(), 'difference')} ({said})"


def _remark_repetitions(number: int) -> None:
    """Say that repetitions differ one by one, which the table leaves out."""
    if number:
        what = f"{counted(number, 'repetition')} moved, added or gone: --format json lists them"
        typer.echo(what)


def _remark_end(found: Iterable[MessageDifference], last_at: datetime | None) -> None:
    """Say that the other half of a difference may be after the end of the record."""
    alone = [each for each in found if each.kind in {Kind.ADDED, Kind.GONE}]
    late = [each for each in alone if last_at and last_at - each.at < _TAIL]
    if late and last_at:
        what = "added or gone in the last day of the record: may only have moved past its end"
        typer.echo(f"{len(late)} {what}, {_minute(last_at)} UTC")


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _extent(found: Replayed) -> str:
    if found.first_at is None or found.last_at is None:
        return ""
    first, last = (to_the_second(at, at) for at in (found.first_at, found.last_at))
    return f" from {found.first_at:%Y-%m-%d} {first} to {found.last_at:%Y-%m-%d} {last}"


def _message(sent: Sent, words: Words, *, full: bool) -> Mapping[str, object]:
    rendered = sent.rendered(words)
    row: dict[str, object] = {
        "at": sent.at,
        "receiver": sent.receiver,
        "account": shown_account(sent.account),
        "title": rendered.title,
        "reason": ", ".join(dict.fromkeys(str(line.reason) for line in sent.lines)),
        "says": inert(rendered.body, _WORDS),
        "alerts": [_alert(SentAlert(line, sent)) for line in sent.lines],
    }
    return row | {"body": rendered.body} if full else row


def _alert(sent: SentAlert) -> Mapping[str, object]:
    alert = sent.line.alert
    vm = vm_of(alert.facts)
    return {
        "rule": alert.fingerprint.rule,
        "severity": str(alert.severity),
        "reason": str(sent.line.reason),
        "account": shown_account(alert.fingerprint.account),
        "subject": alert.fingerprint.subject,
        "key": alert.fingerprint.key,
        "vm_id": vm.id if vm else None,
        "vm_name": vm.name if vm else None,
        "active_at": alert.active_at,
    }


def _sums(messages: Iterable[Sent]) -> Sequence[Mapping[str, object]]:
    pairs = [
        [(line.alert.fingerprint.rule, each.receiver) for line in each.lines] for each in messages
    ]
    alerts, sent = Counter(chain(*pairs)), Counter(chain(*map(set, pairs)))
    return [
        {"rule": rule, "receiver": receiver, "messages": sent[rule, receiver], "alerts": number}
        for (rule, receiver), number in sorted(alerts.items())
    ]


def _difference(each: MessageDifference) -> dict[str, Any]:
    return {
        "at": each.at,
        "change": str(each.kind),
        "receiver": each.sent.receiver,
        "was": _side(each.old, each),
        "now": _side(each.new, each),
        "old_at": each.old.at if each.old else None,
        "new_at": each.new.at if each.new else None,
        "old_receiver": each.old.receiver if each.old else None,
        "new_receiver": each.new.receiver if each.new else None,
        "about": _about(each.sent),
        **_alert(each.sent),
    }


def _fold(each: Repeats) -> dict[str, Any]:
    """The repetitions of an alert, as a difference."""
    return {
        "at": each.sent.at,
        "change": "repeats",
        "receiver": each.sent.receiver,
        "was": str(each.old),
        "now": str(each.new),
        "about": _about(each.sent),
        **_alert(each.sent),
    }


def _about(sent: SentAlert) -> str:
    """The VM or the other thing, and which of several problems of it."""
    alert = sent.line.alert
    vm = vm_of(alert.facts)
    name = (vm.name or vm.id) if vm else alert.fingerprint.subject
    return " ".join(filter(None, (name, alert.fingerprint.key))) or "-"


def _side(sent: SentAlert | None, of: MessageDifference) -> str:
    """What is different on this side. The day is left out where it is that of the difference."""
    if sent is None:
        return "-"
    match of.kind:
        case Kind.REROUTED:
            return sent.receiver
        case Kind.SEVERITY:
            return str(sent.line.alert.severity)
        case _:
            same_day = sent.at.date() == of.at.date()
            severity = f" {sent.line.alert.severity}" if of.severity_differs else ""
            return f"{sent.at:{'' if same_day else '%Y-%m-%d '}%H:%M:%S}{severity}"

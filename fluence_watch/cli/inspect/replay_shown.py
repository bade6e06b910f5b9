"""How `replay` prints."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import typer

from fluence_watch.app.rehearsal.differing import Difference, Told, differences
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

_MESSAGES = (
    Column("at", "AT"),
    Column("receiver", "RECEIVER"),
    Column("title", "TITLE"),
    Column("reason", "WHY", drop=1),
    Column("says", "SAYS", wraps=30),
)
_SUMS = (
    Column("rule", "RULE"),
    Column("receiver", "RECEIVER"),
    Column("messages", "MESSAGES", right=True),
    Column("alerts", "ALERTS", right=True),
)
_DIFFERENCES = (
    Column("change", "CHANGE"),
    Column("was", "WAS"),
    Column("now", "NOW"),
    Column("rule", "RULE"),
    Column("vm_name", "VM"),
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


def print_differences(old: Sequence[Sent], new: Sequence[Sent], form: OutputFormat) -> None:
    """What differs, and how often."""
    found = differences(old, new)
    rows = [_difference(each) for each in found]
    sums = Counter(str(each.change) for each in found)
    if form is OutputFormat.JSON:
        sides = {"old_messages": len(old), "new_messages": len(new)}
        print_json({**sides, "differences": rows, "sums": dict(sums)})
        return
    if rows:
        print_rows(_DIFFERENCES, rows, form)
    said = ", ".join(f"{number} {change}" for change, number in sorted(sums.items()))
    messages = f"{counted(len(old), 'message')} before, {len(new)} now"
    differ = (
        f"{counted(len(rows), 'alert')} told differently ({said})" if rows else "nothing differs"
    )
    typer.echo(f"{messages}: {differ}")


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
        "alerts": [_alert(Told(line, sent)) for line in sent.lines],
    }
    return row | {"body": rendered.body} if full else row


def _alert(told: Told) -> Mapping[str, object]:
    alert = told.line.alert
    vm = vm_of(alert.facts)
    return {
        "rule": alert.fingerprint.rule,
        "severity": str(alert.severity),
        "reason": str(told.line.reason),
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
    alerts, told = Counter(chain(*pairs)), Counter(chain(*map(set, pairs)))
    return [
        {"rule": rule, "receiver": receiver, "messages": told[rule, receiver], "alerts": number}
        for (rule, receiver), number in sorted(alerts.items())
    ]


def _difference(each: Difference) -> Mapping[str, object]:
    told = each.new or each.old
    assert told
    return {
        "change": str(each.change),
        "was": _side(each.old),
        "now": _side(each.new),
        "old_at": each.old.at if each.old else None,
        "new_at": each.new.at if each.new else None,
        "old_receiver": each.old.receiver if each.old else None,
        "new_receiver": each.new.receiver if each.new else None,
        **_alert(told),
    }


def _side(told: Told | None) -> str:
    if told is None:
        return "-"
    return f"{told.at:%Y-%m-%d %H:%M:%S} {told.receiver} {told.line.alert.severity}"

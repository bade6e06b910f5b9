"""`notify preview`: what messages about a rule look like, from sample alerts."""

from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Annotated

import typer

from fluence_watch.cli.common.options import ConfigOption, settings_from
from fluence_watch.errors import ConfigError, Problem
from fluence_watch.model.text import inert

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fluence_watch.alerting.grouping import Message
    from fluence_watch.app.wiring import Setup
    from fluence_watch.notify.delivery import Channel
    from fluence_watch.notify.markup import BodyFormat
    from fluence_watch.notify.render import Rendered
    from fluence_watch.rules.base import Rule

_MOST = 1000
_LONGEST = 1000


class PreviewFormat(StrEnum):
    """A format of messages."""

    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"


def preview(
    name: Annotated[str, typer.Argument(metavar="RULE", help="The rule, such as low_balance.")],
    config: ConfigOption = None,
    receiver: Annotated[
        str | None,
        typer.Option("--receiver", metavar="NAME", help="As this receiver would show it."),
    ] = None,
    count: Annotated[
        int, typer.Option("--count", metavar="N", min=1, max=_MOST, help="How many alerts fire.")
    ] = 1,
    form: Annotated[
        PreviewFormat | None, typer.Option("--format", help="Only this format of a body.")
    ] = None,
    *,
    escalated: Annotated[
        bool, typer.Option("--escalated", help="As nobody acknowledged it in time.")
    ] = False,
    browser: Annotated[
        bool, typer.Option("--browser", help="Open the mail in the browser.")
    ] = False,
) -> None:
    """Print the messages about sample alerts of a rule.

    One says that they fire, the next that they are over. Nothing is sent. Your own templates are used, if `[templates]` names some.
    """
    from fluence_watch.app.clock import utc_now
    from fluence_watch.app.wiring import prepare

    rule, now = _rule(name), utc_now()
    setup = prepare(settings_from(config))
    channel = _channel(setup, receiver)
    longest = channel.longest if channel else None
    first = _first_told(setup, receiver, rule) if escalated else None
    if receiver is not None:
        _remark_route(setup, receiver, rule, now, escalated=escalated)
    for message in _messages(rule, now, count, first):
        for fmt in _formats(channel, form, browser=browser):
            rendered = setup.words.render(message, fmt, now, longest)
            if browser:
                _open(rendered)
            else:
                typer.echo(f"── {fmt} ──\n{rendered.title}\n\n{rendered.body}\n")


def _rule(name: str) -> "Rule":
    from fluence_watch.rules import RULES
    from fluence_watch.settings.checks.doubt import unmatched

    rules = {rule.name: rule for rule in RULES}
    if name not in rules:
        raise ConfigError([Problem("RULE", inert(unmatched("rule", name, list(rules)), 1000))])
    return rules[name]


def _channel(setup: "Setup", receiver: str | None) -> "Channel | None":
    if receiver is None:
        return None
    if receiver not in setup.receivers:
        known = ", ".join(setup.receivers) or "none"
        what = inert(f"there is no {receiver!r}; there are: {known}")
        raise ConfigError([Problem("--receiver", what)])
    return setup.receivers[receiver]


def _first_told(setup: "Setup", receiver: str | None, rule: "Rule") -> str:
    """Who escalates to the receiver, or to any if none is named; else a word for that."""
    if rule.event:
        what = f"{rule.name} reports what happened once: that is not escalated"
        raise ConfigError([Problem("--escalated", what)])
    known = setup.escalations
    asked = [known.get(receiver, ())] if receiver else list(known.values())
    return next((step.route.receiver for steps in asked for step in steps), "another receiver")


def _remark_route(
    setup: "Setup", receiver: str, rule: "Rule", now: datetime, *, escalated: bool
) -> None:
    """Say on standard error if the receiver never gets such a message."""
    from fluence_watch.model.globs import matches_any
    from fluence_watch.notify.samples import alerts

    if escalated:
        if not setup.escalations.get(receiver):
            typer.echo(f"note: nothing escalates to {inert(receiver)}", err=True)
        return
    (alert,), route = alerts(rule, now, 1), setup.routes[receiver]
    what = ""
    if not matches_any(route.rules, rule.name):
        what = f"{receiver} gets no {rule.name}: its rules are [{', '.join(route.rules)}]"
    elif alert.severity.rank < route.min_severity.rank:
        what = f"{receiver} gets what is {route.min_severity} or worse; this sample is {alert.severity}"
    if what:
        typer.echo(f"note: {inert(what, _LONGEST)}", err=True)


def _messages(rule: "Rule", now: datetime, count: int, first: str | None) -> "Iterator[Message]":
    from fluence_watch.alerting.escalation import Escalated
    from fluence_watch.app.wiring import RANKS
    from fluence_watch.notify.lint import message
    from fluence_watch.notify.samples import alerts, ended

    firing = alerts(rule, now, count)
    escalated = Escalated(first, firing[0].starts_at) if first else None
    yield message(firing, now, RANKS, escalated=escalated)
    if rule.sends_resolved and not rule.event:
        yield message([ended(each, now) for each in firing], now, RANKS)


def _formats(
    channel: "Channel | None", form: PreviewFormat | None, *, browser: bool
) -> "Sequence[BodyFormat]":
    from fluence_watch.notify.markup import BodyFormat

    if browser:
        return [BodyFormat.MAIL]
    if form is not None:
        return [BodyFormat(form.value)]
    if channel is not None:
        return [channel.format]
    return [BodyFormat(each.value) for each in PreviewFormat]


def _open(rendered: "Rendered") -> None:
    """Show a mail in the browser, from a file that stays for it to read."""
    with NamedTemporaryFile(
        "w", prefix="fluence-watch-", suffix=".html", encoding="utf-8", delete=False
    ) as file:
        file.write(rendered.body)
    place = Path(file.name).as_uri()
    with suppress(OSError):
        typer.launch(place)
    typer.echo(f"{rendered.title}\n{place}")

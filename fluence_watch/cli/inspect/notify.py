"""`notify test`: a test message through the receivers. `notify digest`: what a digest says now.

`notify preview` is in `preview`.
"""

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from fluence_watch import eventloop
from fluence_watch.cli.common.help import CommandGroup
from fluence_watch.cli.common.options import ConfigOption, settings_from
from fluence_watch.cli.inspect.preview import preview
from fluence_watch.errors import ConfigError, NotifyError, Problem
from fluence_watch.model.moment import clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluence_watch.app.digest_plan import DigestPlan
    from fluence_watch.app.wiring import Setup
    from fluence_watch.model.digest import Digest
    from fluence_watch.notify.delivery import Channel
    from fluence_watch.notify.render import Rendered
    from fluence_watch.notify.shipped import Words


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = CommandGroup(
        no_args_is_help=True, help="Check that receivers can be reached; see what messages say."
    )
    group.command("test")(send_test)
    group.command("digest")(digest)
    group.command("preview")(preview)
    app.add_typer(group, name="notify")


ReceiverOption = Annotated[
    str | None, typer.Option("--receiver", metavar="NAME", help="Only this one.")
]


def send_test(config: ConfigOption = None, receiver: ReceiverOption = None) -> None:
    """Send a test message to every receiver; exit 1 when one fails."""
    from fluence_watch.app.wiring import prepare

    setup = prepare(settings_from(config))
    failed = eventloop.run(_send_all(_chosen(setup, receiver), setup.words))
    raise typer.Exit(1 if failed else 0)


def digest(
    config: ConfigOption = None,
    receiver: ReceiverOption = None,
    *,
    send: Annotated[bool, typer.Option("--send", help="Send it now, as it would be.")] = False,
) -> None:
    """Print the latest digest of each receiver, or send it.

    It is made from what the daemon on this machine has stored. Its next time stays as it is. Exit 1
    when sending fails.
    """
    from fluence_watch.app.clock import utc_now
    from fluence_watch.app.wiring import prepare
    from fluence_watch.store import Store

    setup, now = prepare(settings_from(config)), utc_now()
    plans = _planned(setup, receiver)
    with Store.open(setup.settings.store.url, exclusive=False) as store:
        made = [
            (plan, replace(plan.made(store, plan.cron.latest(now) or now, now), is_late=False))
            for plan in plans
        ]
    if send:
        failed = eventloop.run(_send_digests(made, now, setup.words))
        raise typer.Exit(1 if failed else 0)
    for number, (plan, each) in enumerate(made):
        _print_digest(plan, each, now, setup.words, first=not number)


def _planned(setup: "Setup", name: str | None) -> "Sequence[DigestPlan]":
    """The digests of the settings, those of one receiver if it is named."""
    plans = [each for each in setup.digests.values() if name in {None, each.channel.name}]
    if not plans:
        whose = "" if name is None else f" for receiver {name!r}"
        what = f"there are none{whose}: add [[digests]] to the file"
        raise ConfigError([Problem("digests", what)])
    return plans


def _print_digest(
    plan: "DigestPlan", made: "Digest", now: datetime, words: "Words", *, first: bool
) -> None:
    from fluence_watch.notify.markup import BodyFormat

    following = plan.cron.following(now)
    rendered = words.render_digest(made, BodyFormat.PLAIN, now)
    due = f", next {clock(following, now)}" if following else ""
    typer.echo(f"{'' if first else chr(10)}To {plan.channel.name}{due}:\n")
    typer.echo(f"{rendered.title}\n\n{rendered.body}")


async def _send_digests(
    made: "Sequence[tuple[DigestPlan, Digest]]", now: datetime, words: "Words"
) -> int:
    """Send them and print the results; how many failed."""
    failed = 0
    for plan, each in made:
        channel = plan.channel
        rendered = words.render_digest(each, channel.format, now, channel.longest)
        failed += await _reported(channel, rendered)
    return failed


def _chosen(setup: "Setup", name: str | None) -> "Sequence[Channel]":
    if not setup.receivers:
        what = "there are none: add [[receivers]] to the file, or set FLUENCE_WATCH_NOTIFY_URLS"
        raise ConfigError([Problem("receivers", what)])
    if name is None:
        return list(setup.receivers.values())
    if name not in setup.receivers:
        known = ", ".join(setup.receivers)
        raise ConfigError([Problem("--receiver", f"there is no {name!r}; there are: {known}")])
    return [setup.receivers[name]]


async def _send_all(receivers: "Sequence[Channel]", words: "Words") -> int:
    return sum(await asyncio.gather(*(_send(each, words) for each in receivers)))


async def _send(receiver: "Channel", words: "Words") -> bool:
    """Send to one and print the result; whether it failed."""
    from fluence_watch.app.clock import utc_now

    test = words.render_test(receiver.name, receiver.format, utc_now(), receiver.longest)
    return await _reported(receiver, test)


async def _reported(receiver: "Channel", rendered: "Rendered") -> bool:
    try:
        await receiver.send(rendered)
    except NotifyError as error:
        typer.echo(f"{receiver.name}: failed: {error}", err=True)
        return True
    typer.echo(f"{receiver.name}: sent")
    return False

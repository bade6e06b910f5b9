"""`vm rm --at-epoch-end`: delete each VM shortly before it would be charged again."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NoReturn

import typer

from fluence_watch.cli.common.output import cell, lasting
from fluence_watch.cli.manage.choose import Target
from fluence_watch.cli.manage.confirm import REFUSED, stop
from fluence_watch.cli.manage.epoch_end import boundary_of, grouped, wait_until
from fluence_watch.cli.manage.removal import default_margin, removal
from fluence_watch.model.duration import rough, short


def in_order(
    targets: Iterable[Target], now: datetime, margin: timedelta | None
) -> tuple[Target, ...]:
    """The VMs in the order of the ends of their epochs; each must have one in the future.

    A margin longer than the rest of the epoch would delete at once, and waste what is paid.
    """
    ends = {target: removal(target.vm, now, target.billing).paid_until for target in targets}
    refused = [_without_an_end(target) for target in ends if not ends[target]]
    refused += [
        f"{target.title}: its next charge is nearer than the margin: {rough(end - now)}"
        for target, end in ends.items()
        if end and margin is not None and end - now <= margin
    ]
    if refused:
        stop("\n".join([*refused, "delete without --at-epoch-end"]), REFUSED)
    return tuple(sorted(ends, key=lambda target: ends[target] or now))


def _without_an_end(target: Target) -> str:
    if target.billing.prepaid:
        return f"{target.title}: no end of an epoch is known"
    return (
        f"{target.title}: it is billed by the second: there is no epoch whose end could be used up"
    )


def say_when(targets: Iterable[Target], margin: timedelta | None, now: datetime) -> None:
    """Print when each VM is to be deleted."""
    for target in targets:
        before = margin_of(target, margin)
        at = boundary_of(target) - before
        typer.echo(
            f"{target.title} is to be deleted at {at:%Y-%m-%d %H:%M:%S} UTC, "
            f"{lasting(max(at, now), now)}, {short(before)} before its next charge"
        )


def margin_of(target: Target, margin: timedelta | None) -> timedelta:
    """How long before its charge the VM is deleted: as given, or by the length of its epoch."""
    return default_margin(target.billing.period) if margin is None else margin


def wait_and_delete(
    targets: Sequence[Target],
    margin: timedelta | None,
    delete: Callable[[Sequence[Target]], int],
) -> NoReturn:
    """Call `delete` with the VMs shortly before their charge, then exit with its highest code."""

    def before(target: Target) -> timedelta:
        return margin_of(target, margin)

    code, left = 0, len(targets)
    for group in grouped(targets, before):
        _wait(group, before(group[0]), left)
        code = max(code, delete(group))
        left -= len(group)
    raise typer.Exit(code)


def _wait(group: Sequence[Target], margin: timedelta, left: int) -> None:
    boundary, first = boundary_of(group[0]), group[0].title
    title = first if len(group) == 1 else f"{first} and {len(group) - 1} more"
    kept = "it" if left == 1 else f"the {left} that are left"
    typer.echo(
        f"{title}: waits until {short(margin)} before {cell(boundary)}. Ctrl-C cancels and keeps {kept}"
    )
    try:
        wait_until(boundary - margin, title)
    except KeyboardInterrupt:
        what = f"{first} was" if left == 1 else f"{left} VMs, {first} first, were"
        stop(f"interrupted: {what} not deleted", REFUSED)

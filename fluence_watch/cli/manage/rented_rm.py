"""Deletes disks, public IPs and GPU instances: one confirmation, each read back."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from fluence_watch import eventloop
from fluence_watch.cli.manage.confirm import FAILED, ask, difference
from fluence_watch.cli.manage.rented import ADDRESSES, Group, Rented
from fluence_watch.errors import ApiError, OutcomeUnknownError
from fluence_watch.model.funding import resources_burn
from fluence_watch.model.money import usdc
from fluence_watch.model.note import NoteAction

if TYPE_CHECKING:
    from fluence_watch.app.wiring import Setup


def confirm(group: Group, chosen: Sequence[Rented], *, yes: bool, dry_run: bool) -> None:
    """Show what is deleted and what that saves, and ask; the command may end here."""
    lost = "" if group is ADDRESSES else ", all on it is lost"
    lines = [
        f"{each.title} of {each.account}: {each.resource.ref.detail or 'unknown'}{lost}; {_cost(each)}"
        for each in chosen
    ]
    difference(f"{group.words} to be deleted", removed=lines)
    if len(chosen) > 1:
        burn = resources_burn(each.resource for each in chosen)
        typer.echo(f"{len(chosen)} {group.words}: {usdc(burn)} a day less")
    what = f"{group.word} {chosen[0].title}" if len(chosen) == 1 else ""
    ask(f"Delete {what or f'these {len(chosen)} {group.words}'}?", yes=yes, dry_run=dry_run)


def _cost(each: Rented) -> str:
    if each.resource.price is None:
        return "its price is unknown"
    text = f"{usdc(resources_burn([each.resource]))} a day until it is deleted"
    if each.resource.reserved:
        text += f"; {usdc(each.resource.reserved)} of reserve are released"
    return text


def delete_all(setup: "Setup", chosen: Sequence[Rented]) -> int:
    """Delete each and read it back; a failure does not stop the next. Returns the exit code."""
    code = 0
    for each in chosen:
        error = eventloop.run(_delete(setup, each))
        if error is None:
            typer.echo(f"{each.title}: deleted")
        else:
            typer.echo(f"fluence-watch: {each.title}: {error}", err=True)
            code = FAILED
    return code


async def _delete(setup: "Setup", each: Rented) -> str | None:
    """Why it is not deleted, if so."""
    from fluence_watch.app.clock import utc_now
    from fluence_watch.app.wiring import connect
    from fluence_watch.cli.manage.leftovers import delete_resource
    from fluence_watch.cli.manage.memory import leave_note

    resource = each.resource

    def tell_the_watcher(action: NoteAction, key: str) -> None:
        leave_note(setup, each.account, action, key, at=utc_now())

    async with connect(each.account, setup.clients[each.account], utc_now) as client:
        try:
            left = await delete_resource(client, resource, tell_the_watcher)
        except OutcomeUnknownError as error:
            left = str(error)
        except ApiError as error:
            return str(error)
    return left

"""What the shell completes: VMs, from what the daemon on this machine remembers.

It neither uses the network nor prints: where nothing is known, nothing is offered.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from fluence_watch.model.text import inert, short_id

if TYPE_CHECKING:
    from fluence_watch.model.vm import Vm


def complete_vm(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The VMs whose name or id begins so, each with a description."""
    from fluence_watch.errors import FluenceWatchError

    config, account = ctx.params.get("config"), ctx.params.get("account")
    try:
        known = _remembered(Path(config) if config else None)
    except (FluenceWatchError, OSError):
        return []
    return sorted(
        (word, f"{owner} {short_id(vm.id)}")
        for owner, vm in known
        if account in (None, owner)
        for word in _words(vm, incomplete)
    )


def _remembered(config: Path | None) -> "list[tuple[str, Vm]]":
    from fluence_watch.cli.common.options import settings_from
    from fluence_watch.store import Store

    settings = settings_from(config)
    with Store.open(settings.store.url, exclusive=False) as store:
        return [(each.name, vm) for each in settings.accounts for vm in store.present(each.name)]


def _words(vm: "Vm", incomplete: str) -> Iterable[str]:
    """A name that needs no quoting, else the id; also the id where its beginning was typed."""
    name = vm.name or ""
    plain = bool(name) and inert(name) == name and not set(" *?[]\"'`$\\:;&|<>(){}!#~") & set(name)
    if plain and name.startswith(incomplete):
        yield name
    elif vm.id.lower().startswith(incomplete.lower()) and (incomplete or not plain):
        yield incomplete + vm.id[len(incomplete) :]  # keeps the case that was typed

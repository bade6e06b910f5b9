"""A change to the open ports of VMs: computed, checked, shown, confirmed, made."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import typer

from fluence_watch.cli.common.output import UNKNOWN
from fluence_watch.cli.manage.choose import Target, is_glob
from fluence_watch.cli.manage.confirm import REFUSED, ask, difference, stop
from fluence_watch.model.ports import (
    RESERVED,
    SSH,
    Ports,
    locks_out,
    reserved,
    same,
)
from fluence_watch.model.ports import (
    difference as ports_without,
)
from fluence_watch.model.vm import ENDED, Vm

if TYPE_CHECKING:
    from fluence_watch.app.wiring import Setup
    from fluence_watch.cli.manage.carry_out import Job
    from fluence_watch.cli.manage.memory import Expected
    from fluence_watch.fluence import FluenceClient


@dataclass(frozen=True, slots=True)
class Change:
    """The ports of a VM, before and after."""

    target: Target
    before: Ports
    after: Ports

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return same(self.before, self.after)


def words(ports: Ports | None) -> str:
    """The ports for people."""
    return UNKNOWN if ports is None else ", ".join(map(str, ports)) or "none"


def chosen(setup: "Setup", reference: str) -> tuple[Target, ...]:
    """The VMs to change; ended VMs that match a glob are left out."""
    from fluence_watch.cli.manage.fleet import pick

    targets = pick(setup, [reference], several=True)
    if len(targets) == 1 or not is_glob(reference):
        return targets
    return tuple(target for target in targets if target.vm.status not in ENDED)


def expected_by_target(
    setup: "Setup", targets: Sequence[Target], now: datetime
) -> "Mapping[Target, Expected]":
    """The expected ports of each, by the settings and the store."""
    from fluence_watch.cli.manage.memory import expected_of, recall_or_note

    memory = recall_or_note(setup, (target.account for target in targets))
    expectations = setup.settings.expectations
    return {target: expected_of(target, memory, expectations, now) for target in targets}


def changes_of(targets: Iterable[Target], wanted: Callable[[Target, Ports], Ports]) -> list[Change]:
    """The changes to all of them; ends the command when one is impossible."""
    changes, refusals = [], []
    for target in targets:
        before = target.vm.ports
        if before is None:
            refusals.append(
                f"{target.title}: its ports are unknown, and to change one all must be known"
            )
            continue
        try:
            changes.append(Change(target, before, wanted(target, before)))
        except ValueError as error:
            refusals.append(f"{target.title}: {error}")
    if refusals:
        stop("\n".join(refusals), REFUSED)
    return changes


def to_do(changes: Iterable[Change], already: str) -> list[Change]:
    """Those that change something; when none does, the command ends with success."""
    left = []
    for change in changes:
        if change.is_empty:
            typer.echo(f"{change.target.title}: nothing to do, {already}: {words(change.before)}")
        else:
            left.append(change)
    if not left:
        raise typer.Exit
    return left


def apply(
    setup: "Setup", changes: Iterable[Change], *, allow_lockout: bool, yes: bool, dry_run: bool
) -> None:
    """Refuse a lock-out, show the changes, ask, make them; the command ends here."""
    from fluence_watch.cli.manage.carry_out import carry_out

    left = to_do(changes, "open are")
    refusals = [text for change in left if (text := _refusal(change, allow_lockout))]
    if refusals:
        stop("\n".join(refusals), REFUSED)
    for change in left:
        show(change, f"{change.target.title}: open ports")
    ask(question("Change the ports of", left), yes=yes, dry_run=dry_run)
    carry_out(setup, [_job(change) for change in left])


def _refusal(change: Change, allow_lockout: bool) -> str | None:
    if taken := reserved(ports_without(change.after, change.before)):
        return f"{change.target.title}: {taken[0]}: port {RESERVED} is reserved by the service"
    if locks_out(change.before, change.after) and not allow_lockout:
        return (
            f"{change.target.title}: that closes {SSH}, and nobody could log in over SSH any more: "
            "say --allow-lockout if you mean it"
        )
    return None


def show(change: Change, title: str) -> None:
    """Show what opens and what closes."""
    difference(
        title,
        removed=[str(port) for port in ports_without(change.before, change.after)],
        added=[str(port) for port in ports_without(change.after, change.before)],
    )


def question(verb: str, changes: Sequence[Change]) -> str:
    """The question for one VM or for all."""
    what = changes[0].target.title if len(changes) == 1 else f"{len(changes)} VMs"
    return f"{verb} {what}?"


def _job(change: Change) -> "Job":
    from fluence_watch.cli.manage.carry_out import Job

    vm_id = change.target.vm.id

    async def write(client: "FluenceClient") -> None:
        await client.update_vm(vm_id, ports=change.after)

    return Job(
        change.target,
        done=f"open are now {words(change.after)}",
        write=write,
        stale=lambda vm: _stale(change, vm),
        differs=lambda vm: _differs(change, vm),
    )


def _stale(change: Change, vm: Vm) -> str | None:
    if vm.ports is not None and same(vm.ports, change.before):
        return None
    return f"its ports have changed meanwhile, open are {words(vm.ports)}"


def _differs(change: Change, vm: Vm) -> str | None:
    if vm.ports is not None and same(vm.ports, change.after):
        return None
    return f"open are {words(vm.ports)}, not {words(change.after)}"

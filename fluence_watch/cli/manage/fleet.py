"""The VMs of all accounts, and those that a user names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from shlex import quote

import typer

from fluence_watch.app.decide import Policy
from fluence_watch.app.wiring import Setup
from fluence_watch.cli.common.accounts import poll_all
from fluence_watch.cli.manage.choose import (
    Target,
    ambiguous,
    candidates,
    is_glob,
    matching,
    meant,
    nearest,
    without_glob,
)
from fluence_watch.cli.manage.confirm import FAILED, USAGE, stop
from fluence_watch.model.billing import Billing
from fluence_watch.model.debt import removal_in
from fluence_watch.model.resource import Resource
from fluence_watch.model.snapshot import Outcome, PollFailure, Rejected, Snapshot
from fluence_watch.model.text import inert


@dataclass(frozen=True, slots=True)
class Fleet:
    """The VMs of the accounts; `failures` are the accounts that did not answer.

    `billings` is how the VMs of those that did are paid.
    """

    targets: tuple[Target, ...]
    failures: tuple[PollFailure, ...]
    unread: tuple[Rejected, ...]
    billings: Mapping[str, Billing] = field(default_factory=dict)

    def named(self, references: Sequence[str]) -> tuple[Target, ...]:
        """The VMs that any of the references may mean, in the order of the list; all by default."""
        if not references:
            return self.targets
        found = {target for reference in references for target in self._meant(reference)}
        return tuple(target for target in self.targets if target in found)

    def _meant(self, reference: str) -> tuple[Target, ...]:
        found = meant(reference, self.targets)
        return found or (matching(reference, self.targets) if is_glob(reference) else ())

    def end(self, references: Sequence[str] = ()) -> None:
        """Print on stderr what is not listed: accounts, VMs, references that match no VM.

        Exit with 3 for an account, 2 for a reference.
        """
        for failure in self.failures:
            text = f"account {failure.account}: {failure.message}"
            typer.echo(f"fluence-watch: {text}", err=True)
        self.note_unread()
        missing = [each for each in references if not self._meant(each)]
        for reference in missing:
            typer.echo(f"fluence-watch: {_no_vm(reference, self)}", err=True)
        if self.failures:
            raise typer.Exit(FAILED)
        if missing:
            raise typer.Exit(USAGE)

    def note_unread(self) -> None:
        """Print on stderr which VMs could not be read: one of them may be meant."""
        for element in self.unread:
            text = f"{_name_of(element)} cannot be read: {element.why}"
            typer.echo(f"fluence-watch: note: {text}", err=True)


def load(setup: Setup) -> Fleet:
    """List the VMs of every account of the setup, all at once."""
    return gathered(poll_all(setup), setup.policies)


def gathered(outcomes: Mapping[str, Outcome], policies: Mapping[str, Policy]) -> Fleet:
    """The fleet of these answers; the policies are those of the accounts."""
    lists = [outcome for outcome in outcomes.values() if isinstance(outcome, Snapshot)]
    billings = {each.account: policies[each.account].billing_of(each) for each in lists}
    return Fleet(
        targets=tuple(
            target for each in lists for target in _targets(each, billings[each.account])
        ),
        failures=tuple(o for o in outcomes.values() if isinstance(o, PollFailure)),
        unread=tuple(element for each in lists for element in each.rejected),
        billings=billings,
    )


def _targets(snapshot: Snapshot, billing: Billing) -> Iterable[Target]:
    rented: dict[str, list[Resource]] = {}
    for each in snapshot.resources.values():
        for vm_id in each.attached_to if each.price != 0 else ():
            rented.setdefault(vm_id, []).append(each)
    removal = removal_in(snapshot, billing)
    removed_at = removal.vms_at if removal else None
    for key, vm in snapshot.vms.items():
        attached = tuple(rented.get(key, ()))
        yield Target(snapshot.account, vm, billing, attached, snapshot.unlisted, removed_at)


def pick(setup: Setup, references: Sequence[str], *, several: bool = False) -> tuple[Target, ...]:
    """The VMs that the user names, each once; ends the command where that is not clear.

    Where a glob may stand for `several`, it stands for names.
    """
    return among(whole(setup), references, several=several)


def whole(setup: Setup) -> Fleet:
    """The VMs of all accounts; ends the command when an account does not answer.

    Such an account may have a VM of the same name, so the reference is ambiguous.
    """
    fleet = load(setup)
    for failure in fleet.failures:
        stop(f"account {failure.account}: {failure.message}", FAILED)
    fleet.note_unread()
    return fleet


def among(fleet: Fleet, references: Sequence[str], *, several: bool = False) -> tuple[Target, ...]:
    """The same for a fleet that is loaded."""
    chosen = [target for reference in references for target in _resolved(reference, fleet, several)]
    return tuple(dict.fromkeys(chosen))


def pick_one(setup: Setup, reference: str) -> Target:
    """The one VM that the user names."""
    return pick(setup, [reference])[0]


def _resolved(reference: str, fleet: Fleet, several: bool) -> Sequence[Target]:
    found = meant(reference, fleet.targets)
    if not found and several and is_glob(reference):
        return matching(reference, fleet.targets) or stop(_no_vm(reference, fleet), USAGE)
    if not found:
        _stop_unknown(reference, fleet, several=several)
    if len(found) > 1:
        stop(ambiguous(f"VM {_quoted(reference)}", candidates(found)), USAGE)
    return found


def _stop_unknown(reference: str, fleet: Fleet, *, several: bool) -> None:
    key = reference.lower()
    for element in fleet.unread:
        if key and (element.vm_id or "").lower().startswith(key):
            stop(f"{_name_of(element)} cannot be read: {element.why}", FAILED)
    if is_glob(reference) and not several:
        one = "this command takes one VM: its id, the beginning of it, or its name"
        like = f"`fluence-watch vm ls {quote(inert(reference, 60))}` lists those that match"
        stop(f"{_quoted(reference)} is a glob; {one}; {like}", USAGE)
    stop(_no_such_vm(reference, fleet), USAGE)


def _no_vm(reference: str, fleet: Fleet) -> str:
    if is_glob(reference):
        near = ", ".join(nearest(without_glob(reference), fleet.targets))
        text = f"no VM has a name like {_quoted(reference)}"
        return f"{text}: did you mean {near}?" if near else text
    return _no_such_vm(reference, fleet)


def _no_such_vm(reference: str, fleet: Fleet) -> str:
    near = ", ".join(nearest(reference, fleet.targets))
    hint = f"did you mean {near}? " if near else ""
    return f"there is no VM {_quoted(reference)}: {hint}`fluence-watch vm ls` lists what there is"


def _name_of(element: Rejected) -> str:
    return f"VM {inert(element.vm_id)}" if element.vm_id else f"a VM, {element.where},"


def _quoted(reference: str) -> str:
    return f"{inert(reference, 60)!r}"

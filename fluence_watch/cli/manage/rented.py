"""Disks, public IPs and GPU instances, and those that a user names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from fluence_watch.cli.manage.choose import (
    ambiguous,
    is_glob,
    matching,
    meant,
    nearest,
    without_glob,
)
from fluence_watch.cli.manage.confirm import FAILED, USAGE, stop
from fluence_watch.model.resource import GPUS, Kind, Resource
from fluence_watch.model.snapshot import Outcome, PollFailure, Snapshot
from fluence_watch.model.text import inert
from fluence_watch.views.vm import vm_title

if TYPE_CHECKING:
    from fluence_watch.app.wiring import Setup

ReferencesArgument = Annotated[
    list[str],
    typer.Argument(metavar="REFERENCE", help="Id, beginning of an id, name, or a glob on names."),
]
ReferenceArgument = Annotated[
    str, typer.Argument(metavar="REFERENCE", help="Id, beginning of an id, or name.")
]


@dataclass(frozen=True, slots=True)
class Group:
    """A group of commands, its kinds, and what one and several of them are called."""

    name: str
    kinds: tuple[Kind, ...]
    word: str
    words: str


DISKS = Group("disk", (Kind.DISK,), "disk", "disks")
ADDRESSES = Group("ip", (Kind.PUBLIC_IP,), "public IP", "public IPs")
INSTANCES = Group("gpu", GPUS, "GPU instance", "GPU instances")


@dataclass(frozen=True, slots=True)
class Rented:
    """A resource, its account, and the names of the VMs that it is attached to."""

    account: str
    resource: Resource
    vms: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The id in lower case."""
        return self.resource.id.lower()

    @property
    def name(self) -> str | None:
        """The name."""
        return self.resource.name

    @property
    def title(self) -> str:
        """The resource for people: its name with the first characters of its id, inert."""
        return vm_title(self.resource.id, self.resource.name)


def rented(outcomes: Mapping[str, Outcome], group: Group) -> list[Rented]:
    """Those of the group in all accounts."""
    return [each for outcome in outcomes.values() for each in _of(outcome, group)]


def _of(outcome: Outcome, group: Group) -> Iterable[Rented]:
    if isinstance(outcome, Snapshot):
        names = {vm.key: vm_title(vm.id, vm.name) for vm in outcome.vms.values()}
        for each in outcome.resources.values():
            if each.kind in group.kinds:
                vms = tuple(names.get(vm_id, vm_id) for vm_id in each.attached_to)
                yield Rented(outcome.account, each, vms)


def whole(setup: "Setup", group: Group) -> list[Rented]:
    """Those of the group, for a change; ends the command where some may be missing."""
    from fluence_watch.cli.common.accounts import poll_all

    outcomes = poll_all(setup)
    if flaws := list(_flaws(outcomes, group)):
        stop("\n".join(flaws), FAILED)
    return rented(outcomes, group)


def _flaws(outcomes: Mapping[str, Outcome], group: Group) -> Iterable[str]:
    """Which lists are not complete, and why."""
    for account, outcome in outcomes.items():
        if isinstance(outcome, PollFailure):
            yield f"account {account}: {outcome.message}"
            continue
        for kind in group.kinds:
            if kind.words in outcome.unknown:
                yield f"account {account}: {kind.words}: {inert(outcome.unknown[kind.words])}"


def end(outcomes: Mapping[str, Outcome], group: Group) -> None:
    """Print on stderr which lists are not complete; exit with 3 for them."""
    flaws = list(_flaws(outcomes, group))
    for flaw in flaws:
        typer.echo(f"fluence-watch: {flaw}", err=True)
    if flaws:
        raise typer.Exit(FAILED)


def named(references: Sequence[str] | None, found: Sequence[Rented]) -> list[Rented]:
    """Those that any of the references may mean, each once; all by default."""
    if not references:
        return list(found)
    return list(dict.fromkeys(each for text in references for each in _any(text, found)))


def _any(reference: str, found: Sequence[Rented]) -> Sequence[Rented]:
    return meant(reference, found) or (matching(reference, found) if is_glob(reference) else ())


def pick(group: Group, references: Sequence[str], found: Sequence[Rented]) -> list[Rented]:
    """Those that the references mean, each once; ends the command where that is not clear."""
    return list(dict.fromkeys(each for text in references for each in _meant(group, text, found)))


def _meant(group: Group, reference: str, found: Sequence[Rented]) -> Sequence[Rented]:
    exact, quoted = meant(reference, found), f"{group.word} {inert(reference, 60)!r}"
    if len(exact) > 1:
        rows = [(e.account, inert(e.name or "unknown", 40), inert(e.resource.id)) for e in exact]
        stop(ambiguous(quoted, rows), USAGE)
    chosen = exact or _any(reference, found)
    if not chosen:
        near = ", ".join(nearest(without_glob(reference), found))
        hint = f"did you mean {near}? " if near else ""
        command = f"`fluence-watch {group.name} ls` lists what there is"
        stop(f"there is no {quoted}: {hint}{command}", USAGE)
    return chosen

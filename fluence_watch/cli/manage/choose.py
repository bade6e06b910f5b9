"""Which VM a user means: by id, by the beginning of an id, by name, or several by a glob. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Protocol, TypeVar

from fluence_watch.model.billing import EPOCHS, Billing
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.text import inert
from fluence_watch.model.vm import Vm
from fluence_watch.views.vm import VmView, vm_title, vm_view

_LONGEST_NAME = 40
_GLOB = frozenset("*?[")
_MOST_CANDIDATES = 20
_MOST_NEAREST = 3


@dataclass(frozen=True, slots=True)
class Target:
    """A VM and its account; `billing` is how it is paid.

    `rented` are the disks and addresses that are attached to it and billed by themselves.
    `unlisted` are the kinds of which some may be missing.
    `removed_at` is when the VM is removed, unless its metered account is topped up.
    """

    account: str
    vm: Vm
    billing: Billing = EPOCHS
    rented: tuple[Resource, ...] = ()
    unlisted: frozenset[Kind] = frozenset()
    removed_at: datetime | None = None

    @property
    def key(self) -> str:
        """The id of the VM in lower case."""
        return self.vm.key

    @property
    def name(self) -> str | None:
        """The name of the VM."""
        return self.vm.name

    @property
    def title(self) -> str:
        """The VM for people: its name with the first characters of its id, inert."""
        return vm_title(self.vm.id, self.vm.name)

    def view(self, now: datetime) -> VmView:
        """The VM as data."""
        return vm_view(self.account, self.vm, now, self.billing, self.removed_at)


class Named(Protocol):
    """What a reference may mean."""

    @property
    def key(self) -> str:
        """Its id in lower case."""

    @property
    def name(self) -> str | None:
        """Its name."""


N = TypeVar("N", bound=Named)


def is_glob(reference: str) -> bool:
    """Whether the reference may stand for several VMs."""
    return not _GLOB.isdisjoint(reference)


def without_glob(pattern: str) -> str:
    """What is left of a glob without its special characters."""
    return "".join(each for each in pattern if each not in "*?[]")


def meant(reference: str, targets: Iterable[N]) -> tuple[N, ...]:
    """The VMs or resources that the reference may mean; one, when it is clear.

    A whole id, in any case, is unambiguous. Otherwise a name counts like the beginning of an id, so
    that no name can hide another VM.
    """
    key, listed = reference.lower(), tuple(targets)
    if not key:
        return ()
    exact = tuple(target for target in listed if target.key == key)
    return exact or tuple(
        target for target in listed if target.name == reference or target.key.startswith(key)
    )


def matching(pattern: str, targets: Iterable[N]) -> tuple[N, ...]:
    """Those whose name matches the glob, in the order of the list."""
    return tuple(target for target in targets if target.name and fnmatchcase(target.name, pattern))


def can_rename(pattern: str, name: str) -> bool:
    """Whether `new_names` has names for the VMs of the glob: each has one `*`, and no more."""
    return 1 == pattern.count("*") == name.count("*") and _GLOB.isdisjoint(pattern.replace("*", ""))


def new_names(pattern: str, name: str, targets: Iterable[Target]) -> dict[Target, str]:
    """The new name of each VM that matches: what `*` stands for in its name is put into the new one.

    Both must satisfy `can_rename`. A name may stay as it was.
    """
    (before, after), (head, tail) = pattern.split("*"), name.split("*")
    return {
        target: head + (target.vm.name or "").removeprefix(before).removesuffix(after) + tail
        for target in matching(pattern, targets)
    }


def namesakes(names: Mapping[Target, str]) -> list[Target]:
    """The VMs whose new name is that of another VM of their account."""
    often = Counter((target.account, name) for target, name in names.items())
    return [target for target, name in names.items() if often[target.account, name] > 1]


def taken(names: Mapping[Target, str], targets: Iterable[Target]) -> list[tuple[str, Target]]:
    """The new names that another VM of the account has and keeps, each with that VM."""
    new = {(target.account, name) for target, name in names.items()}
    return [
        (target.vm.name, target)
        for target in targets
        if target.vm.name and target not in names and (target.account, target.vm.name) in new
    ]


def nearest(reference: str, targets: Iterable[Named]) -> list[str]:
    """A few names that the reference may mean: those that begin so, then similar ones."""
    wanted = reference.lower()
    names = sorted({inert(t.name, _LONGEST_NAME) for t in targets if t.name})
    begin = [name for name in names if wanted and name.lower().startswith(wanted)]
    alike = get_close_matches(wanted, [name for name in names if name not in begin], _MOST_NEAREST)
    return [*begin, *alike][:_MOST_NEAREST]


def candidates(targets: Sequence[Target]) -> list[tuple[str, str, str, str]]:
    """Account, name, id and datacenter of each, inert, for an error that lists them."""
    return [
        (
            target.account,
            inert(target.vm.name or "unknown", _LONGEST_NAME),
            inert(target.vm.id),
            target.vm.datacenter.name if target.vm.datacenter else "unknown",
        )
        for target in targets
    ]


def ambiguous(what: str, rows: Sequence[Sequence[str]]) -> str:
    """The text of the error, with the candidates in columns."""
    from rich.cells import cell_len

    shown = rows[:_MOST_CANDIDATES]
    widths = [max(map(cell_len, column)) for column in zip(*shown, strict=True)]
    lines = ["  " + _aligned(row, widths, cell_len) for row in shown]
    if len(rows) > len(shown):
        lines.append(f"  and {len(rows) - len(shown)} more")
    head = f"{what} may be any of {len(rows)}: give the id, or --account"
    return "\n".join([head, *lines])


def _aligned(row: Iterable[str], widths: Iterable[int], length_of: Callable[[str], int]) -> str:
    cells = (
        text + " " * (width - length_of(text)) for text, width in zip(row, widths, strict=True)
    )
    return "  ".join(cells).rstrip()

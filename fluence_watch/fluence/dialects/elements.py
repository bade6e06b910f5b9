"""Decodes the elements of a list one by one, so that a bad element does not affect the others."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import msgspec

from fluence_watch.errors import UnexpectedPayloadError
from fluence_watch.fluence.dialects.wire import locate, tolerant
from fluence_watch.garbage import garbage_collection_paused
from fluence_watch.model.resource import Resource
from fluence_watch.model.snapshot import Rejected
from fluence_watch.model.text import inert
from fluence_watch.model.vm import Vm

T = TypeVar("T")

Memo = Mapping[int, Vm]
"""The VMs of the last list by the hash of their bytes: 8 bytes in place of 1.3 kB.

Python's hash is a 64-bit SipHash with a secret key, and much faster than a digest.
A changed VM collides with one of 10,000 others once in 10**15 changes.
"""


@dataclass(frozen=True, slots=True)
class Listing:
    """The list of VMs, or a page of it, in the order of the API, and what could not be read.

    `incomplete_because` says why VMs may be missing: the pages changed while they were read, or
    the API is in maintenance.
    """

    vms: tuple[Vm, ...]
    rejected: tuple[Rejected, ...]
    incomplete_because: str | None = None

    @property
    def complete(self) -> bool:
        """Whether it has every VM of the account by id, so that a missing VM has vanished."""
        return self.incomplete_because is None and all(each.vm_id for each in self.rejected)


@dataclass(frozen=True, slots=True)
class Resources:
    """The disks or the addresses of an account, in the order of the API.

    `flaws` say which elements could not be read, or why some may be missing.
    """

    found: tuple[Resource, ...]
    flaws: tuple[str, ...] = ()

    @property
    def flaw(self) -> str | None:
        """The flaws in a few words."""
        return summed_up(self.flaws)


class Reading(NamedTuple):
    """A listing, and the memo for the next one."""

    listing: Listing
    memo: Memo


class _OnlyId(msgspec.Struct):
    id: str


def read_elements(
    elements: Iterable[msgspec.Raw], decode: Callable[[msgspec.Raw], Vm], memo: Memo
) -> Reading:
    """Decode the elements that are not in the memo. Unchanged bytes give the same object.

    The new memo holds this list only.
    """
    vms: list[Vm] = []
    rejected: list[Rejected] = []
    fresh: dict[int, Vm] = {}
    with garbage_collection_paused():
        for index, raw in enumerate(elements):
            key = hash(bytes(raw))
            vm = memo.get(key)
            if vm is None:
                try:
                    vm = tolerant(decode, raw)
                except (ValueError, RecursionError) as error:
                    rejected.append(_reject(index, raw, error))
                    continue
            fresh[key] = vm
            vms.append(vm)
    return Reading(Listing(tuple(vms), tuple(rejected)), fresh)


_MOST_PRICES = 10_000


def few(elements: Sequence[msgspec.Raw]) -> Sequence[msgspec.Raw]:
    """The elements of a price list, if they are not implausibly many: each is compared at each poll.

    Raises:
        UnexpectedPayloadError: they are.
    """
    if len(elements) > _MOST_PRICES:
        raise UnexpectedPayloadError(f"{len(elements)} prices are implausible", where="body")
    return elements


def summed_up(flaws: Sequence[str]) -> str | None:
    """The first of the flaws and how many more there are; `None` if there are none."""
    more = f", and {len(flaws) - 1} more" if len(flaws) > 1 else ""
    return f"{flaws[0]}{more}" if flaws else None


def read_each(
    elements: Iterable[msgspec.Raw], read: Callable[[msgspec.Raw], T]
) -> tuple[list[T], list[str]]:
    """The elements that can be read, and why the others cannot."""
    found, flaws = [], []
    for index, raw in enumerate(elements):
        try:
            found.append(tolerant(read, raw))
        except (ValueError, RecursionError) as error:
            path, why = locate(error)
            flaws.append(f"[{index}]{inert(path)}: {inert(why)}")
    return found, flaws


def _reject(index: int, raw: msgspec.Raw, error: Exception) -> Rejected:
    path, why = locate(error)
    return Rejected(f"[{index}]{inert(path)}", inert(why), _id_of(raw))


def _id_of(raw: msgspec.Raw) -> str | None:
    try:
        return msgspec.json.decode(raw, type=_OnlyId).id or None
    except (ValueError, RecursionError):
        return None

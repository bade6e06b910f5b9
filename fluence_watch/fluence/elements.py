"""From the elements of a list to VMs, one by one, so that a bad one spoils nothing else."""

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from fluence_watch.fluence.wire import locate
from fluence_watch.model.snapshot import Rejected
from fluence_watch.model.text import inert
from fluence_watch.model.vm import Vm

Memo = Mapping[bytes, Vm]
"""The VMs of the last list by the digest of their bytes: 16 bytes stand for 1.3 kB."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The list of VMs as the API gave it, in its order, and what of it could not be read."""

    vms: tuple[Vm, ...]
    rejected: tuple[Rejected, ...]


class Reading(NamedTuple):
    """A listing, and the memo for the next one."""

    listing: Listing
    memo: Memo


class _OnlyId(msgspec.Struct):
    id: str


def read_elements(
    elements: Iterable[msgspec.Raw], decode: Callable[[msgspec.Raw], Vm], memo: Memo
) -> Reading:
    """Decode what is not in the memo; the same bytes as in the last list give the same object.

    The new memo holds this list alone.
    """
    vms: list[Vm] = []
    rejected: list[Rejected] = []
    fresh: dict[bytes, Vm] = {}
    with _gc_paused():
        for index, raw in enumerate(elements):
            digest = blake2b(raw, digest_size=16).digest()
            vm = memo.get(digest)
            if vm is None:
                try:
                    vm = decode(raw)
                except (ValueError, RecursionError) as error:
                    rejected.append(_reject(index, raw, error))
                    continue
            fresh[digest] = vm
            vms.append(vm)
    return Reading(Listing(tuple(vms), tuple(rejected)), fresh)


def _reject(index: int, raw: msgspec.Raw, error: Exception) -> Rejected:
    path, why = locate(error)
    return Rejected(f"[{index}]{inert(path)}", inert(why), _id_of(raw))


def _id_of(raw: msgspec.Raw) -> str | None:
    try:
        return msgspec.json.decode(raw, type=_OnlyId).id or None
    except (ValueError, RecursionError):
        return None


@contextmanager
def _gc_paused() -> Iterator[None]:
    """Hold the cycle collector off: it would walk each new VM, and none is part of a cycle."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()

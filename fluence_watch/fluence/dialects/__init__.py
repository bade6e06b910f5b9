"""The generations of the Fluence API. A new one is one module, and one line in `DIALECTS`."""

from typing import Protocol

import msgspec

from fluence_watch.fluence.dialects import v2
from fluence_watch.fluence.wire import Page
from fluence_watch.model.vm import Vm


class Dialect(Protocol):
    """What a dialect tells; a module is one. Its functions are pure.

    Both raise `ValueError` (msgspec's errors are) or `RecursionError` on what they cannot read.
    """

    @property
    def list_path(self) -> str:
        """The path of the list of VMs, of its first page where it has several."""

    def split(self, body: bytes, /) -> Page:
        """The elements of a page of the list, not decoded yet."""

    def decode_vm(self, raw: msgspec.Raw, /) -> Vm:
        """One element of the list."""


DIALECTS: dict[str, Dialect] = {"v2": v2}


def dialect_named(name: str) -> Dialect:
    """The dialect of that name.

    Raises:
        ValueError: there is none.
    """
    try:
        return DIALECTS[name]
    except KeyError:
        known = ", ".join(DIALECTS)
        raise ValueError(f"{name!r:.40} is not a dialect; known are: {known}") from None

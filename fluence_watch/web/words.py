"""How the page says things."""

from fluence_watch.model.text import inert

_SHORT_ID = 8


def short_id(vm_id: str) -> str:
    """The first characters of an id, which are enough to find it."""
    return inert(vm_id)[:_SHORT_ID]


def counted(number: int, thing: str, things: str = "") -> str:
    """A number of things: `1 VM`, `2 VMs`."""
    return f"{number} {thing if number == 1 else things or thing + 's'}"

"""Which of what is wanted is found in what is there: as much as can be, each once. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

Wanted = TypeVar("Wanted")
Found = TypeVar("Found")


def matched(
    wanted: Sequence[Wanted], found: Sequence[Found], fits: Callable[[Wanted, Found], bool]
) -> Mapping[int, int]:
    """The place of what is wanted, by the place of what was found for it: a largest matching."""
    choices = [[at for at, each in enumerate(found) if fits(one, each)] for one in wanted]
    taken: dict[int, int] = {}

    def place(one: int, tried: set[int]) -> bool:
        """Take what is free, or what another one can do without."""
        for at in sorted(choices[one], key=lambda each: each in taken):
            if at not in tried:
                tried.add(at)
                if at not in taken or place(taken[at], tried):
                    taken[at] = one
                    return True
        return False

    for one in range(len(wanted)):
        place(one, set())
    return taken

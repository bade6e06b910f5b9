"""What a dialect or the GPU cloud knows of the market."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fluence_watch.errors import ApiError
from fluence_watch.fluence.dialects.elements import summed_up
from fluence_watch.fluence.rarely import Rarely
from fluence_watch.model.market import Quote

KEEP = 6 * 3600.0
"""Seconds: what the market asks is requested at most every six hours, also if it is refused."""

FAILED = 600.0
"""Seconds after another failure: poll after poll must not wait for what hangs."""

Found = tuple[Sequence[Quote], Sequence[str]]
"""Quotes, and why some cannot be read."""


@dataclass(frozen=True, slots=True)
class Quotes:
    """What the market asks. `unknown` says of what it is not known, or not in full, and why."""

    found: tuple[Quote, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)

    def __add__(self, other: "Quotes") -> "Quotes":
        """Both."""
        return Quotes(
            self.found + other.found,
            {**self.places, **other.places},
            {**self.unknown, **other.unknown},
        )


class PriceList:
    """One price list, kept for six hours. `what` names it in words."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._kept: Rarely[Found] = Rarely(KEEP, refused=KEEP, failed=FAILED)

    async def quotes(self, request: Callable[[], Awaitable[Found]]) -> Quotes:
        """The quotes that are kept, or new ones. A failure is unknown."""
        try:
            found, flaws = await self._kept(request)
        except ApiError as error:
            return Quotes(unknown={self._what: str(error)})
        flaw = summed_up(flaws)
        return Quotes(tuple(found), unknown={self._what: flaw} if flaw else {})

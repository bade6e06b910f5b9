"""What the API says that it charged."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind

SETTLES_IN = timedelta(hours=6)
"""How long after the end of a day the API may still add to its charges."""

SETTLED_DAYS = 3
"""How many settled days are read anew: the list of a day may not be whole at first."""

VM, OTHER = "vm", "other"


@dataclass(frozen=True, slots=True)
class Charge:
    """What was charged for one resource on one day (UTC), and for how many hours of it.

    `kind` is `vm`, a `Kind`, or another word of the API, such as `subnet`. `cost` is micro-USDC.
    """

    day: date
    kind: str
    cost: MicroUsdc
    hours: Decimal
    resource_id: str | None = None
    name: str | None = None

    @property
    def key(self) -> str | None:
        """`Vm.key` or `Resource.key` of the resource, `None` if it is unknown."""
        if not self.resource_id:
            return None
        key = self.resource_id.lower()
        return key if self.kind == VM else f"{self.kind}:{key}"


def id_in(key: str) -> str:
    """The id in the key of a thing, in lower case."""
    return key.rpartition(":")[2]


def last_settled(now: datetime) -> date:
    """The latest day whose charges are all there."""
    return (now - SETTLES_IN).date() - timedelta(days=1)


def words_of(kind: str) -> tuple[str, str]:
    """One and several of a kind, in words: `disk`, `disks`."""
    if kind == VM:
        return "VM", "VMs"
    if kind == OTHER:
        return "other", "others, such as networks"
    known = next((each for each in Kind if each == kind), None)
    return (known.word, known.words) if known else (kind, f"{kind}s")

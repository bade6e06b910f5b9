"""The books of a world: what was charged at each boundary, for those who compare."""

from datetime import datetime
from typing import NamedTuple

from fluence_watch.model.money import MicroUsdc


class Paid(NamedTuple):
    """What a VM (by its key) or a GPU instance (by its id) was charged at a boundary."""

    at: datetime
    id: str
    amount: MicroUsdc

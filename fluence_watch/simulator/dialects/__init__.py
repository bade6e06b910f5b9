"""The generations of the API, each a view over the same world; one file a dialect."""

from collections.abc import Mapping
from typing import Final

from fluence_watch.simulator.dialects.v2 import V2
from fluence_watch.simulator.dialects.view import Dialect

DIALECTS: Final[Mapping[str, Dialect]] = {"v2": V2}

__all__ = ["DIALECTS", "Dialect"]

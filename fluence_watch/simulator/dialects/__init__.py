"""The generations of the API, each a view of the same world; one file or folder a dialect.

An app speaks one dialect, or all at once; then the path of a request selects the dialect.
Endpoints that two dialects share (`DELETE /vms/v3`, `/ssh_keys`) are the same in both.
The GPU cloud is beside each of them.
"""

from collections.abc import Mapping
from typing import Final

from fluence_watch.simulator.dialects.cloud import CLOUD
from fluence_watch.simulator.dialects.gpu import GPU
from fluence_watch.simulator.dialects.v2 import V2
from fluence_watch.simulator.dialects.v3 import V3
from fluence_watch.simulator.dialects.view import Dialect

DIALECTS: Final[Mapping[str, tuple[Dialect, ...]]] = {
    "v2": (V2, GPU),
    "v3": (V3, GPU),
    "cloud": (CLOUD, GPU),
    "all": (V2, V3, CLOUD, GPU),
}

__all__ = ["DIALECTS", "Dialect"]

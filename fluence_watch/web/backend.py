"""What the web layer needs of the rest, as plain callables."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from fluence_watch.web.status import StatusView

MetricsResponse = tuple[Sequence[bytes], str, str | None]
"""The body in parts, its content type, and its content encoding if it is compressed."""


@dataclass(frozen=True, slots=True)
class Backend:
    """`metrics`, `ready`, `remarks` and `status` may be called in any thread.

    `metrics` is given the headers Accept and Accept-Encoding. `ready` gives the reasons why the
    daemon is not ready, none when it is; `remarks` what is wrong beside. `reload` takes the configuration over and gives the changed settings that need a restart, or raises
    `FluenceWatchError` (mostly `ConfigError`) and leaves everything as it was.
    """

    metrics: Callable[[str | None, str | None], MetricsResponse]
    ready: Callable[[], Sequence[str]]
    remarks: Callable[[], Sequence[str]]
    reload: Callable[[], Awaitable[Sequence[str]]]
    status: Callable[[], StatusView]

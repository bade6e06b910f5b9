"""The callables that the web layer needs."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fluence_watch.web.alert import ActionView, AlertPageView
    from fluence_watch.web.status import StatusView

MetricsResponse = tuple[Sequence[bytes], str, str | None]
"""The body in parts, its content type, and its content encoding if it is compressed."""


class AlertPages(Protocol):
    """The pages of single alerts, and of what signed links do to them."""

    def page(self, alert_id: str) -> "AlertPageView | None":
        """The alert with this id; may be called in any thread."""
        ...

    def asked(self, alert_id: str, action: str, token: str) -> "ActionView":
        """What the link would do; may be called in any thread. Changes nothing."""
        ...

    async def carry_out(self, alert_id: str, action: str, token: str) -> "ActionView":
        """Do what the link says, once."""
        ...


@dataclass(frozen=True, slots=True)
class Backend:
    """The daemon. `metrics`, `ready`, `remarks` and `status` may be called in any thread.

    `metrics` takes the headers Accept and Accept-Encoding.
    `ready` returns the reasons why the daemon is not ready, `remarks` failures that do not affect
    readiness.
    `status` takes what `?match=` says, and has the page.
    `reload` applies the new settings and returns the changed ones that need a restart. Or it raises
    `FluenceWatchError` (mostly `ConfigError`) and changes nothing.
    `alerts` makes the pages of alerts by the settings of now; `None` if there are none.
    """

    metrics: Callable[[str | None, str | None], MetricsResponse]
    ready: Callable[[], Sequence[str]]
    remarks: Callable[[], Sequence[str]]
    reload: Callable[[], Awaitable[Sequence[str]]]
    status: Callable[[Sequence[str]], "StatusView"]
    alerts: Callable[[], AlertPages] | None = None

"""The daemon's HTTP surface: the web app over the board."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.applications import Starlette

from fluence_watch.app.board import Board
from fluence_watch.web.app import create_app
from fluence_watch.web.backend import AlertPages, Backend
from fluence_watch.web.reports import ReceiverReport


def site(
    board: Board,
    receivers: Callable[[], Sequence[ReceiverReport]],
    reload: Callable[[], Awaitable[Sequence[str]]],
    alerts: Callable[[], AlertPages] | None = None,
) -> Starlette:
    """The app over the board and the receivers, with the reload and the pages of alerts."""
    return create_app(
        Backend(
            metrics=board.exposition.scrape,
            ready=board.unready,
            remarks=board.remarks,
            reload=reload,
            status=lambda match: board.status(receivers(), match),
            alerts=alerts,
        )
    )

"""The daemon's HTTP surface: the web app over the board."""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette

from fluence_watch.app.board import Board
from fluence_watch.web.app import create_app
from fluence_watch.web.backend import Backend


def site(board: Board, reload: Callable[[], Awaitable[None]]) -> Starlette:
    """The app that shows the board and takes a reload."""
    return create_app(
        Backend(
            metrics=board.exposition.scrape,
            ready=board.unready,
            remarks=board.remarks,
            reload=reload,
            status=board.status,
        )
    )

"""The HTTP surface, on top of callables; it holds no state of its own."""

from typing import Annotated

import structlog
from fastapi import FastAPI, Header, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from fluence_watch.errors import FluenceWatchError
from fluence_watch.web.backend import Backend
from fluence_watch.web.guard import SecurityHeaders, is_cross_site
from fluence_watch.web.page import STYLE_HASH, render_status

_log = structlog.get_logger(__name__)
_READ = ["GET", "HEAD"]


def create_app(backend: Backend) -> FastAPI:
    """The application that uvicorn runs.

    Plain functions run in worker threads, so that a big scrape holds up nobody; the health check
    is answered by the loop itself, and so tells that the loop runs.
    """
    app = FastAPI(title="fluence-watch", openapi_url=None, docs_url=None, redoc_url=None)
    app.add_middleware(SecurityHeaders, style_hash=STYLE_HASH)
    _add_health(app, backend)
    _add_reload(app, backend)

    @app.api_route("/metrics", methods=_READ)
    def metrics(
        accept: Annotated[str | None, Header()] = None,
        accept_encoding: Annotated[str | None, Header()] = None,
    ) -> Response:
        body, content_type, encoding = backend.metrics(accept, accept_encoding)
        headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        if encoding:
            headers["Content-Encoding"] = encoding
        return Response(body, headers=headers)

    @app.api_route("/", methods=_READ)
    def status() -> HTMLResponse:
        return HTMLResponse(render_status(backend.status()))

    return app


def _add_health(app: FastAPI, backend: Backend) -> None:
    @app.api_route("/-/healthy", methods=_READ)
    async def healthy() -> PlainTextResponse:
        return PlainTextResponse("healthy\n")

    @app.api_route("/-/ready", methods=_READ)
    def ready() -> PlainTextResponse:
        reasons = backend.ready()
        if reasons:
            return PlainTextResponse("".join(f"not ready: {why}\n" for why in reasons), 503)
        return PlainTextResponse("ready\n")


def _add_reload(app: FastAPI, backend: Backend) -> None:
    @app.post("/-/reload")
    async def reload(request: Request) -> PlainTextResponse:
        if is_cross_site(request.headers):
            return PlainTextResponse("refused: asked by a page of another site\n", 403)
        try:
            await backend.reload()
        except FluenceWatchError as error:
            _log.warning("reload failed", error=str(error))
            return PlainTextResponse(f"failed to reload the configuration:\n{error}\n", 500)
        return PlainTextResponse("reloaded\n")

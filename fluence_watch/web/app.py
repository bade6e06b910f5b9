"""The HTTP surface, built on callables; it holds no state."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from fluence_watch.errors import FluenceWatchError, StoreError
from fluence_watch.web.alert_site import PAGE, AlertSite
from fluence_watch.web.backend import Backend
from fluence_watch.web.guard import SecurityHeaders, is_cross_site
from fluence_watch.web.parts import PartsResponse
from fluence_watch.web.style import STYLE_HASH

_READ = ["GET", "HEAD"]


def create_app(backend: Backend) -> Starlette:
    """The application that uvicorn runs.

    Plain functions run in worker threads, so that a big scrape does not block other requests.
    The event loop answers the health check itself, which shows that it runs.
    """
    site = _Site(backend)
    app = Starlette(
        routes=[
            Route("/", site.status, methods=_READ),
            Route("/metrics", site.metrics, methods=_READ),
            Route("/-/healthy", site.healthy, methods=_READ),
            Route("/-/ready", site.ready, methods=_READ),
            Route("/-/reload", site.reload, methods=["POST"]),
            *_alert_routes(backend),
        ],
        exception_handlers={StoreError: _store_fails},
        middleware=[Middleware(SecurityHeaders, style_hash=STYLE_HASH)],
    )
    app.router.redirect_slashes = (
        False  # they lead where the Host header says, outside a proxy's prefix
    )
    return app


async def _store_fails(_: Request, error: Exception) -> Response:
    return PlainTextResponse(f"nothing was done: {error}\n", 503)


def _alert_routes(backend: Backend) -> list[Route]:
    if backend.alerts is None:
        return []
    site = AlertSite(backend.alerts)
    asked = f"{PAGE}/{{action}}/{{token}}"
    return [
        Route(PAGE, site.page, methods=_READ),
        Route(asked, site.asked, methods=_READ),
        Route(asked, site.carry_out, methods=["POST"]),
    ]


class _Site:
    """The endpoints."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def metrics(self, request: Request) -> Response:
        asked = request.headers
        parts, content_type, encoding = self._backend.metrics(
            asked.get("accept"), asked.get("accept-encoding")
        )
        headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        if encoding:
            headers["Content-Encoding"] = encoding
        return PartsResponse(parts, headers)

    def status(self, request: Request) -> Response:
        from fluence_watch.web.page import render_status  # noqa: PLC0415 - it loads Jinja

        view = self._backend.status(request.query_params.getlist("match"))
        return HTMLResponse(render_status(view), 400 if view.query.error else 200)

    async def healthy(self, _: Request) -> Response:
        return PlainTextResponse("healthy\n")

    def ready(self, _: Request) -> Response:
        reasons = [f"not ready: {why}" for why in self._backend.ready()]
        lines = [*(reasons or ["ready"]), *self._backend.remarks()]
        return PlainTextResponse("".join(f"{line}\n" for line in lines), 503 if reasons else 200)

    async def reload(self, request: Request) -> Response:
        if is_cross_site(request.headers):
            return PlainTextResponse("refused: requested by a page of another site\n", 403)
        try:
            pending = await self._backend.reload()
        except FluenceWatchError as error:
            return PlainTextResponse(f"failed to reload the configuration:\n{error}\n", 500)
        lines = ["reloaded", *(f"{key} changed: restart to apply it" for key in pending)]
        return PlainTextResponse("".join(f"{line}\n" for line in lines))

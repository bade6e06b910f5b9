"""The endpoints of single alerts. What makes the pages is loaded with the first of them.

Only a POST changes anything: programs that scan mail follow links, and send no forms.
The link itself is the permission, so a POST is taken from any page that has it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from fluence_watch.web.backend import AlertPages

if TYPE_CHECKING:
    from fluence_watch.web.alert import ActionView

# ruff: noqa: PLC0415 - see above

PAGE = "/alerts/{alert_id}"


class AlertSite:
    """The endpoints."""

    def __init__(self, alerts: Callable[[], AlertPages]) -> None:
        self._alerts = alerts

    def page(self, request: Request) -> Response:
        """The page of one alert."""
        from fluence_watch.web.alert_page import render_alert, render_unknown

        found = self._alerts().page(request.path_params["alert_id"])
        if found is None:
            return HTMLResponse(render_unknown(), 404)
        return HTMLResponse(render_alert(found))

    def asked(self, request: Request) -> Response:
        """What a link would do, with a form that does it."""
        return _shown(self._alerts().asked(*_link(request)))

    async def carry_out(self, request: Request) -> Response:
        """Do what a link says."""
        alerts = await run_in_threadpool(self._alerts)
        done = await alerts.carry_out(*_link(request))
        return await run_in_threadpool(_shown, done)


def _link(request: Request) -> tuple[str, str, str]:
    path = request.path_params
    return path["alert_id"], path["action"], path["token"]


def _shown(view: "ActionView") -> Response:
    from fluence_watch.web.alert_page import policy, render_action

    headers = {"Content-Security-Policy": policy(form=bool(view.button))}
    return HTMLResponse(render_action(view), view.code, headers)

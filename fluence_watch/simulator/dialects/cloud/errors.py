"""Errors of the dialect: `{"code": "…", "error": "…"}`, the code for programs."""

from typing import Final

from starlette.responses import Response

from fluence_watch.simulator.dialects.view import answer

_CODES: Final = {
    400: "bad_request",
    401: "unauthorized",
    402: "insufficient_balance",
    403: "forbidden",
    404: "not_found",
    406: "not_acceptable",
    409: "conflict",
    422: "unprocessable_entity",
    503: "service_unavailable",
}
_SERVER_ERROR: Final = 500


def coded_error(status: int, text: str) -> Response:
    """The response. A status without a code of its own gets the nearest code."""
    nearest = "internal_server_error" if status >= _SERVER_ERROR else "bad_request"
    return answer({"code": _CODES.get(status, nearest), "error": text}, status)

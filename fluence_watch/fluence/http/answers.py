"""Maps the status and headers of a failed request to an `ApiError`."""

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import msgspec

from fluence_watch.errors import (
    ApiError,
    RateLimitedError,
    RefusedError,
    ServerError,
    UnauthorizedError,
)

_LONGEST_SECONDS = 9  # digits; about 30 years


class _Detail(msgspec.Struct):
    msg: str = ""


class _ErrorBody(msgspec.Struct):
    """`{"error": "…"}` in every generation of the API, `{"detail": …}` in the GPU cloud."""

    error: str = ""
    detail: str | list[_Detail] = ""


def error_text(body: bytes) -> str:
    """The text of an error body; empty when it has none, as in the HTML of a proxy."""
    try:
        said = msgspec.json.decode(body, type=_ErrorBody)
    except (ValueError, RecursionError):
        return ""
    if isinstance(said.detail, str):
        return said.error or said.detail
    return said.error or "; ".join(each.msg for each in said.detail if each.msg)


def retry_after(value: str | None, now: datetime) -> float | None:
    """The wait that a `Retry-After` header requests, in seconds: a number, or an HTTP date.

    `None` if there is no such header or it cannot be read. Source: RFC 9110, 10.2.3.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit() and len(text) <= _LONGEST_SECONDS:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:  # "-0000": in UTC, with an unknown local zone
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def failure_of(
    status: int, detail: str, wait: float | None, location: str, *, writing: bool = False
) -> ApiError:
    """The error for a status that is not 2xx.

    `detail` is the text of the API, `location` the target of a redirect, both cleaned.
    `wait` is in seconds, from `Retry-After`.
    `writing` means that a change was requested, which a read-only key may not do.
    """
    said = f": {detail}" if detail else ""
    asks = "" if wait is None else f"; the API asks to wait {math.ceil(wait)} s"
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        hint = ", which must be a full-access key to change anything" if writing else ""
        text = f"the API key was refused ({status}){said}; check the account's api_key{hint}"
        return UnauthorizedError(text, status=status)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimitedError(f"too many requests ({status}){said}{asks}", retry_after=wait)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        text = f"the API failed ({status}){said}{asks}"
        return ServerError(text, status=status, retry_after=wait)
    if status < HTTPStatus.BAD_REQUEST:
        return RefusedError(_redirect_text(status, location), status=status)
    return RefusedError(f"the API refused the request ({status}){said}", status=status)


def _redirect_text(status: int, location: str) -> str:
    target = f" to {location}" if location else ""
    return (
        f"the API redirects{target} ({status}); redirects are not followed and the key was not "
        "sent there: check the account's base_url"
    )

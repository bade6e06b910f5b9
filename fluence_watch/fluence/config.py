"""How to reach the Fluence API with one key."""

from dataclasses import dataclass, field
from typing import Literal

import httpx

from fluence_watch.model.text import fits_header


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """Address, key and limits of a client.

    `dialect` is `v2`, `v3`, `cloud`, or `auto`: the newest one that the key works with.
    `auth` says which header carries the key: `Authorization: Bearer`, `X-API-KEY` or both.
    In `cloud`, both means `X-API-KEY`, because a bearer token is a login there.
    `timeout` is the budget of one whole call in seconds, retries included.
    `max_body_bytes` bounds a decompressed response body, and all pages of a list together.
    `gpu` is whether instances of the GPU cloud belong to the account.

    Raises:
        ValueError: a header cannot carry the key, the base URL is not plain HTTP(S), or a
            bound is not positive. The text never shows the key.
    """

    api_key: str = field(repr=False)
    base_url: str = "https://api.fluence.dev"
    dialect: str = "v2"
    auth: Literal["both", "x-api-key", "bearer"] = "both"
    timeout: float = 10.0
    max_body_bytes: int = 256 * 2**20
    gpu: bool = False

    def __post_init__(self) -> None:
        if not fits_header(self.api_key):
            raise ValueError(
                "the API key is empty or has a blank, a control or a non-ASCII character: "
                "it cannot be sent in an HTTP header"
            )
        if self.timeout <= 0 or self.max_body_bytes <= 0:
            raise ValueError("the timeout and the largest body must be above zero")
        _check_base_url(self.base_url)


def _check_base_url(text: str) -> None:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise ValueError("the base URL is not a URL") from None
    # A user name or password in the URL would replace the key, and appear in logs.
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo:
        raise ValueError("the base URL must be http(s)://HOST[:PORT][/PATH], without a user name")

from datetime import UTC, datetime
from typing import Any

import pytest

from fluence_watch.fluence import ClientConfig, FluenceClient


def test_key_is_not_shown() -> None:
    """The key is not in the repr."""
    assert "s3cret" not in repr(ClientConfig(api_key="s3cret"))


@pytest.mark.parametrize("key", ["", "s3cret\n", "s3 cret", "s3cret\x00", "s3crét", "s3cret\u2028"])
def test_key_that_no_header_holds(key: str) -> None:
    """Such a key is refused when it is configured, and the text does not show it."""
    with pytest.raises(ValueError, match="HTTP header") as caught:
        ClientConfig(api_key=key)

    assert "s3" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.fluence.dev",
        "ftp://api.fluence.dev",
        "http://",
        "https://me:pw@x.dev",
        "http://x:y",
    ],
)
def test_base_url_that_cannot_be_used(url: str) -> None:
    """A base URL must be HTTP and carry no login, which would replace the key."""
    with pytest.raises(ValueError, match="base URL") as caught:
        ClientConfig(api_key="k", base_url=url)

    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("bound", [{"timeout": 0}, {"timeout": -1.0}, {"max_body_bytes": 0}])
def test_bounds_are_positive(bound: dict[str, Any]) -> None:
    """A bound of nothing could never be kept to."""
    with pytest.raises(ValueError, match="above zero"):
        ClientConfig(api_key="k", **bound)


def test_unknown_dialect() -> None:
    """The error of an unknown dialect lists the known ones."""
    config = ClientConfig(api_key="k", dialect="v1")

    with pytest.raises(ValueError, match="'v1' is not a dialect; known are: cloud, v3, v2, auto"):
        FluenceClient(config, now=lambda: datetime.now(UTC))

from inspect import getdoc

import pytest

from fluence_watch import errors
from fluence_watch.errors import (
    ApiError,
    ConfigError,
    FluenceWatchError,
    ListenError,
    Problem,
    RateLimitedError,
    RefusedError,
    ServerError,
    UnexpectedPayloadError,
)

TREE = [each for each in vars(errors).values() if isinstance(each, type)]
ERRORS = [each for each in TREE if issubclass(each, FluenceWatchError)]
API_ERRORS = [each for each in ERRORS if issubclass(each, ApiError)]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_the_tree_is_drawn(error: type[FluenceWatchError]) -> None:
    """Every error stands in the drawing on top of the file, and says what it means."""
    assert error.__name__ in (errors.__doc__ or "")
    assert getdoc(error) is not None


def test_reasons_are_words_for_metrics() -> None:
    """Each kind of API error has a short word of its own."""
    reasons = [error.reason for error in API_ERRORS]
    assert len(API_ERRORS) == len(set(reasons))
    assert all(reason.replace("_", "").isalpha() for reason in reasons)


def test_all_problems_of_a_configuration_are_in_one_error() -> None:
    """Each is on a line of its own, with its place, as far as that is known."""
    error = ConfigError(
        [
            Problem("poll.interval", "has no unit", "config.toml", 3),
            Problem("poll.timeout", "is negative", "FLUENCE_WATCH_POLL__TIMEOUT"),
            Problem("accounts", "is missing"),
        ]
    )
    assert str(error) == (
        "config.toml:3: poll.interval: has no unit\n"
        "FLUENCE_WATCH_POLL__TIMEOUT: poll.timeout: is negative\n"
        "accounts: is missing"
    )
    assert len(error.problems) == 3


def test_api_errors_carry_what_a_retry_needs() -> None:
    """The status, and how long to wait where the API says so."""
    limited = RateLimitedError("too many", retry_after=7.5)
    assert (limited.status, limited.retry_after, str(limited)) == (429, 7.5, "too many")
    failed = ServerError("broken", status=503, retry_after=2)
    assert (failed.status, failed.retry_after) == (503, 2)
    assert RefusedError("no such path", status=404).status == 404


def test_a_bad_payload_says_where() -> None:
    """The path leads the text where there is one."""
    assert str(UnexpectedPayloadError("not a list", where="[3].ports")) == "[3].ports: not a list"
    assert str(UnexpectedPayloadError("not JSON")) == "not JSON"


def test_an_address_that_cannot_be_had() -> None:
    """The text names the address, the reason as far as there is one, and the way out."""
    busy = str(ListenError("127.0.0.1:9824", OSError(98, "Address already in use")))
    assert busy.startswith("Could not bind to 127.0.0.1:9824: Address already in use. ")
    assert "what. Choose another" in str(ListenError("x", OSError("what")))

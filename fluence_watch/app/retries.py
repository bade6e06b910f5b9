"""Retried requests: each is logged at debug, and counted for one line at the end of a poll."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import structlog
from stamina.instrumentation import RetryDetails

from fluence_watch.errors import ApiError

_log = structlog.get_logger(__name__)
_tally: ContextVar[Counter[str] | None] = ContextVar("retries", default=None)


@contextmanager
def tallied() -> Iterator[Counter[str]]:
    """Count retries by reason, in this task and its child tasks."""
    counts: Counter[str] = Counter()
    token = _tally.set(counts)
    try:
        yield counts
    finally:
        _tally.reset(token)


def note_retry(details: RetryDetails) -> None:
    """The hook that stamina calls before each retry."""
    error = details.caused_by
    reason = error.reason if isinstance(error, ApiError) else type(error).__name__
    _log.debug(
        "request is tried again", reason=reason, error=str(error), wait=round(details.wait_for, 2)
    )
    counts = _tally.get()
    if counts is not None:
        counts[reason] += 1

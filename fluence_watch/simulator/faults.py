"""Which faults occur, and when: named profiles of random faults, and a queue of certain ones.

One number is drawn per request and determines the request's fault, so the same seed gives the
same faults to the same sequence of requests.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from random import Random
from typing import Final


class FaultKind(StrEnum):
    """The fault of a response."""

    LATENCY = "latency"
    """The response comes after `seconds`."""
    STATUS = "status"
    """An error of `status`, with `retry_after` as its header if given."""
    DROP = "drop"
    """No response: the connection is closed."""
    TRUNCATED_BODY = "truncated-body"
    """The connection is closed in the middle of the body."""
    TRUNCATED_JSON = "truncated-json"
    """A complete response, but its JSON ends early."""
    MALFORMED_ELEMENT = "malformed-element"
    """One element of the list has a field of another type, or is not an object at all."""
    EMPTY_LIST = "empty-list"
    SHORT_LIST = "short-list"
    """Some elements are missing."""
    DUPLICATE_IDS = "duplicate-ids"
    """An element appears twice, the second time with another name."""
    HOSTILE_TEXT = "hostile-text"
    """Every free text is an attack, such as markup or control characters."""
    NULL_FIELDS = "null-fields"
    """Every nullable field of `v2` and `v3` is null: addresses, amounts, ports."""
    HUGE_BODY = "huge-body"
    """An empty list in `megabytes` of blanks."""
    GZIP_BOMB = "gzip-bomb"
    """The same body, a thousand times smaller on the wire."""
    MALFORMED_LIST = "malformed-list"
    """Every element of the list has its id, but a field of another type."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The fault of one request.

    `retry_after` is the header's value as sent: seconds, an HTTP date, or absent.
    `seed` determines details that the kind leaves open: which element, which text, where to cut.
    """

    kind: FaultKind
    status: int = 503
    retry_after: str | None = None
    seconds: float = 0.0
    megabytes: int = 300
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Profile:
    """How often each kind occurs, as its share of all requests; the shares sum to at most 1.

    `latency` is the shortest and the longest delay in seconds.
    """

    name: str
    rates: Mapping[FaultKind, float] = field(default_factory=dict)
    latency: tuple[float, float] = (0.0, 0.0)


_CHAOS_RATES = dict.fromkeys(FaultKind, 0.04) | {
    FaultKind.HUGE_BODY: 0.0,
    FaultKind.MALFORMED_LIST: 0.005,
    FaultKind.GZIP_BOMB: 0.005,
}

PROFILES: Final[Mapping[str, Profile]] = {
    profile.name: profile
    for profile in (
        Profile("none"),
        Profile("flaky", {FaultKind.STATUS: 0.015, FaultKind.DROP: 0.005}),
        Profile("slow", {FaultKind.LATENCY: 1.0}, latency=(0.5, 8.0)),
        Profile("chaos", _CHAOS_RATES, latency=(0.1, 3.0)),
        Profile("hostile", {FaultKind.HOSTILE_TEXT: 1.0}),
    )
}

_STATUSES = (429, 429, 429, 500, 502, 503, 504, 401)
_RETRY_AFTERS = (None, "1", "Wed, 21 Oct 2015 07:28:00 GMT")


class FaultPlan:
    """Decides the fault of each request: a queued one first, else a random one of the profile."""

    def __init__(self, profile: Profile = PROFILES["none"], seed: int = 0) -> None:
        self.profile = profile
        self._rng = Random(seed)
        self._queue: deque[Fault] = deque()

    @property
    def queued(self) -> int:
        """The number of queued faults."""
        return len(self._queue)

    def queue(self, fault: Fault, times: int = 1) -> None:
        """Give this fault to the next `times` requests."""
        self._queue.extend([fault] * times)

    def clear(self) -> None:
        """Clear the queue."""
        self._queue.clear()

    def next_fault(self) -> Fault | None:
        """The fault of the next request; `None` if it succeeds."""
        seed = self._rng.getrandbits(64)
        if self._queue:
            return replace(self._queue.popleft(), seed=seed)
        return _rolled(self.profile, seed)


def _rolled(profile: Profile, seed: int) -> Fault | None:
    rng = Random(seed)
    roll = rng.random()
    for kind, rate in profile.rates.items():
        roll -= rate
        if roll < 0:
            status = rng.choice(_STATUSES)
            waits = rng.choice(_RETRY_AFTERS) if status in {429, 503} else None
            return Fault(kind, status, waits, rng.uniform(*profile.latency), seed=seed)
    return None

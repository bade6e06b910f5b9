"""What goes wrong, and when: named profiles of random faults, and a queue of certain ones.

One number is drawn per request and everything about the request's fault comes from it, so the
same seed gives the same faults to the same sequence of requests.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from random import Random
from typing import Final


class FaultKind(StrEnum):
    """What is wrong with an answer."""

    LATENCY = "latency"
    """It comes after `seconds`."""
    STATUS = "status"
    """It is an error of `status`, with `retry_after` as its header when there is one."""
    DROP = "drop"
    """There is none: the connection is closed."""
    TRUNCATED_BODY = "truncated-body"
    """The connection is closed in the middle of the body."""
    TRUNCATED_JSON = "truncated-json"
    """A complete answer, but its JSON ends early."""
    MALFORMED_ELEMENT = "malformed-element"
    """One element of the list has a field of another type, or is not an object at all."""
    EMPTY_LIST = "empty-list"
    SHORT_LIST = "short-list"
    """Some elements are left out."""
    DUPLICATE_IDS = "duplicate-ids"
    """An element comes twice, the second time with another name."""
    HOSTILE_TEXT = "hostile-text"
    """Every free text in it is an attack on somebody."""
    NULL_FIELDS = "null-fields"
    """All of `v2` and `v3` that can be null is null: addresses, amounts, ports."""
    HUGE_BODY = "huge-body"
    """An empty list in `megabytes` of blanks."""
    GZIP_BOMB = "gzip-bomb"
    """The same, a thousand times smaller on the wire."""
    MALFORMED_LIST = "malformed-list"
    """Every element of the list has its id, and a field of another type."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of one request.

    `retry_after` is the header's value as it is sent: seconds, an HTTP date, or absent. `seed`
    decides what the kind leaves open: which element, which text, where to cut.
    """

    kind: FaultKind
    status: int = 503
    retry_after: str | None = None
    seconds: float = 0.0
    megabytes: int = 300
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Profile:
    """How often each kind occurs: its share of all requests, from 0 to 1 in sum.

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
    """Decides the fault of each request: a queued one first, else what the profile rolls."""

    def __init__(self, profile: Profile = PROFILES["none"], seed: int = 0) -> None:
        self.profile = profile
        self._rng = Random(seed)
        self._queue: deque[Fault] = deque()

    @property
    def queued(self) -> int:
        """How many faults are certain to come."""
        return len(self._queue)

    def queue(self, fault: Fault, times: int = 1) -> None:
        """The next requests get this fault."""
        self._queue.extend([fault] * times)

    def clear(self) -> None:
        """Forget what was queued."""
        self._queue.clear()

    def next_fault(self) -> Fault | None:
        """The fault of the next request; `None` when it goes well."""
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

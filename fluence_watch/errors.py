"""Every error that fluence-watch raises on purpose.

    FluenceWatchError
    ├── ConfigError              the settings are invalid; carries all problems
    ├── ReloadError              an error of our own ended a reload
    ├── StoreError               the state could not be read or written
    │   ├── StoreLockedError     another daemon owns the store
    │   └── StoreConflictError   another commit came between
    ├── ListenError              could not bind to the address to serve on
    ├── NotifyError              a receiver did not accept a message
    └── ApiError                 the Fluence API did not answer the request
        ├── UnreachableError         no answer: DNS, TCP, TLS, timeout, connection cut
        ├── UnauthorizedError        401 or 403: the key is missing, wrong or not allowed
        ├── RateLimitedError         429, with the seconds to wait if known
        ├── ServerError              5xx
        │   └── MaintenanceError         the API reports maintenance
        ├── RefusedError             any other status: 4xx, a redirect
        ├── OutcomeUnknownError      a change was sent, but its outcome is unknown
        └── UnexpectedPayloadError   the body differs from the API guide; says where
            └── BodyTooLargeError    the body exceeds `poll.max_body_mb`

Error texts are for users: what happened, where, what to do. They never contain a secret.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class FluenceWatchError(Exception):
    """The root of the tree."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of the configuration.

    `where` is the key as the user writes it (`rules.low_balance.for`).
    `source` is the file or environment variable that it came from.
    `line` is the line in that file, if known.
    """

    where: str
    what: str
    source: str = ""
    line: int | None = None

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}" if self.line else self.source
        return ": ".join(part for part in (place, self.where, self.what) if part)


class ConfigError(FluenceWatchError):
    """The settings are invalid. `problems` are the errors, `notes` the warnings."""

    def __init__(self, problems: Sequence[Problem], notes: Sequence[Problem] = ()) -> None:
        self.problems = tuple(problems)
        self.notes = tuple(notes)
        super().__init__("\n".join(map(str, self.problems)))


class ReloadError(FluenceWatchError):
    """An error of our own ended a reload. How much of the new settings is in effect is unknown."""


class StoreError(FluenceWatchError):
    """The state could not be read or written. The transaction was rolled back."""


class StoreLockedError(StoreError):
    """Another daemon uses the same store."""


class StoreConflictError(StoreError):
    """The stored state is not the one that the change began from. Load it and decide again."""


class ListenError(FluenceWatchError):
    """Could not bind to the address: the port is busy, or the machine does not have the address."""

    def __init__(self, address: str, error: OSError, setting: str = "server.listen") -> None:
        why = error.strerror or str(error)
        super().__init__(
            f"Could not bind to {address}: {why}. Choose another address with {setting}"
        )


class NotifyError(FluenceWatchError):
    """A receiver did not accept a message.

    `permanent` means that the service refuses this message for good (a 4xx status).
    `may_have_arrived` means that no answer came in time.
    """

    def __init__(
        self, message: str, *, permanent: bool = False, may_have_arrived: bool = False
    ) -> None:
        self.permanent = permanent
        self.may_have_arrived = may_have_arrived
        super().__init__(message)


class ApiError(FluenceWatchError):
    """The Fluence API did not answer the request.

    `reason` is a short stable word for metrics and messages.
    `status` is the HTTP status, if there was one.
    """

    reason: ClassVar[str] = "error"

    def __init__(self, message: str, *, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


class UnreachableError(ApiError):
    """No response: name look-up, connection, TLS, timeout, or the connection was cut."""

    reason = "unreachable"


class UnauthorizedError(ApiError):
    """The API does not accept the key (401 or 403)."""

    reason = "unauthorized"


class RateLimitedError(ApiError):
    """Too many requests (429). `retry_after` is in seconds, if the API reports how long to wait."""

    reason = "rate_limited"

    def __init__(
        self, message: str, *, status: int | None = 429, retry_after: float | None = None
    ) -> None:
        self.retry_after = retry_after
        super().__init__(message, status=status)


class ServerError(ApiError):
    """A server error (5xx). `retry_after` is as in `RateLimitedError`."""

    reason = "server_error"

    def __init__(
        self, message: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        self.retry_after = retry_after
        super().__init__(message, status=status)


class MaintenanceError(ServerError):
    """The API reports maintenance. Its lists may be incomplete during that time."""

    reason = "maintenance"


class RefusedError(ApiError):
    """The request cannot be fulfilled, and a retry does not help.

    The API refuses it (other 4xx, redirects), or it is known to be impossible before sending.
    Examples: a range of ports that the dialect cannot express, a shared security group.
    """

    reason = "refused"


class OutcomeUnknownError(ApiError):
    """A change was sent. Neither the response nor reading back shows whether it was made."""

    reason = "outcome_unknown"


class UnexpectedPayloadError(ApiError):
    """The body differs from the API's guide. `where` is a path such as `[3].ports`."""

    reason = "unexpected_payload"

    def __init__(self, message: str, *, where: str = "", status: int | None = None) -> None:
        self.where = where
        super().__init__(f"{where}: {message}" if where else message, status=status)


class BodyTooLargeError(UnexpectedPayloadError):
    """The decompressed body exceeds the limit."""

    reason = "body_too_large"

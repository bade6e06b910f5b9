"""Detects the newest dialect that a key works with."""

from collections.abc import Callable, Mapping

from fluence_watch.errors import ApiError, RefusedError, UnauthorizedError
from fluence_watch.fluence.dialects import Dialect
from fluence_watch.fluence.http.calls import Call

# The statuses of an API that does not know the path or the method, or rejects this kind of key
# or this form of request.
_NOT_THIS_ONE = frozenset({400, 401, 403, 404, 405})


async def choose(
    dialects: Mapping[str, Callable[[], Dialect]], call: Callable[[Dialect], Call]
) -> Dialect:
    """The first dialect whose list the key may read.

    Raises:
        ApiError: the choice is open: no response, a server error or an unexpected payload.
        UnauthorizedError, RefusedError: no dialect works; the text has the error of each.
    """
    refused: list[tuple[str, ApiError]] = []
    for name, make in dialects.items():
        dialect = make()
        try:
            await dialect.probe(call(dialect))
        except ApiError as error:
            if error.status not in _NOT_THIS_ONE:
                raise
            refused.append((name, error))
        else:
            return dialect
    raise _none_of(refused)


def _none_of(refused: list[tuple[str, ApiError]]) -> ApiError:
    reasons = "; ".join(f"{name}: {error}" for name, error in refused)
    text = f"the API speaks no known dialect with this key: {reasons}"
    unauthorized = [error for _, error in refused if isinstance(error, UnauthorizedError)]
    if unauthorized:
        return UnauthorizedError(text, status=unauthorized[0].status)
    return RefusedError(text, status=refused[-1][1].status if refused else None)

"""Which dialect a key works with, the newest first."""

from collections.abc import Callable, Mapping

from fluence_watch.errors import ApiError, RefusedError, UnauthorizedError
from fluence_watch.fluence.dialects import Dialect
from fluence_watch.fluence.http.calls import Call

# What an API answers that does not know the path, or the method there; or not with this key, or
# in this form.
_NOT_THIS_ONE = frozenset({400, 401, 403, 404, 405})


async def choose(
    dialects: Mapping[str, Callable[[], Dialect]], call: Callable[[Dialect], Call]
) -> Dialect:
    """The first dialect whose list the key may read.

    Raises:
        ApiError: it could not be decided: no answer, a failure of the server, another payload.
        UnauthorizedError, RefusedError: none of them works; the text has the answer of each.
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
    told = "; ".join(f"{name}: {error}" for name, error in refused)
    text = f"the API speaks no known dialect with this key: {told}"
    unauthorized = [error for _, error in refused if isinstance(error, UnauthorizedError)]
    if unauthorized:
        return UnauthorizedError(text, status=unauthorized[0].status)
    return RefusedError(text, status=refused[-1][1].status if refused else None)

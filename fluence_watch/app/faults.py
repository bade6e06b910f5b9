"""Internal errors: where they came from, in words that are safe to show."""

from pathlib import Path
from traceback import walk_tb

import fluence_watch

_ROOT = Path(fluence_watch.__file__).parent


def described(error: BaseException) -> str:
    """The type of the error, and the last of our lines in its traceback.

    Never its text, which may contain external data.
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    places = [
        (Path(frame.f_code.co_filename), line) for frame, line in walk_tb(error.__traceback__)
    ]
    ours = [(path.relative_to(_ROOT), line) for path, line in places if path.is_relative_to(_ROOT)]
    name = type(error).__name__
    return f"{name} in {ours[-1][0]}:{ours[-1][1]}" if ours else name

"""The names that users give to accounts, receivers and budgets."""

import re
from typing import Annotated

from pydantic import AfterValidator

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(
            "write 1 to 64 letters, digits, blanks, dots, dashes or underscores; "
            "the first a letter or a digit"
        )
    return value


Name = Annotated[str, AfterValidator(_name)]

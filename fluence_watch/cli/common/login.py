"""Who runs a command."""

import getpass

from fluence_watch.model.text import inert

_LONGEST_COMMENT = 1000


def login() -> str:
    """The name of the user, `""` if the system does not know it, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def signature(author: str | None, comment: str) -> tuple[str, str]:
    """Who does something, by default who runs the command, and why; both harmless to show."""
    return inert(author or login()), inert(comment, _LONGEST_COMMENT)

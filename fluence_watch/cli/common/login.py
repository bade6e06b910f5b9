"""Who runs a command."""

import getpass


def login() -> str:
    """The name of the user, `""` if the system does not know it, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""

"""Text from outside, made fit for an error message."""

_LONGEST = 200


def one_line(text: str, secret: str = "") -> str:
    """The text on one line of at most 200 characters, nothing unprintable, the secret hidden."""
    shown = text.replace(secret, "***") if secret else text
    printable = "".join(char if char.isprintable() else " " for char in shown)
    line = " ".join(printable.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"

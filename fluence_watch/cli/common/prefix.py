"""Ids, of which the beginning is enough."""

from collections.abc import Collection

from fluence_watch.cli.manage.confirm import USAGE, stop
from fluence_watch.model.text import inert


def whole_id(wanted: str, known: Collection[str], what: str, where: str) -> str:
    """The one id that begins so; the command ends with an error if none or several do.

    `what` names what has these ids, `where` the command that lists them.
    """
    found = [each for each in known if wanted and each.startswith(wanted.lower())]
    if len(found) != 1:
        problem = f"several {what}s have an id that begins with" if found else f"there is no {what}"
        stop(f"{problem} {inert(wanted)!r}: see fluence-watch {where}", USAGE)
    return found[0]

"""`--match`: matchers on the labels of alerts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fluence_watch.cli.manage.confirm import USAGE, stop
from fluence_watch.model.text import inert

if TYPE_CHECKING:
    from fluence_watch.alerting.matchers import Matchers

_LONGEST = 1000


def matchers_of(texts: Sequence[str]) -> "Matchers":
    """The matchers of all texts; the command ends with an error if one has none."""
    from fluence_watch.alerting.matchers import read_matchers

    try:
        return read_matchers(texts)
    except ValueError as error:
        stop(f"--match: {inert(str(error), _LONGEST)}", USAGE)

"""`--match`: matchers on the labels of alerts."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import typer

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


def check_names(matchers: "Matchers", accounts: Iterable[str], *, looks: bool = False) -> None:
    """Say which rules, severities and accounts do not exist.

    The command ends with an error if a matcher can never match, unless it only `looks`.
    """
    from fluence_watch.model.finding import WATCHER, shown_account
    from fluence_watch.settings.checks.muting import dead

    for each in dead(matchers, list(dict.fromkeys(map(shown_account, (*accounts, WATCHER))))):
        what = f"--match: {inert(each.what, _LONGEST)}"
        if each.fatal and not looks:
            stop(what, USAGE)
        typer.echo(f"fluence-watch: note: {what}", err=True)

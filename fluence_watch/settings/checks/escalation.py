"""Checks on escalation and active times."""

from collections.abc import Iterator, Mapping

from fluence_watch.settings.checks.doubt import Doubt, error, hint, note
from fluence_watch.settings.environment import Loc
from fluence_watch.settings.model import WatchSettings


def receivers_exist(settings: WatchSettings) -> Iterator[Doubt]:
    """Who escalates does so to another receiver, after some time."""
    known = [receiver.name for receiver in settings.receivers]
    for number, receiver in enumerate(settings.receivers):
        to, after = _keys(number)
        if receiver.escalate_to and receiver.escalate_to not in known:
            name = receiver.escalate_to
            yield error(f"there is no receiver {name!r}; {hint(name, known)}", to)
        if receiver.escalate_to and not receiver.escalate_after:
            what = "nothing is escalated: say after which time in escalate_after"
            yield error(what, to, after)
        if receiver.escalate_after and not receiver.escalate_to:
            yield error("nothing is escalated: say to which receiver in escalate_to", after, to)


def nothing_goes_in_circles(settings: WatchSettings) -> Iterator[Doubt]:
    """No receiver escalates to one that escalates to it."""
    targets = {each.name: each.escalate_to for each in settings.receivers if each.escalate_to}
    seen = set[str]()
    for number, receiver in enumerate(settings.receivers):
        path = _path(receiver.name, targets)
        if path[0] == path[-1] and len(path) > 1 and not seen & {*path}:
            yield error(f"escalates in a circle: {' → '.join(path)}", *_keys(number))
            seen |= {*path}


def times_have_an_effect(settings: WatchSettings) -> Iterator[Doubt]:
    """What is said of active times is about some."""
    for number, receiver in enumerate(settings.receivers):
        if receiver.active:
            continue
        what = "without effect: the receiver has no active times"
        if receiver.timezone != "UTC":
            yield note(what, ("receivers", number, "timezone"))
        if not receiver.critical_at_once:
            yield note(what, ("receivers", number, "critical_at_once"))


def _path(name: str, targets: Mapping[str, str]) -> list[str]:
    """Who is notified one after the other, up to the first that was before."""
    path = [name]
    while (after := targets.get(path[-1])) is not None:
        path.append(after)
        if after in path[:-1]:
            break
    return path


def _keys(number: int) -> tuple[Loc, Loc]:
    return ("receivers", number, "escalate_to"), ("receivers", number, "escalate_after")

"""Checks on matchers, maintenance and inhibition."""

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from fluence_watch.alerting.matchers import Matcher, Matchers, read_matchers
from fluence_watch.model.duration import short
from fluence_watch.model.finding import WATCHER, Severity, shown_account
from fluence_watch.rules import RULES
from fluence_watch.settings.checks.doubt import (
    Doubt,
    hint,
    matching,
    names,
    note,
    same_names,
)
from fluence_watch.settings.environment import Loc
from fluence_watch.settings.model import WatchSettings
from fluence_watch.settings.receivers import ReceiverSettings

_SLOTS = 500
_SEVERITIES = [severity.value for severity in Severity]
_RULES = [rule.name for rule in RULES]


def names_differ(settings: WatchSettings) -> Iterator[Doubt]:
    """Names of maintenance are unique."""
    return same_names("maintenance", [each.name for each in settings.maintenance])


def matchers_match(settings: WatchSettings) -> Iterator[Doubt]:
    """Each matcher on a rule, a severity or an account matches one that exists.

    Accounts come and go, and what excludes nothing does no harm: these are notes.
    """
    for where, matchers in _matchers(settings):
        for each in dead(matchers, _accounts(settings) if settings.accounts else []):
            keys = names("accounts", settings.accounts) if each.label == "account" else []
            yield Doubt([where, *keys], each.what, each.fatal)


class Dead(NamedTuple):
    """A matcher on what does not exist: its label, its effect, and whether it can never match."""

    label: str
    what: str
    fatal: bool


def dead(matchers: Matchers, accounts: Sequence[str]) -> Iterator[Dead]:
    """The matchers on a rule, a severity or an account that does not exist, with the nearest name.

    Without accounts they are unknown.
    """
    known = {"rule": _RULES, "severity": _SEVERITIES, "account": accounts}
    for each in matchers:
        existing = known.get(each.name)
        if existing and _is_dead(each, existing):
            fatal = each.name != "account" and not each.operator.negative
            yield Dead(each.name, _unmatched(each, existing), fatal)


def maintenance_ends(settings: WatchSettings) -> Iterator[Doubt]:
    """Maintenance is over before it comes again, some time at least."""
    for number, each in enumerate(settings.maintenance):
        slots = each.maintenance.cron.slots()
        gaps = [after - slot for slot, after in pairwise(islice(slots, _SLOTS))]
        if gaps and max(gaps) <= each.duration:
            what = f"always on: it lasts {short(each.duration)}, and begins again within {short(max(gaps))}"
            yield note(
                what, ("maintenance", number, "duration"), ("maintenance", number, "schedule")
            )


def receivers_match(settings: WatchSettings) -> Iterator[Doubt]:
    """What a receiver's `match` asks for exists, or is not excluded by its short forms."""
    for number, receiver in enumerate(settings.receivers):
        matchers = read_matchers(receiver.match)
        for key, label, every, left in _short_forms(receiver, settings):
            asked = [each for each in matchers if each.name == label]
            exists = any(_all(asked, label, value) for value in every)
            if exists and left and not any(_all(asked, label, value) for value in left):
                what = f"never notified: no {label} fits both this and {key}"
                yield note(what, ("receivers", number, "match"), ("receivers", number, key))


def _short_forms(
    receiver: ReceiverSettings, settings: WatchSettings
) -> Iterator[tuple[str, str, Sequence[str], Sequence[str]]]:
    """Settings, with their label, the values that there are, and those that the setting leaves."""
    least = receiver.min_severity.rank
    severe = [each.value for each in Severity if each.rank >= least]
    accounts = _accounts(settings)
    left = [*matching(receiver.accounts, accounts), shown_account(WATCHER)]
    yield "rules", "rule", _RULES, matching(receiver.rules, _RULES)
    yield "accounts", "account", accounts, left
    yield "min_severity", "severity", _SEVERITIES, severe


def _accounts(settings: WatchSettings) -> list[str]:
    """The accounts that alerts may have: those of the settings, and the watcher itself."""
    return [*(account.name for account in settings.accounts), shown_account(WATCHER)]


def _matchers(settings: WatchSettings) -> Iterator[tuple[Loc, Matchers]]:
    """All matchers of the settings, with their keys."""
    for number, receiver in enumerate(settings.receivers):
        yield ("receivers", number, "match"), read_matchers(receiver.match)
    for number, maintenance in enumerate(settings.maintenance):
        yield ("maintenance", number, "match"), read_matchers(maintenance.match)
    for number, inhibit in enumerate(settings.inhibit):
        yield ("inhibit", number, "source"), read_matchers(inhibit.source)
        yield ("inhibit", number, "target"), read_matchers(inhibit.target)


def _all(matchers: Sequence[Matcher], label: str, value: str) -> bool:
    return all(each.matches({label: value}) for each in matchers)


def _is_dead(matcher: Matcher, existing: Sequence[str]) -> bool:
    """Whether what it names does not exist, so that it matches nothing, or excludes nothing."""
    if not matcher.value:  # the label is absent, or is there
        return False
    return all(
        matcher.matches({matcher.name: value}) is matcher.operator.negative for value in existing
    )


def _unmatched(matcher: Matcher, existing: Sequence[str]) -> str:
    effect = "excludes" if matcher.operator.negative else "matches"
    return f"{matcher} {effect} no {matcher.name}; {hint(matcher.value, existing)}"

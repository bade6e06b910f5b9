"""Checks on alerts that mute others: each inhibition mutes something."""

from collections.abc import Iterator, Sequence
from dataclasses import fields

from fluence_watch.alerting.matchers import LABELS, Matchers, read_matchers
from fluence_watch.rules import RULES
from fluence_watch.rules.base import Rule
from fluence_watch.settings.checks.doubt import Doubt, note, rule_key
from fluence_watch.settings.environment import Loc
from fluence_watch.settings.model import WatchSettings

_OF_VMS = frozenset(LABELS) - {"rule", "severity", "account"}


def sides_differ(settings: WatchSettings) -> Iterator[Doubt]:
    """What mutes is not the same as what is muted."""
    for number, each in enumerate(settings.inhibit):
        if {*read_matchers(each.source)} == {*read_matchers(each.target)}:
            what = "never mutes: what matches both sides mutes nothing that matches both"
            yield note(what, ("inhibit", number, "target"), ("inhibit", number, "source"))


def rules_are_enabled(settings: WatchSettings) -> Iterator[Doubt]:
    """A rule that each side may be about is enabled."""
    for where, matchers in _sides(settings):
        about = _about(matchers)
        if about and not any(settings.by_rule[rule.name].enabled for rule in about):
            keys = [rule_key(rule.name, "enabled") for rule in about]
            what = f"without effect: {_named(about)} {'is' if len(about) == 1 else 'are'} disabled"
            yield note(what, where, *keys)


def labels_are_on_both_sides(settings: WatchSettings) -> Iterator[Doubt]:
    """Labels of VMs that must be equal are asked of rules that may be about VMs."""
    for where, matchers in _sides(settings):
        about = _about(matchers)
        equal = settings.inhibit[int(where[1])].equal
        labels = [label for label in equal if label in _OF_VMS]
        if labels and about and not any(map(_may_have_vm, about)):
            lacking = f"alerts of {_named(about)} have no {', '.join(labels)}"
            what = f"{lacking}: nothing about a VM is equal to them"
            yield note(what, (*where[:-1], "equal"), where)


def _sides(settings: WatchSettings) -> Iterator[tuple[Loc, Matchers]]:
    """The matchers of each side, with their key."""
    for number, each in enumerate(settings.inhibit):
        yield ("inhibit", number, "source"), read_matchers(each.source)
        yield ("inhibit", number, "target"), read_matchers(each.target)


def _about(matchers: Matchers) -> list[Rule]:
    """The rules that the matchers leave; none if they do not speak of rules."""
    asked = [each for each in matchers if each.name == "rule"]
    return [
        rule for rule in RULES if asked and all(each.matches({"rule": rule.name}) for each in asked)
    ]


def _may_have_vm(rule: Rule) -> bool:
    return any(field.name == "vm" for facts in rule.facts for field in fields(facts))


def _named(about: Sequence[Rule]) -> str:
    return ", ".join(rule.name for rule in about)

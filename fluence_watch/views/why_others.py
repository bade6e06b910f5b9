"""Other alerts, in the words of the journal, which has no more of them than their fingerprint. Pure."""

from collections.abc import Mapping

from fluence_watch.model.known import KnownVm
from fluence_watch.model.text import inert
from fluence_watch.rules import RULES
from fluence_watch.views.vm import vm_title

LONGEST = 160
"""Characters of what comes from outside."""
_RULES = frozenset(each.name for each in RULES)


def rule_of(words: str) -> str:
    """The rule of another alert, from the words of its fingerprint."""
    return next((each for each in words.split() if each in _RULES), inert(words, LONGEST))


def other(words: str, vms: Mapping[str, KnownVm]) -> str:
    """Another alert, from the words of its fingerprint: its rule, and what it is about."""
    rule, named = rule_of(words), words.split()
    if rule not in named:
        return rule
    about = named[named.index(rule) + 1 :]
    if about and (known := vms.get(about[0])):
        return f"{rule} of {vm_title(known.vm.id, known.vm.name)}"
    return f"{rule} of {inert(' '.join(about), LONGEST)}" if about else rule

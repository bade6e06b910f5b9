"""Other alerts, in the words of the journal, which has no more of them than their fingerprint. Pure."""

from collections.abc import Mapping

from fluence_watch.model.finding import VmRef
from fluence_watch.model.text import inert
from fluence_watch.rules import RULES
from fluence_watch.views.vm import vm_title

LONGEST = 160
"""Characters of what comes from outside."""
_RULES = frozenset(each.name for each in RULES)


def rule_of(words: str) -> str:
    """The rule of another alert, from the words of its fingerprint."""
    return next((each for each in words.split() if each in _RULES), inert(words, LONGEST))


def subject_of(words: str) -> str:
    """What another alert is about, from the words of its fingerprint; `""` for its account."""
    return next(iter(_about(words)), "")


def other(words: str, vms: Mapping[str, VmRef]) -> str:
    """Another alert, from the words of its fingerprint: its rule, and what it is about."""
    rule, about = rule_of(words), _about(words)
    if vm := vms.get(subject_of(words)):
        return f"{rule} of {vm_title(vm.id, vm.name)}"
    return f"{rule} of {inert(' '.join(about), LONGEST)}" if about else rule


def _about(words: str) -> list[str]:
    """The words after the rule."""
    rule, named = rule_of(words), words.split()
    return named[named.index(rule) + 1 :] if rule in named else []

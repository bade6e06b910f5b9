r"""`?match=` of the page: matchers on the labels of alerts, of anybody who can open the page. Pure.

Python's regular expressions can take for ever. So only those are read that cannot: at most two of
`* + ? { (` (without groups, in each of a few alternatives), none of them after a group.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fluence_watch.alerting.labels import labels
from fluence_watch.alerting.lifecycle import Alert
from fluence_watch.alerting.matchers import Matcher, Matchers, Operator, all_match, parse_matchers

_LONGEST = 1000
_MOST_CHOICES = 2
_MOST_IN_ALL = 12
_ATOM = re.compile(r"\\.|\[\^?\]?[^\]]*\]", re.DOTALL)
_CHOICE = re.compile(r"[*+?{(]")
_REPEATED_OR_SPECIAL = re.compile(r"\)[*+?{]|\(\?")
_PATTERNS = frozenset({Operator.MATCHES, Operator.NOT_MATCHES})


@dataclass(frozen=True, slots=True)
class Query:
    """The alerts to show: `text` is as it was asked, `error` why it cannot be read."""

    text: str = ""
    matchers: Matchers = ()
    error: str = ""

    def matches(self, alert: Alert) -> bool:
        """Whether the alert is to be shown."""
        return not self.matchers or all_match(self.matchers, labels(alert))


EVERYTHING = Query()


def read_query(texts: Sequence[str]) -> Query:
    """The query of these matchers, all of which must match."""
    text = ", ".join(filter(None, map(str.strip, texts)))
    if len(text) > _LONGEST:
        return Query(text[:_LONGEST], error=f"match is longer than {_LONGEST} characters")
    try:
        found = tuple(matcher for each in texts if each.strip() for matcher in _read(each))
    except ValueError as error:
        return Query(text, error=str(error))
    return Query(text, found)


def _read(text: str) -> Matchers:
    found = parse_matchers(text)
    for matcher in found:
        _check_simple(matcher)
    return found


def _check_simple(matcher: Matcher) -> None:
    if matcher.operator in _PATTERNS and not is_simple(matcher.value):
        raise ValueError(
            f"{matcher.value!r:.80} is too complex for the page: write at most two of * + ? {{ ( and"
            " none of them after a ), or use `fluence-watch alerts --match`"
        )


def is_simple(pattern: str) -> bool:
    """Whether it matches any text in a time that grows with no more than its square."""
    bare = _ATOM.sub("x", pattern)
    if _REPEATED_OR_SPECIAL.search(bare):
        return False
    parts = [bare] if "(" in bare else bare.split("|")
    numbers = [len(_CHOICE.findall(part)) for part in parts]
    return max(numbers) <= _MOST_CHOICES and sum(numbers) <= _MOST_IN_ALL

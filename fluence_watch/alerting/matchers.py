r"""Matchers on the labels of alerts, as Alertmanager writes them. Pure.

    rule=port_drift        equal                vm=~"web-.*"      matches the regular expression
    severity!=info         not equal            account!~"dev|qa" does not match it

Several are separated by commas, with or without braces: `{rule=port_drift, vm="web 1"}`. All must match.
A value with a space or one of ``{}!=~,\"'` `` is quoted; in quotes `\"`, `\\` and `\n` are escapes.
A regular expression matches the whole value, or the first 256 characters of a longer one: it may take
the square of its length, and names come from outside. A label that an alert lacks is empty.
Source: Prometheus, "Alertmanager configuration", UTF-8 matchers.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

LABELS = ("rule", "severity", "account", "vm", "vm_id", "vm_name", "datacenter", "status")
"""The labels that a matcher may name. `vm` is the name of the VM or its id."""

_SPACE = r"[ \t\n\r]*"
_WORD = r"""[^\s{}!=~,\\"'`]+"""
_QUOTED = r'"(?:[^"\\\n]|\\.)*"'
_MATCHER = re.compile(
    rf"{_SPACE}(?P<name>{_QUOTED}|{_WORD}){_SPACE}(?P<op>=~|!~|!=|=){_SPACE}"
    rf"(?P<value>{_QUOTED}|{_WORD}){_SPACE}"
)
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "'": "'"}
_MOST = 100
_LONGEST = 256


class Operator(StrEnum):
    """How a value is compared."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "=~"
    NOT_MATCHES = "!~"

    @property
    def negative(self) -> bool:
        """Whether it excludes what it names."""
        return self in {Operator.NOT_EQUAL, Operator.NOT_MATCHES}


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label.

    Raises:
        ValueError: the value is not a regular expression, although the operator asks for one.
    """

    name: str
    operator: Operator
    value: str
    _pattern: re.Pattern[str] | None = field(init=False, compare=False, repr=False, default=None)

    def __post_init__(self) -> None:
        """Compile the expression."""
        if self.operator in {Operator.MATCHES, Operator.NOT_MATCHES}:
            if "[[:" in self.value:  # Python takes it for something else
                raise ValueError(f"{self.value!r}: write [a-z] or \\w in place of [[:…:]]")
            try:
                object.__setattr__(self, "_pattern", re.compile(self.value))
            except (re.error, RecursionError, OverflowError) as error:
                raise ValueError(f"{self.value!r} is no regular expression: {error}") from None

    def matches(self, labels: "Mapping[str, str]") -> bool:
        """Whether it is true of these labels. `vm` compares with the name and the id."""
        if self.name != "vm":
            return self._is(labels.get(self.name, "")) is not self.operator.negative
        known = filter(None, (labels.get("vm_name"), labels.get("vm_id")))
        return any(map(self._is, [*known] or [""])) is not self.operator.negative

    def _is(self, value: str) -> bool:
        if self._pattern is None:
            return value == self.value
        return self._pattern.fullmatch(value[:_LONGEST]) is not None

    def __str__(self) -> str:
        """As it is written, in quotes."""
        value = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{self.operator}"{value}"'


Matchers = tuple[Matcher, ...]


def all_match(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether all of them match. None at all match everything."""
    return first_misfit(matchers, labels) is None


def first_misfit(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> Matcher | None:
    """The first of them that does not match."""
    for each in matchers:  # a generator takes twice as long, and every alert comes through here
        if not each.matches(labels):
            return each
    return None


def parse_matchers(text: str) -> Matchers:
    """Read one matcher or several.

    Raises:
        ValueError: the text has no matchers; the message says what is wrong and where.
    """
    return tuple(_matchers(_without_braces(text), text))


def read_matchers(texts: Iterable[str]) -> Matchers:
    """The matchers of all texts, as `parse_matchers` reads them.

    Raises:
        ValueError: a text has none, or all have too many.
    """
    found = tuple(matcher for text in texts for matcher in parse_matchers(text))
    if len(found) > _MOST:  # as one text they are read again from the store
        raise ValueError(f"there are more than {_MOST} matchers")
    return found


def _without_braces(text: str) -> str:
    inner = text.strip()
    if inner.startswith("{") != inner.endswith("}"):
        raise ValueError(f"{text!r:.80} has only one of {{ and }}")
    return inner[1:-1] if inner.startswith("{") else inner


def _matchers(inner: str, text: str) -> Iterator[Matcher]:
    at, number = 0, 0
    while at < len(inner) or not number:
        found = _MATCHER.match(inner, at)
        if found is None:
            raise ValueError(
                f'{text!r:.80} is no matcher{_where(inner, at)}: write label="value", with =, !=, =~ or'
                " !~ between them, and quotes around a value that is not one word"
            )
        yield Matcher(_label(found["name"]), Operator(found["op"]), _unquoted(found["value"]))
        at, number = found.end(), number + 1
        if at < len(inner):
            if inner[at] != ",":
                raise ValueError(f"{text!r:.80} has no comma before {inner[at : at + 20]!r}")
            at = at + 1 + len(inner[at + 1 :]) - len(inner[at + 1 :].lstrip())
        if number > _MOST:
            raise ValueError(f"{text[:40]!r}… has more than {_MOST} matchers")


def _where(inner: str, at: int) -> str:
    return f" at {inner[at : at + 20]!r}" if at else ""


def _label(name: str) -> str:
    name = _unquoted(name)
    if name not in LABELS:
        raise ValueError(f"there is no label {name!r:.40}: labels are {', '.join(LABELS)}")
    return name


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    return _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[0]), text[1:-1])

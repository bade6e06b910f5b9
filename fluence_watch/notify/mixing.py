"""Markup and data together, in templates of a user: what is put beside markup is made harmless first.

Jinja escapes it for HTML there, which is not enough: in Markdown and in chats other characters act.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from jinja2 import nodes
from jinja2.filters import make_attrgetter
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer
from markupsafe import Markup as Safe

_JOINED = "joined"  # the filter that `~` becomes
_BLOCKS = frozenset({"bar", "heading", "item", "paragraph", "section", "strong"})
_EDGES = re.compile(r"([ \n]*)(.*?)([ \n]*)", re.DOTALL)

Harmless = Callable[[object], Safe]
"""Makes of a value what the format shows; markup stays."""


class Mixing:
    """What replaces filters and operators of Jinja that take both."""

    def __init__(self, environment: ImmutableSandboxedEnvironment, harmless: Harmless) -> None:
        self._environment = environment
        self._harmless = harmless

    @property
    def filters(self) -> Mapping[str, Callable[..., Any]]:
        """The filters, by their names in templates."""
        return {
            "e": self._harmless,
            "escape": self._harmless,
            _JOINED: self.joined,
            "format": self._format,
            "join": self._join,
            "replace": self._replace,
        }

    def joined(self, values: Iterable[object], between: object = "") -> str:
        """The values one after the other."""
        parts = list(values)
        if not _has_markup((between, *parts)):
            return str(between).join(map(str, parts))
        return _safe(self._beside(between).join(map(self._beside, parts)))

    def filled(self, text: object, values: object) -> str:
        """`text % values`."""
        if not isinstance(text, Safe):
            return str(text) % values
        if isinstance(values, Mapping):
            return _safe(str(text) % {key: self._value(each) for key, each in values.items()})
        many = values if isinstance(values, tuple) else (values,)
        return _safe(str(text) % tuple(map(self._value, many)))

    def _format(self, text: object, *values: object, **named: object) -> str:
        return self.filled(text, named or values)

    def _join(
        self, values: Iterable[object], between: object = "", attribute: str | int | None = None
    ) -> str:
        if attribute is not None:
            values = map(make_attrgetter(self._environment, attribute), values)
        return self.joined(values, between)

    def _replace(self, text: object, old: str, new: object, count: int = -1) -> str:
        if not _has_markup((text, new)):
            return str(text).replace(old, str(new), count)
        return _safe(self._beside(text).replace(str(old), self._beside(new), count))

    def _beside(self, value: object) -> str:
        """The value as it is shown, with the blanks and line breaks around it."""
        if isinstance(value, Safe):
            return str(value)
        found = _EDGES.fullmatch(str(value))
        assert found is not None
        return f"{found[1]}{self._harmless(found[2])}{found[3]}"

    def _value(self, value: object) -> object:
        return value if isinstance(value, int | float | Decimal) else self._beside(value)


class Mixed(NodeTransformer):
    """Makes a filter of each `~`, for Jinja's own cannot be replaced. Marks up the words of the template."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - the name of the node
        """`a ~ b` is `[a, b] | joined`."""
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, _JOINED, [], [], None, None, lineno=node.lineno)

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:  # noqa: N802 - the name of the node
        """In `"a" | strong` the text is of the template, not data."""
        self.generic_visit(node)
        if node.name in _BLOCKS and isinstance(node.node, nodes.Const):
            node.node = nodes.MarkSafe(node.node, lineno=node.lineno)
        return node


def _has_markup(values: Iterable[object]) -> bool:
    return any(isinstance(each, Safe) for each in values)


def _safe(text: str) -> Safe:
    return Safe(text)  # noqa: S704 - of markup and harmless data

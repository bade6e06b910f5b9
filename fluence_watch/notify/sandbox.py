"""Templates of a user, in a sandbox. Only the process that renders them loads this module."""

from collections.abc import Iterator
from difflib import get_close_matches
from functools import partial
from traceback import walk_tb
from typing import Any

from jinja2 import (
    BaseLoader,
    BytecodeCache,
    ChoiceLoader,
    Environment,
    FunctionLoader,
    PrefixLoader,
    TemplateAssertionError,
    TemplateSyntaxError,
    nodes,
)
from jinja2.bccache import Bucket
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup as Safe

from fluence_watch.notify import words
from fluence_watch.notify.markup import BodyFormat
from fluence_watch.notify.mixing import Mixed, Mixing
from fluence_watch.notify.overrides import Overrides

_UNSAFE = frozenset({"forceescape", "safe", "tojson", "urlize", "xmlattr"})
"""They would make markup of data."""


class UserEnvironment(ImmutableSandboxedEnvironment):
    """Without what makes markup of what comes from outside."""

    intercepted_binops = frozenset({"+", "%"})

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - as Jinja takes them
        super().__init__(**options)
        self._mixing = Mixing(self, options["finalize"])
        for name in _UNSAFE:
            self.filters.pop(name, None)
        self.filters |= self._mixing.filters

    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
        """Markup has no methods here: they would take data as it is."""
        return not isinstance(obj, Safe) and super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401 - as Jinja has it
        """`+` and `%` with markup."""
        if operator == "+" and (isinstance(left, Safe) or isinstance(right, Safe)):
            return self._mixing.joined((left, right))
        if operator == "%" and isinstance(left, Safe):
            return self._mixing.filled(left, right)
        return super().call_binop(context, operator, left, right)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """The tree of a template; Jinja calls this for whatever it compiles."""
        tree: nodes.Template = Mixed().visit(super()._parse(source, name, filename))
        tree.set_environment(self)
        return tree


class _Compiled(BytecodeCache):
    """Compiled templates, by name and text. Other templates take over when one fails."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take it from here, if it is known."""
        if found := self._known.get((bucket.key, bucket.checksum)):
            bucket.bytecode_from_string(found)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it."""
        self._known[bucket.key, bucket.checksum] = bucket.bytecode_to_string()


_COMPILED = {fmt: _Compiled() for fmt in BodyFormat}  # what is constant is filled in already


def _made(loader: BaseLoader, fmt: BodyFormat, **options: Any) -> UserEnvironment:  # noqa: ANN401 - as Jinja takes them
    return UserEnvironment(loader=loader, bytecode_cache=_COMPILED[fmt], **options)


def use(overrides: Overrides) -> None:
    """Render with these templates from now on; `shipped/x.jinja` is the shipped one."""

    def load(name: str) -> tuple[str, str, None] | None:
        found = overrides.get(name)
        return found and (found.text, found.path, None)

    loader = ChoiceLoader(
        [FunctionLoader(load), words.SHIPPED, PrefixLoader({"shipped": words.SHIPPED})]
    )
    words.use(partial(_made, loader))


def check_macros(environment: Environment, name: str) -> None:
    """Compile a template; a macro whose name is almost one that facts have is a mistake.

    Raises:
        TemplateError: what is wrong with it, and where.
    """
    template = environment.get_template(name)
    assert environment.loader
    source, _, _ = environment.loader.get_source(environment, name)
    macros = () if name.startswith("_") else environment.parse(source).find_all(nodes.Macro)
    for macro in macros:
        close = get_close_matches(macro.name, words.MACROS, n=1, cutoff=0.75)
        if close and macro.name not in words.MACROS:
            what = f"no macro {macro.name!r} is used: did you mean {close[0]!r}?"
            raise TemplateAssertionError(what, macro.lineno, name, template.filename)


def culprit(error: BaseException, overrides: Overrides) -> tuple[str, int] | None:
    """The template of a user in which the error arose, and its line; `None` if in none."""
    names = {override.path: name for name, override in overrides.items()}
    places = [(names[path], line) for path, line in _places(error) if path in names]
    return places[-1] if places else None


def root(error: BaseException) -> BaseException:
    """The error that caused this one."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _places(error: BaseException | None) -> Iterator[tuple[str, int]]:
    """The files and lines that led to an error, those of its causes last."""
    while error is not None:
        yield from ((f.f_code.co_filename, line) for f, line in walk_tb(error.__traceback__))
        if isinstance(error, TemplateSyntaxError):
            yield error.filename or "", error.lineno
        error = error.__cause__

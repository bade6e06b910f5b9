"""The templates and their filters; decisions about a message are made in `render`.

Jinja costs 2 MB and is loaded with this module, at the first message or page.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache, lru_cache
from shlex import quote
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, TemplateError, pass_context
from jinja2.environment import TemplateModule
from jinja2.runtime import Context
from markupsafe import Markup as Safe

from fluence_watch.errors import NotifyError
from fluence_watch.model import moment as moments
from fluence_watch.model.duration import rough
from fluence_watch.model.finding import shown_account
from fluence_watch.model.money import plain, to_pay, usdc
from fluence_watch.model.text import counted, inert, short_id
from fluence_watch.notify.item_view import ItemView
from fluence_watch.notify.markup import MARKUPS, BodyFormat

SHIPPED = PackageLoader("fluence_watch.notify")
MACROS = ("fires", "resolved", "title", "missed", "brief")
"""What the template of facts has."""


def _shipped(fmt: BodyFormat, **options: Any) -> Environment:  # noqa: ANN401 - as Jinja takes them
    del fmt
    return Environment(loader=SHIPPED, **options)  # noqa: S701 - `words` sets it


class _Source:
    """What makes an environment: of shipped templates, unless a process renders those of a user."""

    make: Callable[..., Environment] = staticmethod(_shipped)


def use(make: Callable[..., Environment]) -> None:
    """Take templates from what this makes for a format and options, in the whole process."""
    _Source.make = staticmethod(make)
    words.cache_clear()
    _macros.cache_clear()


@cache
def words(fmt: BodyFormat) -> Environment:
    """The templates for a format; they make every printed value inert for it."""
    markup = MARKUPS[fmt]

    def harmless(value: object) -> Safe:
        return value if isinstance(value, Safe) else markup.text(str(value))

    def block(mark: Callable[..., Safe]) -> Callable[..., Safe]:
        return lambda value, *how: mark(harmless(value), *how)

    environment = _Source.make(
        fmt,
        autoescape=True,
        finalize=harmless,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "by_vm": by_vm,
        "clean": inert,
        "clock": clock,
        "distance": distance,
        "exactly": exactly,
        "gib": lambda size: f"{size / 2**30:.4g} GiB",
        "at": at,
        "bar": block(markup.bar),
        "code": markup.code,
        "command": markup.command,
        "counted": counted,
        "heading": block(markup.heading),
        "item": block(markup.item),
        "links": markup.links,
        "paragraph": block(markup.paragraph),
        "plain": plain,
        "quoted": lambda word: quote(inert(word)),
        "rough": rough,
        "section": block(markup.section),
        "short": short_id,
        "shown_account": shown_account,
        "span": span,
        "strong": block(markup.strong),
        "to_pay": to_pay,
        "to_the_second": to_the_second,
        "usdc": usdc,
        "when": when,
    }
    return environment


def macros_of(facts: object, fmt: BodyFormat, now: datetime) -> TemplateModule:
    """The macros of the template for these facts.

    Raises:
        NotifyError: there is none.
    """
    return _macros(type(facts).__name__, fmt, now)


@lru_cache(maxsize=32)  # each line of a long message needs the same few
def _macros(name: str, fmt: BodyFormat, now: datetime) -> TemplateModule:
    try:
        module = words(fmt).get_template(f"{name}.jinja").make_module({"now": now})
        for macro in MACROS:
            if not hasattr(module, macro):  # one of a user need not have them all
                setattr(module, macro, _shipped_macro(name, macro, fmt, now))
    except TemplateError as error:
        raise NotifyError(f"there are no words for {name}") from error
    return module


def _shipped_macro(name: str, macro: str, fmt: BodyFormat, now: datetime) -> object:
    template = words(fmt).get_template(f"shipped/{name}.jinja")
    return getattr(template.make_module({"now": now}), macro)


def filled(template: str, fmt: BodyFormat, values: Mapping[str, object]) -> str:
    """The template, filled with the values.

    Raises:
        NotifyError: the values do not fit.
    """
    try:
        return words(fmt).get_template(f"{template}.jinja").render(values)
    except TemplateError as error:
        raise NotifyError(f"the words of {template} do not fit the facts") from error


@pass_context
def clock(context: Context, moment: datetime) -> str:
    """The time in UTC: `17:59 UTC`."""
    return moments.clock(moment, context["now"])


@pass_context
def exactly(context: Context, moment: datetime) -> str:
    """The time in UTC, with seconds if it is near: `17:59:12 UTC`."""
    return moments.exact(moment, context["now"])


@pass_context
def to_the_second(context: Context, moment: datetime) -> str:
    """The time in UTC, always with seconds: `17:59:12 UTC`."""
    return moments.to_the_second(moment, context["now"])


@pass_context
def span(context: Context, first: datetime, last: datetime) -> str:
    """A range of times in UTC: `15:02 to 16:17 UTC`."""
    return moments.span(first, last, context["now"])


@pass_context
def when(context: Context, moment: datetime) -> str:
    """The time with its distance: `17:59 UTC, in 42 min`; `16:02 UTC, 1 h 15 min ago`."""
    now = context["now"]
    return f"{moments.exact(moment, now)}, {moments.distance(moment, now)}"


@pass_context
def distance(context: Context, moment: datetime) -> str:
    """The time relative to now: `in 42 min`."""
    return moments.distance(moment, context["now"])


@pass_context
def at(context: Context, moment: datetime) -> str:
    """The time with its distance, for a title: `17:59 UTC (in 42 min)`."""
    now = context["now"]
    return f"{moments.exact(moment, now)} ({moments.distance(moment, now)})"


def by_vm(items: Iterable[ItemView]) -> list[list[ItemView]]:
    """The items grouped by VM, in the order of first appearance."""
    groups: dict[str, list[ItemView]] = {}
    for item in items:
        groups.setdefault(item.fingerprint.subject, []).append(item)
    return list(groups.values())

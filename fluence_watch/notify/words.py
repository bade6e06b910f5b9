"""The templates, and the filters that they may use; nothing of a message is decided here."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from shlex import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup as Safe

from fluence_watch.model import moment as moments
from fluence_watch.model.duration import rough
from fluence_watch.model.finding import Fingerprint, shown_account
from fluence_watch.model.money import plain, to_pay, usdc
from fluence_watch.model.text import inert, short_id
from fluence_watch.notify.markup import MARKUPS, BodyFormat


@dataclass(frozen=True, slots=True)
class ItemView:
    """An item as templates see it; times are UTC.

    `told_at` is when the message was made. `over` says of a firing item whether it is over by
    now; `None` is unknown.
    """

    fingerprint: Fingerprint
    facts: object
    active_at: datetime
    ends_at: datetime | None
    repeated: bool
    told_at: datetime
    over: bool | None

    @property
    def account(self) -> str:
        """The account's name."""
        return self.fingerprint.account

    @property
    def rule(self) -> str:
        """The rule's name."""
        return self.fingerprint.rule


@cache
def words(fmt: BodyFormat) -> Environment:
    """The templates for a format; all that they print is made harmless in its way."""
    markup = MARKUPS[fmt]

    def harmless(value: object) -> Safe:
        return value if isinstance(value, Safe) else markup.text(str(value))

    environment = Environment(
        loader=PackageLoader("fluence_watch.notify"),
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
        "at": at,
        "code": markup.code,
        "command": markup.command,
        "heading": markup.heading,
        "item": markup.item,
        "paragraph": markup.paragraph,
        "plain": plain,
        "quoted": lambda word: quote(inert(word)),
        "rough": rough,
        "section": markup.section,
        "short": short_id,
        "shown_account": shown_account,
        "strong": markup.strong,
        "to_pay": to_pay,
        "usdc": usdc,
        "when": when,
    }
    return environment


@pass_context
def clock(context: Context, moment: datetime) -> str:
    """The time in UTC: `17:59 UTC`."""
    return moments.clock(moment, context["now"])


@pass_context
def when(context: Context, moment: datetime) -> str:
    """The time with its distance: `17:59 UTC, in 42 min`; `16:02 UTC, 1 h 15 min ago`."""
    now = context["now"]
    return f"{moments.clock(moment, now)}, {moments.distance(moment, now)}"


@pass_context
def at(context: Context, moment: datetime) -> str:
    """The time with its distance, for a title: `17:59 UTC (in 42 min)`."""
    now = context["now"]
    return f"{moments.clock(moment, now)} ({moments.distance(moment, now)})"


def by_vm(items: Iterable[ItemView]) -> list[list[ItemView]]:
    """The items of each VM together, in the order in which the VMs come first."""
    groups: dict[str, list[ItemView]] = {}
    for item in items:
        groups.setdefault(item.fingerprint.subject, []).append(item)
    return list(groups.values())

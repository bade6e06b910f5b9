"""A message in its plainest form. It uses no template.

It is for messages that cannot be rendered, and for those that a receiver refuses.
"""

from collections.abc import Sequence

from fluence_watch.alerting.grouping import Item, Message
from fluence_watch.model.finding import shown_account
from fluence_watch.notify.markup import MARKUPS, BodyFormat

_RULES = 3


def plain_title(message: Message) -> str:
    """The count and the rules of the alerts, and the account."""
    status = message.counts[0].status
    rules = list(dict.fromkeys(c.rule for c in message.counts if c.status is status))
    number = message.number(status)
    return f"[{status.upper()}:{number}] {_first(rules)} · {shown_account(message.account)}"


def plain_body(message: Message, items: Sequence[Item], fmt: BodyFormat) -> str:
    """The alerts by their ids, and the command that shows the rest."""
    markup = MARKUPS[fmt]
    lines = [markup.item(markup.text(_line(item))) for item in items]
    if more := message.number() - len(items):
        lines.append(markup.item(markup.text(f"and {more} more")))
    says = markup.text("The details are left out; this shows them: ")
    command = markup.command("fluence-watch alerts")
    return "".join((*lines, markup.paragraph(f"{says} {command}"))).strip()


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:_RULES]) + (", …" if len(names) > _RULES else "")


def _line(item: Item) -> str:
    account, rule, subject, key = item.fingerprint
    what = " ".join(part for part in (rule, subject, key) if part)
    state = item.severity.upper() if item.firing else item.status.upper()
    return f"{state}: {what}, account {shown_account(account)}"

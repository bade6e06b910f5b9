"""A message in its plainest form, for when rendering fails: it uses no template."""

from collections.abc import Sequence

from fluence_watch.alerting.grouping import Item, Message
from fluence_watch.model.finding import shown_account
from fluence_watch.notify.markup import MARKUPS, BodyFormat

_RULES = 3


def plain_title(messages: Sequence[Message]) -> str:
    """The count, rules and accounts of the alerts."""
    counts = [count for message in messages for count in message.counts]
    fires = [count for count in counts if count.firing]
    number = sum(count.number for count in fires or counts)
    rules = list(dict.fromkeys(count.rule for count in fires or counts))
    accounts = list(dict.fromkeys(shown_account(message.account) for message in messages))
    kind = "FIRING" if fires else "RESOLVED"
    return f"[{kind}:{number}] {_first(rules)} · {_first(accounts)}"


def plain_body(messages: Sequence[Message], items: Sequence[Item], fmt: BodyFormat) -> str:
    """The alerts by their ids, and the command that shows the rest."""
    markup = MARKUPS[fmt]
    total = sum(count.number for message in messages for count in message.counts)
    lines = [markup.item(markup.text(_line(item))) for item in items]
    if total > len(items):
        lines.append(markup.item(markup.text(f"and {total - len(items)} more")))
    says = markup.text("The details could not be rendered; this shows them: ")
    command = markup.command("fluence-watch alerts")
    return "".join((*lines, markup.paragraph(f"{says} {command}"))).strip()


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:_RULES]) + (", …" if len(names) > _RULES else "")


def _line(item: Item) -> str:
    account, rule, subject, key = item.fingerprint
    what = " ".join(part for part in (rule, subject, key) if part)
    state = item.severity.upper() if item.firing else "RESOLVED"
    return f"{state}: {what}, account {shown_account(account)}"

"""The formats of a message: how each writes a value, a heading or a list item.

Templates contain the words and mark them up with the filters of a `Markup`.
Everything else in a message is data, made harmless in two steps:

  1. `model.text.inert` drops control, bidirectional and zero-width characters, folds line breaks
     and bounds the length, in every format.
  2. `inert` replaces the characters that chat services act on by look-alikes: `<!channel>`,
     `@everyone`, `<@id>` and a backtick that would end a code span. Text and HTML for a chat need
     it like Markdown: Discord reads text for mentions, Telegram and Matrix read HTML for them.
     In a mail, on a page of ours, on a terminal and in JSON these characters have no effect, and stay.

Then HTML escapes the rest, and Markdown puts whatever is not plainly harmless into a code
span, where services do not interpret it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from markupsafe import Markup as Safe
from markupsafe import escape

from fluence_watch.alerting.grouping import Link
from fluence_watch.model.text import inert as one_line
from fluence_watch.notify import mail

LONGEST = 200
_LOOKALIKES = str.maketrans("<>@`", "‹›＠ˋ")  # noqa: RUF001 - that they look alike is the point
_HARMLESS = re.compile(r"(?:[^\W_]|[ /:.,+·…-](?!/))*")


class BodyFormat(StrEnum):
    """The format of a body.

    `TEXT`, `MARKDOWN` and `HTML` (a few tags) are for services that may act on what they show.
    `PLAIN` text, a `MAIL` and a `PAGE` of our own are shown unchanged.
    """

    PLAIN = "plain"
    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"
    MAIL = "mail"
    PAGE = "page"

    @property
    def syntax(self) -> str:
        """`text`, `markdown` or `html`: a mail is an HTML document, and a page has a part of one."""
        if self is BodyFormat.PLAIN:
            return "text"
        return "html" if self in {BodyFormat.MAIL, BodyFormat.PAGE} else self.value

    @property
    def of_title(self) -> "BodyFormat":
        """The format of the title above such a body: text, in every format."""
        kept = self in {BodyFormat.PLAIN, BodyFormat.MAIL, BodyFormat.PAGE}
        return BodyFormat.PLAIN if kept else BodyFormat.TEXT


def inert(text: str, longest: int = LONGEST) -> str:
    """The text on one line, without anything that a chat service acts on."""
    return one_line(text, longest).translate(_LOOKALIKES).replace("](", "] (")


class DataMarkup(Protocol):
    """Makes a value of at most so many characters harmless."""

    def __call__(self, value: str, longest: int = LONGEST, /) -> Safe:
        """The value as this format shows it."""
        ...


BlockMarkup = Callable[[str], Safe]
TonedMarkup = Callable[[str, str], Safe]
"""A block in a tone: `critical`, `warning`, `info` or `resolved`."""
LinksMarkup = Callable[[Iterable[Link]], Safe]
"""The links of an item; their words and addresses are our own."""
BarMarkup = Callable[[str, int, str], Safe]
"""A block with a bar below it, so many percent long, in a tone."""


@dataclass(frozen=True, slots=True)
class Markup:
    """One format: `text`, `code` and `command` take data, the others take markup.

    In a block, a line break is a blank, and a blank line begins a new line of an item.
    A `page` consists of a whole body and its title.
    """

    text: DataMarkup
    code: DataMarkup
    command: DataMarkup
    strong: BlockMarkup
    heading: TonedMarkup
    paragraph: BlockMarkup
    item: BlockMarkup
    links: LinksMarkup
    section: TonedMarkup = lambda block, _: _safe(block)
    bar: BarMarkup = lambda block, _percent, _tone: _listed(block)
    has_bars: bool = False
    page: TonedMarkup = lambda body, _: _safe(body)


def _safe(markup: str) -> Safe:
    return Safe(markup)  # noqa: S704 - of templates and harmless data alone, by the rules above


def _plain(value: str, longest: int = LONGEST, /) -> Safe:
    return _safe(one_line(value, longest))


def _chat(value: str, longest: int = LONGEST, /) -> Safe:
    return _safe(inert(value, longest))


def _markdown(value: str, longest: int = LONGEST, /) -> Safe:
    shown = inert(value, longest)
    return _safe(shown if _HARMLESS.fullmatch(shown) else f"`{shown}`")


def _markdown_code(value: str, longest: int = LONGEST, /) -> Safe:
    return _safe(f"`{inert(value, longest)}`")


def _html(value: str, longest: int = LONGEST, /) -> Safe:
    return escape(inert(value, longest))


def _html_code(value: str, longest: int = LONGEST, /) -> Safe:
    return _safe(
        f"<samp>{_html(value, longest)}</samp>"
    )  # <code> would break the line in plain text


def _mail(value: str, longest: int = LONGEST, /) -> Safe:
    return escape(one_line(value, longest))


def _mail_code(value: str, longest: int = LONGEST, /) -> Safe:
    return mail.code(_mail(value, longest))


def _mail_command(value: str, longest: int = LONGEST, /) -> Safe:
    return mail.command(_mail(value, longest))


def _page_code(value: str, longest: int = LONGEST, /) -> Safe:
    return _safe(f"<code>{_mail(value, longest)}</code>")


def _page_command(value: str, longest: int = LONGEST, /) -> Safe:
    return _safe(f'<code class="command">{_mail(value, longest)}</code>')


def _page_heading(block: str, tone: str) -> Safe:
    level = "ok" if tone == "resolved" else tone
    return _safe(f'<h3 class="{level}"><span class="mark">{" ".join(block.split())}</span></h3>\n')


def _page_item(block: str) -> Safe:
    lines = "".join(f"<div>{line}</div>" for line in _lines(block))
    return _safe(f"<ul><li>{lines}</li></ul>\n")


def _around(before: str, after: str) -> BlockMarkup:
    return lambda block: _safe(f"{before}{' '.join(block.split())}{after}")


def _toned(markup: BlockMarkup) -> TonedMarkup:
    """The same in every tone."""
    return lambda block, _: markup(block)


def _lines(block: str) -> list[str]:
    folded = (" ".join(line.split()) for line in re.split(r"\n\s*\n", block))
    return [line for line in folded if line]


def _listed(block: str) -> Safe:
    lines = _lines(block)
    gap = "\n" if len(lines) > 1 else ""
    return _safe(f"{gap}- " + "\n  ".join(lines) + f"\n{gap}")


def _bare(links: Iterable[Link]) -> Safe:
    """Each address on a line of its own, below what it is for."""
    return _safe("\n\n".join(f"{words}:\n\n{url}" for words, url in links))


def _joined(link: str) -> LinksMarkup:
    """The links beside each other; `link` is the format of one."""
    return lambda links: _safe(" · ".join(link.format(words, url) for words, url in links))


_TEXT = Markup(
    text=_chat,
    code=_chat,
    command=_chat,
    strong=_safe,
    heading=_toned(_around("\n", "\n\n")),
    paragraph=_around("\n", "\n"),
    item=_listed,
    links=_bare,
)

MARKUPS: Mapping[BodyFormat, Markup] = {
    BodyFormat.PLAIN: replace(_TEXT, text=_plain, code=_plain, command=_plain),
    BodyFormat.TEXT: _TEXT,
    BodyFormat.MARKDOWN: Markup(
        text=_markdown,
        code=_markdown_code,
        command=_markdown_code,
        strong=_around("**", "**"),
        heading=_toned(_around("\n**", "**\n\n")),
        paragraph=_around("\n", "\n"),
        item=_listed,
        links=_joined("[{0}]({1})"),
    ),
    BodyFormat.HTML: Markup(
        text=_html,
        code=_html_code,
        command=_html_code,
        strong=_around("<b>", "</b>"),
        heading=_toned(_around("<h3>", "</h3>\n")),
        paragraph=_around("<p>", "</p>\n"),
        item=lambda block: _safe("<p>• " + "<br>\n".join(_lines(block)) + "</p>\n"),
        links=_joined('<a href="{1}">{0}</a>'),
    ),
    BodyFormat.MAIL: Markup(
        text=_mail,
        code=_mail_code,
        command=_mail_command,
        strong=_around("<b>", "</b>"),
        heading=mail.heading,
        paragraph=mail.paragraph,
        item=lambda block: mail.item(_lines(block)),
        links=_joined('<a href="{1}" style="color:inherit">{0}</a>'),
        section=mail.section,
        bar=mail.bar,
        has_bars=True,
        page=lambda body, title: mail.page(_safe(body), title),
    ),
    BodyFormat.PAGE: Markup(
        text=_mail,
        code=_page_code,
        command=_page_command,
        strong=_around("<b>", "</b>"),
        heading=_page_heading,
        paragraph=_around("<p>", "</p>\n"),
        item=_page_item,
        links=_joined('<a href="{1}">{0}</a>'),
    ),
}

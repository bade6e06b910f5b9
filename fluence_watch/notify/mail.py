"""The layout of a mail: a document that mail clients show well, light and dark, at any width.

Mail clients support little of HTML and CSS. So every colour is inline; `<style>` only adds the
dark mode, and nothing is lost without it.
Apprise makes the plain-text part from the same document: a `<div>` or `<p>` begins a line there,
`<li>` a list item, and a hidden `<br>` leaves an empty line.
"""

from collections.abc import Mapping
from string import Template

from markupsafe import Markup as Safe
from markupsafe import escape

_FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_MONO = "font-family:ui-monospace,SFMono-Regular,Consolas,Menlo,monospace"
_COLOURS: Mapping[str, str] = {
    "critical": "#b91c1c",
    "warning": "#9a5b00",
    "info": "#1d5fa8",
    "resolved": "#1c7a3f",
}
_PAGE = Template(
    """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>$title</title>
<style>
:root { color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  .page { background: #0f1216 !important; color: #e4e7eb !important; }
  .card { background: #191e24 !important; border-top-color: #2b323b !important; border-right-color: #2b323b !important; border-bottom-color: #2b323b !important; }
  .item { border-color: #2b323b !important; }
  .track { background: #2b323b !important; }
  .filled { filter: brightness(1.5); }
  .command { background: #0b0e12 !important; border-color: #3b4450 !important; color: #e4e7eb !important; }
}
</style>
</head>
<body class="page" style="margin:0;padding:0;background:#eef0f3;color:#1c2128">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" class="page" style="background:#eef0f3;color:#1c2128"><tr><td align="center" style="padding:16px 8px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="max-width:600px"><tr><td align="left" style="$font;font-size:15px;line-height:1.5;word-break:break-word;overflow-wrap:anywhere">
$content
</td></tr></table>
</td></tr></table>
</body>
</html>"""
)


def page(content: Safe, title: str) -> Safe:
    """The whole document around the body of a message."""
    filled = _PAGE.substitute(title=escape(title), font=_FONT, content=content)
    return _safe(filled)


def section(block: str, tone: str) -> Safe:
    """A card around the items of one rule and severity."""
    border = f"border:1px solid #d5d9df;border-left:4px solid {_COLOURS[tone]};border-radius:6px"
    style = f"{border};background:#ffffff;margin:0 0 16px;overflow:hidden"
    return _safe(f'<div class="card" style="{style}">{block.strip()}</div>\n')


def heading(block: str, tone: str) -> Safe:
    """The severity and the rule, in the severity's colour."""
    style = f"margin:0;padding:6px 16px;font-size:13px;line-height:1.5;background:{_COLOURS[tone]};color:#ffffff"
    return _safe(f'<h2 style="{style}">{_folded(block)}</h2>\n')


def paragraph(block: str) -> Safe:
    """A paragraph; a `<div>`, because it may contain a command."""
    return _safe(f'<div style="margin:0;padding:12px 16px">{_folded(block)}</div>\n')


def item(lines: list[str]) -> Safe:
    """An item of a list, of one or more lines."""
    first, *more = lines or [""]
    rest = "".join(f'<div style="margin-top:8px">{line}</div>' for line in more)
    end = "\n" if more else ""
    ul = "list-style:none;margin:0;padding:0"
    li = "margin:0;padding:12px 16px;border-top:1px solid #e4e7eb"
    return _safe(f'<ul style="{ul}"><li class="item" style="{li}">{first}{rest}</li></ul>{end}')


def code(text: Safe) -> Safe:
    """A name or a value; `<code>` would break the line in plain text."""
    return _safe(f'<samp style="{_MONO};font-size:14px">{text}</samp>')


def command(text: Safe) -> Safe:
    """A command in its own box; one click selects it whole."""
    box = "background:#f3f5f7;border:1px solid #cfd5dc;border-radius:4px;color:#1c2128"
    text_style = f"{_MONO};font-size:13px;word-break:break-word;overflow-wrap:anywhere"
    style = f"margin:4px 0 0;padding:8px 10px;{box};{text_style};-webkit-user-select:all;user-select:all"
    return _safe(f'<div class="command" style="{style}">{text}</div>')


def bar(block: str, percent: int, tone: str) -> Safe:
    """A line with a bar below it: two cells of a table, which every client shows.

    The line has the number, so the bar is hidden from screen readers, and nothing is lost without it.
    """
    filled = f"background:{_COLOURS[tone]}"
    cells = (_cell(percent, "filled", filled), _cell(100 - percent, "track", "background:#e4e7eb"))
    table = 'role="presentation" aria-hidden="true" width="100%" cellpadding="0" cellspacing="0"'
    row = f'<table {table} style="margin:3px 0 0"><tr>{"".join(cells)}</tr></table>'
    style = "margin:0;padding:4px 16px 8px;font-size:13px;line-height:1.4"
    return _safe(f'<div style="{style}">{_folded(block)}{row}</div>')


def _cell(percent: int, css: str, style: str) -> str:
    if not percent:
        return ""
    size = f'class="{css}" width="{percent}%" height="6"'
    return f'<td {size} style="{style};height:6px;font-size:0;line-height:0"></td>'


def _folded(block: str) -> str:
    return " ".join(block.split())


def _safe(markup: str) -> Safe:
    return Safe(markup)  # noqa: S704 - of templates and data that is escaped already, see markup.py

"""The status page as HTML: no script, and one style sheet, allowed by its hash.

Jinja costs 2 MB and is loaded with this module, at the first request of the page.
"""

from collections.abc import Sequence
from functools import cache, partial

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from fluence_watch import __version__
from fluence_watch.model.finding import WATCHER, shown_account
from fluence_watch.model.funding import FOREVER
from fluence_watch.model.moment import clock, distance, exact
from fluence_watch.model.text import counted, inert, short_id
from fluence_watch.web.status import StatusView
from fluence_watch.web.style import STYLE

_PORTS = 4


@cache
def environment() -> Environment:
    """The templates of pages, with their filters."""
    made = Environment(
        loader=PackageLoader("fluence_watch.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "clean": inert,
        "counted": counted,
        "listed": listed,
        "plain": lambda amount: format(amount, "f"),
        "short": short_id,
    }
    made.globals |= {
        "forever": FOREVER,
        "style": Markup(STYLE),  # noqa: S704 - our own file
        "version": __version__,
        "watcher": shown_account(WATCHER),
    }
    return made


def listed(ports: Sequence[str]) -> str:
    """The first ports, and the number of the others."""
    text = ", ".join(inert(each, 40) for each in ports[:_PORTS]) or "none"
    more = len(ports) - _PORTS
    return f"{text} and {more} more" if more > 0 else text


@cache
def _template() -> Template:
    """The page's template, loaded at the first use because it costs 2 MB."""
    return environment().get_template("status.html")


def render_status(view: StatusView) -> str:
    """The whole page; every text is escaped."""
    now = view.now
    times = {each.__name__: partial(each, now=now) for each in (clock, exact, distance)}
    return _template().render(view=view, **times)

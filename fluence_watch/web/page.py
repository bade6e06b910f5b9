"""The status page as HTML: no script, one style sheet, allowed by its hash."""

from base64 import b64encode
from collections.abc import Sequence
from functools import cache, partial
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from fluence_watch import __version__
from fluence_watch.model.finding import WATCHER, shown_account
from fluence_watch.model.funding import FOREVER
from fluence_watch.model.moment import clock, distance
from fluence_watch.model.text import inert, short_id
from fluence_watch.web.status import StatusView, counted

_PORTS = 4

_STYLE = (files("fluence_watch.web") / "templates" / "status.css").read_text("utf-8")

STYLE_HASH = f"sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}"
"""The source that a Content-Security-Policy must allow for the page's style."""


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("fluence_watch.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "clean": inert,
        "counted": counted,
        "listed": listed,
        "plain": lambda amount: format(amount, "f"),
        "short": short_id,
    }
    environment.globals |= {
        "forever": FOREVER,
        "style": Markup(_STYLE),  # noqa: S704 - our own file
        "version": __version__,
        "watcher": shown_account(WATCHER),
    }
    return environment


def listed(ports: Sequence[str]) -> str:
    """The first of the ports, and how many more there are."""
    text = ", ".join(inert(each, 40) for each in ports[:_PORTS]) or "none"
    more = len(ports) - _PORTS
    return f"{text} and {more} more" if more > 0 else text


@cache
def _template() -> Template:
    """The page's template; it costs 2 MB, for those alone who look at the page."""
    return _environment().get_template("status.html")


def render_status(view: StatusView) -> str:
    """The whole page; every text in it is escaped."""
    now = view.now
    return _template().render(
        view=view, clock=partial(clock, now=now), distance=partial(distance, now=now)
    )

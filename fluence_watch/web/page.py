"""The status page as HTML: no script, one style sheet, allowed by its hash."""

from base64 import b64encode
from functools import partial
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fluence_watch import __version__
from fluence_watch.model.funding import FOREVER
from fluence_watch.model.moment import clock, distance
from fluence_watch.model.money import plain
from fluence_watch.web.status import StatusView
from fluence_watch.web.words import counted

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
    environment.filters |= {"plain": plain, "counted": counted}
    environment.globals |= {"style": Markup(_STYLE), "version": __version__, "forever": FOREVER}  # noqa: S704 - our own file
    return environment


_TEMPLATE = _environment().get_template("status.html")


def render_status(view: StatusView) -> str:
    """The whole page; every text in it is escaped."""
    now = view.now
    return _TEMPLATE.render(
        view=view, clock=partial(clock, now=now), distance=partial(distance, now=now)
    )

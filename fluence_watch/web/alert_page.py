"""The pages of one alert as HTML, like the status page: no script, every text escaped."""

from functools import partial

from fluence_watch.model.moment import distance, to_the_second
from fluence_watch.web.alert import ActionView, AlertPageView
from fluence_watch.web.guard import content_policy
from fluence_watch.web.page import environment
from fluence_watch.web.style import STYLE_HASH

_UNKNOWN = ActionView(
    404,
    "There is no such alert",
    "Its id is wrong, or it is over for longer than resolved alerts are kept.",
)


def render_alert(view: AlertPageView) -> str:
    """The page of an alert."""
    return _filled(view, None, "../")


def render_action(view: ActionView) -> str:
    """The page of what a link does."""
    return _filled(view.page, view, "../../../")


def render_unknown() -> str:
    """The page of an alert that does not exist."""
    return _filled(None, _UNKNOWN, "../")


def policy(*, form: bool) -> str:
    """The Content-Security-Policy, which allows a form only where there is one."""
    return content_policy(STYLE_HASH, "'self'" if form else "'none'")


def _filled(page: AlertPageView | None, action: ActionView | None, root: str) -> str:
    """The page; `root` leads to the status page, behind a proxy's prefix too."""
    at = {} if page is None else {"now": page.now}
    times = {"clock": partial(to_the_second, **at), "distance": partial(distance, **at)}
    template = environment().get_template("alert.html")
    return template.render(page=page, action=action, root=root, **times)

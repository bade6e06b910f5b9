"""Messages in the shipped words. Light: what renders is loaded with the first message."""

from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fluence_watch.alerting.grouping import Message
    from fluence_watch.model.digest import Digest
    from fluence_watch.notify.markup import BodyFormat
    from fluence_watch.notify.render import Rendered

# ruff: noqa: PLC0415 - see above


class Words(Protocol):
    """Puts messages into words; see `render` and `digest`. May take long, so call it in a thread."""

    def render(
        self, message: "Message", fmt: "BodyFormat", now: datetime, longest: int | None = None, /
    ) -> "Rendered":
        """Render a message about alerts."""
        ...

    def render_digest(
        self, digest: "Digest", fmt: "BodyFormat", now: datetime, longest: int | None = None, /
    ) -> "Rendered":
        """Render a digest."""
        ...

    def render_test(
        self, receiver: str, fmt: "BodyFormat", now: datetime, longest: int | None = None, /
    ) -> "Rendered":
        """Render the message of `notify test`."""
        ...


class ShippedWords:
    """The shipped words."""

    def render(
        self, message: "Message", fmt: "BodyFormat", now: datetime, longest: int | None = None, /
    ) -> "Rendered":
        """Render a message about alerts."""
        from fluence_watch.notify.render import render

        return render(message, fmt, now, longest)

    def render_digest(
        self, digest: "Digest", fmt: "BodyFormat", now: datetime, longest: int | None = None, /
    ) -> "Rendered":
        """Render a digest."""
        from fluence_watch.notify.digest import render_digest

        return render_digest(digest, fmt, now, longest)

    def render_test(
        self, receiver: str, fmt: "BodyFormat", now: datetime, longest: int | None = None, /
    ) -> "Rendered":
        """Render the message of `notify test`."""
        from fluence_watch.notify.render import render_test

        return render_test(receiver, fmt, now, longest)


SHIPPED = ShippedWords()

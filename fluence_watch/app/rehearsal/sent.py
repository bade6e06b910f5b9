"""A message that a receiver would get."""

from dataclasses import dataclass
from datetime import datetime

from fluence_watch.alerting.grouping import Message, compose
from fluence_watch.alerting.telling import Line
from fluence_watch.app.wiring import RANKS
from fluence_watch.notify.markup import BodyFormat
from fluence_watch.notify.render import Rendered
from fluence_watch.notify.shipped import SHIPPED, Words


@dataclass(frozen=True, slots=True)
class Sent:
    """What one receiver would get at one time about one account; `WATCHER` is the watcher itself."""

    at: datetime
    receiver: str
    account: str
    lines: tuple[Line, ...]

    @property
    def message(self) -> Message:
        """The alerts in their order, those that do not fit counted."""
        return compose(self.receiver, self.account, self.lines, RANKS)

    def rendered(
        self,
        words: Words = SHIPPED,
        fmt: BodyFormat = BodyFormat.PLAIN,
        longest: int | None = None,
    ) -> Rendered:
        """Its title and body; `words` are those of the settings, see `wiring.read_words`."""
        return words.render(self.message, fmt, self.at, longest)

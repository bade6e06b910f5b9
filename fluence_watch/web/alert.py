"""The data of the page of one alert, and of the page of what a link does to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fluence_watch.alerting.muting import Mute
from fluence_watch.model.finding import VmRef
from fluence_watch.views.alert import AlertView
from fluence_watch.views.why import Step, Summary


@dataclass(frozen=True, slots=True)
class AlertPageView:
    """An alert as of `now`. `vm` is `None` if it is of none.

    `body` is what a message says of it, as HTML in which every name is harmless.
    `steps` are what happened to it, in the order of time, `receivers` what each of them got, or why not.
    `is_cut` is whether earlier steps are left out. `mutes` are what keeps messages back now.
    """

    now: datetime
    alert: AlertView
    title: str
    body: str
    vm: VmRef | None
    steps: Sequence[Step] = ()
    receivers: Sequence[Summary] = ()
    is_cut: bool = False
    mutes: Sequence[Mute] = ()

    @property
    def level(self) -> str:
        """What decides the colour: its severity while it is open, else `ok`."""
        return "ok" if self.alert.ended_at else self.alert.severity.value


@dataclass(frozen=True, slots=True)
class ActionView:
    """What a link would do, did, or why it does nothing.

    `code` is the HTTP status, `button` the words of the form, empty if there is nothing to do.
    `page` is that of the alert, where there is one.
    """

    code: int
    title: str
    text: str
    button: str = ""
    page: AlertPageView | None = None

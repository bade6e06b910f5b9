"""The pages of single alerts, from the store: those that are over too, as long as they are kept."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from threading import Lock

import structlog

from fluence_watch.alerting.grouping import compose
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.links import LinkError, read_token
from fluence_watch.alerting.muting import Mute
from fluence_watch.alerting.telling import Line, Reason
from fluence_watch.app.board import Board
from fluence_watch.app.clock import Clock
from fluence_watch.app.mutes import current
from fluence_watch.app.why import Question, alert_why, recipients
from fluence_watch.app.wiring import EVENTS, RANKS, Setup
from fluence_watch.model.finding import vm_of
from fluence_watch.notify.markup import BodyFormat
from fluence_watch.notify.render import Rendered, render, render_plainly
from fluence_watch.store import Store
from fluence_watch.threads import RENDERING, STORE
from fluence_watch.views.alert import alert_view
from fluence_watch.web.alert import ActionView, AlertPageView

_log = structlog.get_logger(__name__)

_ONE_AT_A_TIME = Lock()
"""So that of two requests with the same link, the second sees what the first did."""


class AlertPages:
    """The pages, by the settings of the setup."""

    def __init__(self, store: Store, board: Board, clock: Clock, setup: Setup) -> None:
        self._store = store
        self._board = board
        self._clock = clock
        self._setup = setup

    def page(self, alert_id: str) -> AlertPageView | None:
        """The page of an alert; `None` if it is not known, or not any more."""
        found = self._store.alert(alert_id)
        return None if found is None else self._view(found)

    def asked(self, alert_id: str, action: str, token: str) -> ActionView:
        """What the link would do. Changes nothing."""
        return self._shown(*self._answer(alert_id, action, token, do=False))

    async def carry_out(self, alert_id: str, action: str, token: str) -> ActionView:
        """Do what the link says, once."""
        answer = await STORE.run(self._answer, alert_id, action, token, do=True)
        return await RENDERING.run(self._shown, *answer)

    def _answer(
        self, alert_id: str, action: str, token: str, *, do: bool
    ) -> tuple[ActionView, Alert | None]:
        from fluence_watch.app import link_actions  # noqa: PLC0415 - only with links

        now, secret = self._clock(), self._setup.settings.server.secret
        try:
            order = read_token(action, alert_id, token, secret, now)
        except LinkError as error:
            return ActionView(403, "Nothing was done", str(error)), None
        with _ONE_AT_A_TIME:
            alert = self._store.alert(alert_id)
            if alert is None:
                return ActionView(404, "Nothing was done", "There is no such alert any more."), None
            return link_actions.answer(self._store, alert, order, now, do=do), alert

    def _shown(self, answer: ActionView, alert: Alert | None) -> ActionView:
        return answer if alert is None else replace(answer, page=self._view(alert))

    def _view(self, alert: Alert) -> AlertPageView:
        now = self._clock()
        asked = Question(now, recipients(self._store, self._setup, now))
        said, why = _said(alert, now), alert_why(self._store, alert, asked)
        return AlertPageView(
            now,
            alert_view(alert, now, lambda *_: ""),
            said.title,
            said.body,
            vm_of(alert.facts),
            why.steps,
            why.receivers,
            why.is_cut,
            self._mutes(alert, now),
        )

    def _mutes(self, alert: Alert, now: datetime) -> Sequence[Mute]:
        """What keeps it back, and who takes care of it: either may last longer."""
        if alert.state is State.RESOLVED:
            return ()
        mutes = current(self._setup.mutes, self._store, now)
        polled = self._board.polled().get(alert.fingerprint.account)
        others = polled.state.alerts.values() if polled else ()
        found = mutes.among(others)(alert, now), mutes.acknowledgement(alert, now)
        return [each for each in found if each]


def _said(alert: Alert, now: datetime) -> Rendered:
    """What a message says of the alert; what cannot be rendered does not break the page."""
    over = alert.state is State.RESOLVED and alert.fingerprint.rule not in EVENTS
    line = Line(alert, Reason.RESOLVED if over else Reason.FIRST, alert.active_at)
    message = compose("page", alert.fingerprint.account, [line], RANKS)
    try:
        return render(message, BodyFormat.PAGE, now)
    except Exception:  # noqa: BLE001 - whatever it is
        _log.exception("internal error, please report it", where="page")
        return render_plainly(message, BodyFormat.PAGE)

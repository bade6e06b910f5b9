"""All that keeps messages back: what the settings say, and what commands have stored."""

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from fluence_watch.alerting.inhibition import FIXED, Inhibit
from fluence_watch.alerting.matchers import parse_matchers
from fluence_watch.alerting.matching import GIVE_UP_AFTER
from fluence_watch.alerting.muting import Mutes
from fluence_watch.app.clock import Clock
from fluence_watch.errors import StoreError
from fluence_watch.rules import RULES
from fluence_watch.settings import WatchSettings
from fluence_watch.threads import STORE

if TYPE_CHECKING:
    from fluence_watch.store import Store

_log = structlog.get_logger(__name__)

_OF_RULES = tuple(
    Inhibit(
        parse_matchers(f"rule={rule.name}"),
        parse_matchers(f'rule=~"{"|".join(sorted(rule.mutes))}"'),
        ("account", "vm_id"),
    )
    for rule in RULES
    if rule.mutes
)
"""Rules that speak in place of others: what these notified of before is not repeated meanwhile."""


def configured(settings: WatchSettings) -> Mutes:
    """Maintenance and inhibition."""
    maintenance = tuple(each.maintenance for each in settings.maintenance)
    inhibits = (*FIXED, *_OF_RULES, *(each.inhibit for each in settings.inhibit))
    return Mutes((), maintenance, inhibits)


def current(mutes: Mutes, store: "Store", now: datetime) -> Mutes:
    """The same with the silences and acknowledgements of the store, those that ended lately included."""
    stored = store.silences
    silences = stored.all(since=now - GIVE_UP_AFTER)
    return replace(mutes, silences=silences, acknowledged=stored.acknowledged())


class Readings:
    """Readings of what keeps messages back. Several may run side by side; the last to begin counts.

    `configured` is what the settings say. `known` is whether the store was ever read.
    """

    def __init__(self, store: "Store", clock: Clock) -> None:
        self.configured = Mutes()
        self.known = False
        self._store = store
        self._clock = clock
        self._begun = self._adopted = 0

    async def read(self) -> Mutes | None:
        """What keeps messages back now; `None` if the store fails, or a later reading was faster."""
        self._begun += 1
        number = self._begun
        try:
            mutes = await STORE.run(current, self.configured, self._store, self._clock())
        except StoreError as error:
            _log.error("cannot read silences: those known before count", error=str(error))
            return None
        if number < self._adopted:
            return None
        self._adopted, self.known = number, True
        return mutes

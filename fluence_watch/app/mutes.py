"""All that keeps messages back: what the settings say, and what commands have stored."""

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from fluence_watch.alerting.inhibition import FIXED, Inhibit
from fluence_watch.alerting.matchers import parse_matchers
from fluence_watch.alerting.matching import GIVE_UP_AFTER
from fluence_watch.alerting.muting import Mutes
from fluence_watch.rules import RULES
from fluence_watch.settings import WatchSettings

if TYPE_CHECKING:
    from fluence_watch.store import Store

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

"""Checks across settings that are valid one by one.

A check is a pure function over settings of the right types and within bounds.
Settings that cannot work are an error. Settings that work, but hardly as intended, are a note.
"""

from collections.abc import Callable, Iterable, Iterator

from fluence_watch.settings.checks import (
    accounts,
    alertmanagers,
    budgets,
    digests,
    escalation,
    heartbeat,
    inhibiting,
    muting,
    receivers,
    record,
    server,
    timing,
)
from fluence_watch.settings.checks.doubt import Doubt
from fluence_watch.settings.model import WatchSettings

CHECKS: tuple[Callable[[WatchSettings], Iterable[Doubt]], ...] = (
    accounts.some_account,
    accounts.names_differ,
    accounts.keys_are_usable,
    accounts.keys_differ,
    accounts.keys_travel_encrypted,
    accounts.epochs_count,
    accounts.expectations_apply,
    budgets.names_differ,
    budgets.something_counts,
    budgets.something_is_told,
    budgets.firing_ends_with_the_month,
    receivers.some_receiver,
    receivers.names_differ,
    receivers.urls_are_usable,
    receivers.urls_differ,
    receivers.globs_match,
    receivers.nothing_is_muted,
    receivers.something_is_sent,
    receivers.budgets_are_heard_of,
    receivers.nothing_is_stale,
    alertmanagers.urls_are_usable,
    alertmanagers.passwords_travel_encrypted,
    alertmanagers.its_settings_are_its_own,
    alertmanagers.its_work_is_its_own,
    alertmanagers.digests_go_elsewhere,
    alertmanagers.escalations_go_elsewhere,
    escalation.receivers_exist,
    escalation.nothing_goes_in_circles,
    escalation.times_have_an_effect,
    digests.receivers_exist,
    digests.digests_differ,
    heartbeat.address_is_usable,
    heartbeat.somebody_is_called,
    inhibiting.sides_differ,
    inhibiting.rules_are_enabled,
    inhibiting.labels_are_on_both_sides,
    muting.names_differ,
    muting.matchers_match,
    muting.maintenance_ends,
    muting.receivers_match,
    record.something_is_recorded,
    server.secret_is_usable,
    server.links_lead_somewhere,
    server.links_travel_encrypted,
    timing.poll_ends_before_the_next,
    timing.polls_keep_up,
    timing.some_rule,
    timing.charges_are_seen,
    timing.missing_is_confirmed,
    timing.fleets_are_confirmed,
    timing.low_balance_is_early,
    timing.topup_failed_is_early,
    timing.funds_end_in_steps,
    timing.account_low_is_early,
    timing.events_do_not_wait,
)

SECRETS = frozenset(
    {
        accounts.keys_are_usable,
        receivers.urls_are_usable,
        alertmanagers.urls_are_usable,
        heartbeat.address_is_usable,
        server.secret_is_usable,
    }
)
"""Those of keys, addresses and files: nothing that decides which message is sent depends on them."""


def doubts(settings: WatchSettings, *, secrets: bool = True) -> Iterator[Doubt]:
    """All findings of the checks; without `secrets`, nothing secret needs to be there."""
    for check in CHECKS:
        if secrets or check not in SECRETS:
            yield from check(settings)

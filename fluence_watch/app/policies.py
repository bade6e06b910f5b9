"""What the settings ask of the core: how accounts are watched, and who is notified. Nothing is built.

The daemon and a rehearsal of it begin here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from fluence_watch.alerting.escalation import Escalation
from fluence_watch.alerting.lifecycle import OUTAGE_TOLERANCE, Timing
from fluence_watch.alerting.matchers import read_matchers
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.muting import Mutes
from fluence_watch.app.decide import Policy
from fluence_watch.app.mutes import configured
from fluence_watch.model.billing import EPOCH
from fluence_watch.model.finding import WATCHER
from fluence_watch.rules import RULES
from fluence_watch.rules.base import Rule, RuleSettings
from fluence_watch.settings import PollSettings, ReceiverSettings, WatchSettings


@dataclass(frozen=True, slots=True)
class Policies:
    """The policy of each account, the route of each receiver, the escalations to it, and the mutes."""

    accounts: Mapping[str, Policy]
    routes: Mapping[str, Route]
    escalations: Mapping[str, tuple[Escalation, ...]]
    mutes: Mutes


def policies(settings: WatchSettings) -> Policies:
    """The policies of all accounts and receivers."""
    routes = {each.name: _route(each, settings) for each in settings.receivers}
    return Policies(
        {each.name: _policy(each.name, settings, each.epoch) for each in settings.accounts},
        routes,
        _escalations(settings, routes),
        configured(settings),
    )


def watcher_policy(settings: WatchSettings) -> Policy:
    """The policy for the watcher itself."""
    return _policy(WATCHER, settings)


def _policy(name: str, settings: WatchSettings, epoch: timedelta = EPOCH) -> Policy:
    rules = settings.by_rule
    return Policy(
        account=name,
        rules=rules,
        timings={rule.name: _timing(rule, rules[rule.name], settings.poll) for rule in RULES},
        presence=settings.presence,
        expectations=settings.expectations,
        epoch=epoch,
    )


def _timing(rule: Rule, settings: RuleSettings, poll: PollSettings) -> Timing:
    return Timing(
        settings.hold,
        settings.keep_firing_for,
        rule.sends_resolved,
        # a late or a missed poll is no outage
        outage_tolerance=max(OUTAGE_TOLERANCE, 3 * poll.interval),
    )


def _route(receiver: ReceiverSettings, settings: WatchSettings) -> Route:
    return Route(
        receiver=receiver.name,
        min_severity=receiver.min_severity,
        rules=receiver.rules,
        accounts=receiver.accounts,
        match=read_matchers(receiver.match),
        send_resolved=receiver.send_resolved,
        repeat_interval=receiver.repeat_interval,
        group_wait=receiver.group_wait,
        group_interval=receiver.group_interval,
        give_up_after=settings.delivery.give_up_after,
        active=receiver.active_times,
        critical_at_once=receiver.critical_at_once,
    )


def _escalations(
    settings: WatchSettings, routes: Mapping[str, Route]
) -> Mapping[str, tuple[Escalation, ...]]:
    """The escalations to each receiver. None goes in a circle: see the checks of settings."""

    def to(name: str) -> tuple[Escalation, ...]:
        return tuple(
            Escalation(routes[each.name], each.escalate_after, to(each.name))
            for each in settings.receivers
            if each.escalate_to == name and each.escalate_after
        )

    return {name: to(name) for name in routes}

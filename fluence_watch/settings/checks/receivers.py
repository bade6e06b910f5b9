"""Checks on receivers."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from fluence_watch.errors import NotifyError
from fluence_watch.model.finding import Severity
from fluence_watch.rules import (
    RULES,
    account_low,
    budget,
    funds_exhausted_soon,
    port_drift,
    vm_status,
)
from fluence_watch.sender.urls import describe
from fluence_watch.settings.checks.doubt import (
    Doubt,
    error,
    matching,
    names,
    note,
    rule_key,
    same_names,
    same_secrets,
    secret,
    twins,
    unmatched,
    unusable,
)
from fluence_watch.settings.environment import Loc
from fluence_watch.settings.model import DeliverySettings, WatchSettings
from fluence_watch.settings.receivers import ReceiverSettings
from fluence_watch.settings.secrets import check_apprise_url

_CRITICAL = {
    rule.NAME for rule in (port_drift, vm_status, budget, funds_exhausted_soon, account_low)
}
"""A closed port 22, an ended VM, a spent budget, money for a day, none: critical in any case."""


def some_receiver(settings: WatchSettings) -> Iterator[Doubt]:
    """There is at least one receiver."""
    if not settings.receivers:
        what = "there are no [[receivers]], and FLUENCE_WATCH_NOTIFY_URLS is not set: nobody is notified"
        yield note(what, ("receivers",))


def names_differ(settings: WatchSettings) -> Iterator[Doubt]:
    """Receiver names are unique."""
    return same_names("receivers", [receiver.name for receiver in settings.receivers])


def urls_are_usable(settings: WatchSettings) -> Iterator[Doubt]:
    """Each receiver has one URL that Apprise can use."""
    with suppress(
        NotifyError
    ):  # otherwise each is described by itself, and its error belongs to the receiver
        urls = (secret(receiver, "apprise_url") for receiver in settings.receivers)
        describe([url for url in urls if isinstance(url, str)])
    for doubt in unusable("receivers", "url", settings.receivers, _check_url):
        section, number, _ = doubt.where[0]
        where = (*doubt.where, *twins(str(section), int(number), "alertmanager"))
        yield replace(doubt, where=where)


def _check_url(receiver: ReceiverSettings) -> None:
    if not receiver.is_alertmanager or receiver.url or receiver.url_file:
        check_apprise_url(receiver.apprise_url)


def urls_differ(settings: WatchSettings) -> Iterator[Doubt]:
    """No receiver is notified twice."""
    seen = [secret(receiver, "apprise_url") for receiver in settings.receivers]
    return same_secrets("receivers", "url", seen, "URL", "what both receive arrives twice")


def globs_match(settings: WatchSettings) -> Iterator[Doubt]:
    """Each glob of a receiver matches an existing rule or account."""
    rules = [rule.name for rule in RULES]
    accounts = [account.name for account in settings.accounts]
    others = {digest.receiver for digest in settings.digests} | _escalated_to(settings)
    for number, receiver in enumerate(settings.receivers):
        where: Loc = ("receivers", number, "rules")
        dead = [glob for glob in receiver.rules if not matching((glob,), rules)]
        yield from (error(unmatched("rule", glob, rules), where) for glob in dead)
        yield from _accounts_match(receiver, ("receivers", number, "accounts"), accounts)
        if not receiver.accounts and receiver.name not in others:
            what = (
                "an empty list: this receiver is only notified of fluence-watch itself and budgets"
            )
            yield note(what, ("receivers", number, "accounts"))
        if not receiver.rules and receiver.name not in others:
            yield note("an empty list: this receiver is never notified", where)


def nothing_is_muted(settings: WatchSettings) -> Iterator[Doubt]:
    """Who is notified by a rule is also notified by those that speak in its place."""
    for number, receiver in enumerate(settings.receivers):
        for rule in RULES:
            muted = matching(receiver.rules, sorted(rule.mutes))
            if muted and not matching(receiver.rules, [rule.name]) and _is_on(settings, rule.name):
                what = f"{rule.name} is reported in place of {', '.join(muted)}: name it too"
                yield note(what, ("receivers", number, "rules"))


def _escalated_to(settings: WatchSettings) -> set[str]:
    """The receivers that others escalate to, whatever their own route takes."""
    return {each.escalate_to for each in settings.receivers if each.escalate_after}


def _is_on(settings: WatchSettings, rule: str) -> bool:
    return settings.by_rule[rule].enabled


def _accounts_match(
    receiver: ReceiverSettings, where: Loc, accounts: Sequence[str]
) -> Iterator[Doubt]:
    dead = [glob for glob in receiver.accounts if accounts and not matching((glob,), accounts)]
    never = len(dead) == len(receiver.accounts)
    for glob in dead:
        yield Doubt(
            (where, *names("accounts", accounts)), unmatched("account", glob, accounts), fatal=never
        )


def something_is_sent(settings: WatchSettings) -> Iterator[Doubt]:
    """At least one rule of each receiver is enabled, and severe enough for it."""
    some_enabled = any(rule.enabled for rule in settings.by_rule.values())
    escalated_to = _escalated_to(settings)
    for number, receiver in enumerate(settings.receivers):
        wanted = matching(receiver.rules, settings.by_rule)
        if (
            wanted
            and some_enabled
            and receiver.name not in escalated_to
            and not any(_is_sent(settings, name, receiver) for name in wanted)
        ):
            what = f"never notified: each of its rules is disabled or below {receiver.min_severity}"
            keys = [rule_key(name, key) for name in wanted for key in ("enabled", "severity")]
            place: Loc = ("receivers", number)
            yield note(what, (*place, "min_severity"), (*place, "rules"), *keys)


def budgets_are_heard_of(settings: WatchSettings) -> Iterator[Doubt]:
    """If there are budgets, some receiver is notified of them."""
    if not (settings.budgets and settings.receivers and _is_on(settings, budget.NAME)):
        return
    heard = any(
        matching(each.rules, [budget.NAME]) and _is_sent(settings, budget.NAME, each)
        for each in settings.receivers
    )
    if not heard:
        places: list[Loc] = [("receivers", at, "rules") for at in range(len(settings.receivers))]
        yield note("no receiver takes the rule budget: nobody is notified of budgets", *places)


def _is_sent(settings: WatchSettings, name: str, receiver: ReceiverSettings) -> bool:
    severity = Severity.CRITICAL if name in _CRITICAL else _severity(settings, name)
    return _is_on(settings, name) and severity.rank >= receiver.min_severity.rank


def _severity(settings: WatchSettings, name: str) -> Severity:
    """The highest that the rule has, or takes over from those that it mutes."""
    muted = next(rule.mutes for rule in RULES if rule.name == name)
    on = [name, *(each for each in muted if _is_on(settings, each))]
    return max((settings.by_rule[each].severity for each in on), key=lambda each: each.rank)


def nothing_is_stale(settings: WatchSettings) -> Iterator[Doubt]:
    """A setting of an earlier version is not relied upon."""
    if settings.delivery.stale_after != DeliverySettings().stale_after:
        what = "without effect: messages are written when they are sent; see delivery.give_up_after"
        yield note(what, ("delivery", "stale_after"))

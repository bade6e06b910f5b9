"""Checks on budgets."""

from collections.abc import Iterator

from fluence_watch.rules import budget
from fluence_watch.settings.checks.doubt import (
    Doubt,
    matching,
    names,
    note,
    rule_key,
    same_names,
    unmatched,
)
from fluence_watch.settings.model import WatchSettings


def names_differ(settings: WatchSettings) -> Iterator[Doubt]:
    """Budget names are unique."""
    return same_names("budgets", [each.name for each in settings.budgets])


def something_counts(settings: WatchSettings) -> Iterator[Doubt]:
    """Each glob on accounts matches an existing one, and no list of globs is empty."""
    accounts = [account.name for account in settings.accounts]
    for number, each in enumerate(settings.budgets):
        dead = [glob for glob in each.accounts if accounts and not matching((glob,), accounts)]
        where = ("budgets", number, "accounts")
        for glob in dead:
            yield note(unmatched("account", glob, accounts), where, *names("accounts", accounts))
        for key in ("accounts", "vms"):
            if not getattr(each, key):
                yield note("an empty list: nothing counts", ("budgets", number, key))


def something_is_told(settings: WatchSettings) -> Iterator[Doubt]:
    """Each budget has something to notify of, and its rule is enabled."""
    for number, each in enumerate(settings.budgets):
        if not each.thresholds and not each.forecast:
            keys = [("budgets", number, key) for key in ("thresholds", "forecast")]
            yield note("nothing is notified: it has no thresholds and no forecast", *keys)
    if settings.budgets and not settings.by_rule[budget.NAME].enabled:
        what = "nobody is notified of budgets: the rule is disabled"
        yield note(what, rule_key(budget.NAME, "enabled"), ("budgets",))


def firing_ends_with_the_month(settings: WatchSettings) -> Iterator[Doubt]:
    """What fires of a budget ends with its month, not some time after its condition."""
    if settings.by_rule[budget.NAME].keep_firing_for:
        what = "without effect: it fires until the month is over"
        yield note(what, rule_key(budget.NAME, "keep_firing_for"))

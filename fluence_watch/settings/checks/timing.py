"""Checks on the timing of polls and rules."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TypeVar

from fluence_watch.model.billing import EPOCH
from fluence_watch.model.duration import short
from fluence_watch.rules import RULES
from fluence_watch.rules.account_low import AccountLowSettings
from fluence_watch.rules.base import RuleSettings
from fluence_watch.rules.billing_due import BillingDueSettings
from fluence_watch.rules.funds_exhausted_soon import FundsExhaustedSoonSettings
from fluence_watch.rules.low_balance import LowBalanceSettings
from fluence_watch.rules.topup_failed import TopupFailedSettings
from fluence_watch.rules.vm_vanished import VmVanishedSettings
from fluence_watch.settings.checks.doubt import INTERVAL, Doubt, error, note, rule_key
from fluence_watch.settings.model import AccountSettings, WatchSettings

T = TypeVar("T", bound=RuleSettings)


def poll_ends_before_the_next(settings: WatchSettings) -> Iterator[Doubt]:
    """A slow poll ends before the next one is due."""
    poll = settings.poll
    if poll.timeout > poll.interval:
        what = f"poll.timeout ({short(poll.timeout)}) is longer than poll.interval ({short(poll.interval)}): a slow poll delays the next"
        yield note(what, ("poll", "timeout"), INTERVAL)
    if poll.jitter >= poll.interval:
        what = f"poll.jitter ({short(poll.jitter)}) is not shorter than poll.interval ({short(poll.interval)}): polls are irregular"
        yield note(what, ("poll", "jitter"), INTERVAL)


def polls_keep_up(settings: WatchSettings) -> Iterator[Doubt]:
    """All accounts can be polled within the interval, even if each takes its timeout."""
    poll, accounts = settings.poll, len(settings.accounts)
    rounds = -(-accounts // poll.concurrency)
    if rounds > 1 and rounds * poll.timeout > poll.interval:
        what = f"{accounts} accounts in {rounds} rounds of up to {short(poll.timeout)} each take longer than poll.interval ({short(poll.interval)}) when the API is slow"
        yield note(what, ("poll", "concurrency"), INTERVAL, ("poll", "timeout"))


def some_rule(settings: WatchSettings) -> Iterator[Doubt]:
    """At least one rule is enabled."""
    if not any(rule.enabled for rule in settings.by_rule.values()):
        keys = [rule_key(rule.name, "enabled") for rule in RULES]
        yield note("all rules are disabled: no alert ever fires", *keys)


def _of(settings: WatchSettings, kind: type[T]) -> T:
    """The settings of that type."""
    (found,) = (each for each in settings.by_rule.values() if isinstance(each, kind))
    return found


def charges_are_seen(settings: WatchSettings) -> Iterator[Doubt]:
    """Between a poll and a charge there is time for `billing_due`."""
    rule, interval = _of(settings, BillingDueSettings), settings.poll.interval
    epochs = [_billed_every(account) for account in settings.accounts]
    always_near = all(epoch <= rule.lead_time < EPOCH for epoch in epochs)
    if not rule.enabled or (epochs and always_near):  # then the rule finds nothing, by design
        return
    lead = short(rule.lead_time)
    if interval >= rule.lead_time:
        what = f"billing_due misses charges: {short(interval)} between polls, lead_time {lead}; make poll.interval the shorter, or disable the rule"
        yield error(what, INTERVAL, rule_key("billing_due", "lead_time"))
    if rule.hold >= rule.lead_time:
        what = f"billing_due never fires in time: the charge comes within lead_time ({lead})"
        yield error(what, rule_key("billing_due", "for"), rule_key("billing_due", "lead_time"))


def missing_is_confirmed(settings: WatchSettings) -> Iterator[Doubt]:
    """A missing VM is reported before it is forgotten."""
    rule, interval = _of(settings, VmVanishedSettings), settings.poll.interval
    needed = rule.confirm_polls * interval + rule.hold
    if rule.enabled and rule.forget_after < needed:
        what = f"vm_vanished never fires: a missing VM is forgotten after {short(rule.forget_after)}, before it is confirmed: {rule.confirm_polls} polls, {short(interval)} apart"
        what += f", and {short(rule.hold)}" if rule.hold else ""
        keys = (rule_key("vm_vanished", "confirm_polls"), rule_key("vm_vanished", "for"), INTERVAL)
        yield error(what, rule_key("vm_vanished", "forget_after"), *keys)


def fleets_are_confirmed(settings: WatchSettings) -> Iterator[Doubt]:
    """VMs that leave the list all at once are reported as vanished before they are forgotten."""
    rule = _of(settings, VmVanishedSettings)
    if rule.enabled and rule.suspect_for >= rule.forget_after:
        what = f"a fleet that leaves the list at once is forgotten after {short(rule.forget_after)}, before it counts as vanished: make suspect_for ({short(rule.suspect_for)}) the shorter"
        keys = rule_key("vm_vanished", "suspect_for"), rule_key("vm_vanished", "forget_after")
        yield note(what, *keys)


def low_balance_is_early(settings: WatchSettings) -> Iterator[Doubt]:
    """A low reserve is reported while the VM still runs."""
    rule = _of(settings, LowBalanceSettings)
    if not rule.enabled:
        return
    if not rule.min_epochs and not rule.min_usdc:
        what = "low_balance fires only if the API itself reports a low balance"
        yield note(what, rule_key("low_balance", "min_epochs"), rule_key("low_balance", "min_usdc"))
    epoch = min((_billed_every(account) for account in settings.accounts), default=EPOCH)
    if rule.min_epochs and rule.hold >= max(1, int(rule.min_epochs)) * epoch:
        what = f"low_balance fires too late: a reserve for {rule.min_epochs:f} charges, one each {short(epoch)}, is used up before"
        yield note(what, rule_key("low_balance", "for"), rule_key("low_balance", "min_epochs"))


def _billed_every(account: AccountSettings) -> timedelta:
    return timedelta(hours=1) if account.dialect == "cloud" else account.epoch


def account_low_is_early(settings: WatchSettings) -> Iterator[Doubt]:
    """A low balance is reported before it is used up."""
    rule = _of(settings, AccountLowSettings)
    if rule.enabled and rule.min_days and rule.hold >= float(rule.min_days) * timedelta(days=1):
        what = f"account_low fires too late: a balance for {rule.min_days:f} days is used up before"
        yield note(what, rule_key("account_low", "for"), rule_key("account_low", "min_days"))


def topup_failed_is_early(settings: WatchSettings) -> Iterator[Doubt]:
    """A missing top-up is reported before the VM ends."""
    rule = _of(settings, TopupFailedSettings)
    epochs = [each.epoch for each in settings.accounts if each.dialect != "cloud"]
    epoch = min(epochs, default=EPOCH)
    if rule.enabled and rule.hold >= epoch:
        what = f"topup_failed fires too late: the VM ends at its next charge, {short(epoch)} after the last"
        yield note(what, rule_key("topup_failed", "for"))


def funds_end_in_steps(settings: WatchSettings) -> Iterator[Doubt]:
    """First a warning, later a critical alert, both before the money is used up."""
    rule = _of(settings, FundsExhaustedSoonSettings)
    if rule.critical > rule.warn:
        what = f"critical ({short(rule.critical)}) is longer than warn ({short(rule.warn)}): make it no longer"
        keys = [rule_key("funds_exhausted_soon", name) for name in ("warn", "critical")]
        yield error(what, *keys)
    if rule.enabled and rule.hold >= rule.warn:
        what = f"funds_exhausted_soon fires too late: money that lasts {short(rule.warn)} is used up before"
        yield note(what, rule_key("funds_exhausted_soon", "for"))


def events_do_not_wait(settings: WatchSettings) -> Iterator[Doubt]:
    """Rules about changes have no `for`, because a change has no duration."""
    for rule in RULES:
        if rule.event and settings.by_rule[rule.name].hold:
            yield note("without effect: a change fires at once", rule_key(rule.name, "for"))
        if rule.event and settings.by_rule[rule.name].keep_firing_for:
            what = "without effect: a change does not resolve"
            yield note(what, rule_key(rule.name, "keep_firing_for"))

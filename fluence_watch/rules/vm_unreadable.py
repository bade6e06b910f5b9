"""A VM is in the list, but its element cannot be read, or the facts about its money are unknown.

If no VM of the account can be read, `poll_failing` reports one alert for all of them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from pydantic import Field

from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity, VmRef, ref
from fluence_watch.model.snapshot import Rejected
from fluence_watch.rules.base import (
    Duration,
    Judgement,
    Level,
    Rule,
    RuleSettings,
    as_long_as_the_same,
)
from fluence_watch.rules.situation import Situation

NAME = "vm_unreadable"
MONEY = "money"
"""The key of a finding about a VM whose money is not known."""

_INDEX = re.compile(r"^\[\d+\]")


class VmUnreadableSettings(RuleSettings):
    """How long a VM may be unreadable."""

    severity: Level = Severity.WARNING
    hold: Duration = Field(
        default=timedelta(minutes=10), alias="for", description="how long a VM may be unreadable"
    )


@dataclass(frozen=True, slots=True)
class VmUnreadable:
    """The unreadable VM and the error.

    `where` is the path within the element (`.pricePerEpoch`), `""` for the whole element.
    `where` and `why` come from outside.
    """

    vm: VmRef
    where: str
    why: str


@dataclass(frozen=True, slots=True)
class MoneyUnknown:
    """The VM, and what the API does not report: `price`, `reserve`, `next charge`."""

    vm: VmRef
    unknown: tuple[str, ...]


def judge(situation: Situation, settings: VmUnreadableSettings) -> Judgement:
    """Report each unreadable VM, unless all of them are, and each VM whose money is unknown."""
    snapshot = situation.snapshot
    if snapshot is None:
        return Judgement()
    if snapshot.unreadable:
        return Judgement(unknown=snapshot.unread)
    rejected = {each.vm_id.lower(): each for each in snapshot.rejected if each.vm_id}
    findings = [
        Finding(
            Fingerprint(situation.account, NAME, key), settings.severity, _facts(situation, each)
        )
        for key, each in rejected.items()
    ]
    findings += [
        Finding(
            Fingerprint(situation.account, NAME, key, MONEY),
            settings.severity,
            MoneyUnknown(ref(situation.known[key].last_known), unknown),
        )
        for key, vm in snapshot.vms.items()
        if (unknown := snapshot.unknown_money(vm))
    ]
    listed = snapshot.vms.keys() | rejected.keys()
    # `evaluate` decides whether known VMs are missing or gone
    unlisted = frozenset(set(_subjects(situation)) - listed - situation.known.keys())
    if snapshot.complete:
        return Judgement(findings, gone=unlisted)
    return Judgement(findings, unknown=unlisted)


def _subjects(situation: Situation) -> Iterator[str]:
    """The VMs that have an open alert."""
    return (each.subject for each in situation.alerts if each.rule == NAME)


def _facts(situation: Situation, rejected: Rejected) -> VmUnreadable:
    vm_id = rejected.vm_id or ""
    entry = situation.known.get(vm_id.lower())
    vm = ref(entry.vm) if entry else VmRef(vm_id)
    where = "" if rejected.where == vm_id else _INDEX.sub("", rejected.where)
    return VmUnreadable(vm, where, rejected.why)


RULE = Rule(
    NAME,
    VmUnreadableSettings,
    (VmUnreadable, MoneyUnknown),
    judge,
    impact=Impact.MONITORING,
    holds_until=as_long_as_the_same,
)

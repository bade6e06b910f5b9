"""A VM is in the list, but its element cannot be read: nothing else is known of it.

When not one VM of the account can be read, that is `poll_failing`, one alert for all.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from pydantic import Field

from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity, VmRef, ref
from fluence_watch.model.snapshot import Rejected
from fluence_watch.rules.base import Duration, Judgement, Level, Rule, RuleSettings, Situation

NAME = "vm_unreadable"

_INDEX = re.compile(r"^\[\d+\]")


class VmUnreadableSettings(RuleSettings):
    """How long a VM may be unreadable."""

    severity: Level = Severity.WARNING
    hold: Duration = Field(
        default=timedelta(minutes=10), alias="for", description="how long a VM may be unreadable"
    )


@dataclass(frozen=True, slots=True)
class VmUnreadable:
    """`where` is the place inside of the element (`.pricePerEpoch`), `""` for all of it.

    Both `where` and `why` come from outside.
    """

    vm: VmRef
    where: str
    why: str


def judge(situation: Situation, settings: VmUnreadableSettings) -> Judgement:
    """Find each VM that cannot be read, unless none can be."""
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
    listed = snapshot.vms.keys() | rejected.keys()
    # of those that are known, `evaluate` knows whether they are missing or gone
    strangers = frozenset(set(_subjects(situation)) - listed - situation.known.keys())
    if snapshot.complete:
        return Judgement(findings, gone=strangers)
    return Judgement(findings, unknown=strangers)


def _subjects(situation: Situation) -> Iterator[str]:
    """The VMs whose alerts are open."""
    return (each.subject for each in situation.alerts if each.rule == NAME)


def _facts(situation: Situation, rejected: Rejected) -> VmUnreadable:
    vm_id = rejected.vm_id or ""
    entry = situation.known.get(vm_id.lower())
    vm = ref(entry.vm) if entry else VmRef(vm_id)
    where = "" if rejected.where == vm_id else _INDEX.sub("", rejected.where)
    return VmUnreadable(vm, where, rejected.why)


RULE = Rule(NAME, VmUnreadableSettings, (VmUnreadable,), judge, impact=Impact.MONITORING)

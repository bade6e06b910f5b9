"""What a rule reports: data, never text. The templates of `notify/` turn it into text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, IntEnum, StrEnum, auto
from typing import NamedTuple

from fluence_watch.model.vm import Vm

WATCHER = ""
"""The account name of alerts about the watcher itself. No configured account has this name."""


def shown_account(account: str) -> str:
    """The account's display name. The watcher itself is shown as `fluence-watch`."""
    return account if account != WATCHER else "fluence-watch"


class Severity(StrEnum):
    """How bad a finding is. `rank` orders severities, the worst highest."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for critical."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


class Impact(IntEnum):
    """What is at stake if nobody acts, the worst first. It orders findings of the same severity."""

    VM = auto()  # a VM and its disk are lost now
    FUNDS = auto()  # VMs are lost when the money runs out
    MONITORING = auto()  # other problems go unnoticed
    ACCESS = auto()  # a service is exposed or unreachable
    COST = auto()  # money is spent without need
    NONE = auto()


class Fingerprint(NamedTuple):
    """Identifies a problem. Findings with the same fingerprint are the same problem.

    `subject` is a VM's key, or `""` for the account itself.
    For the account `WATCHER`, it is the name of a receiver, `budget:` and the name of a budget, or
    `silence:` and the id of a silence.
    `key` distinguishes problems with the same rule and subject (a port, an epoch).
    """

    account: str
    rule: str
    subject: str = ""
    key: str = ""

    @property
    def words(self) -> str:
        """Its parts, separated by spaces."""
        return " ".join(filter(None, self))


@dataclass(frozen=True, slots=True)
class VmRef:
    """The parts of a VM that identify it in a message."""

    id: str
    name: str | None = None
    datacenter: str | None = None


def ref(vm: Vm) -> VmRef:
    """The reference to a VM."""
    return VmRef(vm.id, vm.name, vm.datacenter.name if vm.datacenter else None)


def vm_of(facts: object) -> VmRef | None:
    """The VM that facts are about, `None` if they are about none."""
    vm = getattr(facts, "vm", None)
    return vm if isinstance(vm, VmRef) else None


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition that holds now.

    `facts` is the rule's own frozen dataclass. `at_once` skips the rule's `for`.
    If `relevant_until` is set, the alert fires until then.
    After that it is no longer news, and a late message only mentions it.
    `step` counts how bad the facts are, in steps that the rule defines. A higher one is news.
    `began_at` is since when the condition holds, if that is known and earlier than the poll that saw
    it first.
    """

    fingerprint: Fingerprint
    severity: Severity
    facts: object
    at_once: bool = False
    relevant_until: datetime | None = None
    step: int = 0
    began_at: datetime | None = None


class Absence(Enum):
    """Why a fingerprint is not among the findings."""

    OVER = auto()  # evaluated: the condition does not hold
    UNKNOWN = auto()  # not evaluated: the alert keeps its state
    GONE = auto()  # the subject is gone: the alert resolves without a message


@dataclass(frozen=True, slots=True)
class Verdict:
    """The combined result of all rules for one poll.

    `unknown` and `gone` hold (rule, subject) pairs.
    `judged` holds the rules that were evaluated. After a failed poll, most are not.
    `muted` are the pairs of which there is a finding, but another one says more.
    """

    findings: Mapping[Fingerprint, Finding] = field(default_factory=dict)
    unknown: frozenset[tuple[str, str]] = frozenset()
    gone: frozenset[tuple[str, str]] = frozenset()
    judged: frozenset[str] = frozenset()
    disabled: frozenset[str] = frozenset()
    muted: Mapping[tuple[str, str], Fingerprint] = field(default_factory=dict)

    def absence(self, fingerprint: Fingerprint) -> Absence:
        """Why this fingerprint is not among the findings."""
        subject = (fingerprint.rule, fingerprint.subject)
        if fingerprint.rule in self.disabled or subject in self.gone:
            return Absence.GONE
        if fingerprint.rule not in self.judged or subject in self.unknown:
            return Absence.UNKNOWN
        return Absence.OVER

"""What a rule finds: data, never text. Words are in the templates of `notify/`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, IntEnum, StrEnum, auto
from typing import NamedTuple

from fluence_watch.model.vm import Vm

WATCHER = ""
"""The account of alerts about the watcher itself; no account of the settings has this name."""


def shown_account(account: str) -> str:
    """What people read as the account's name: of the watcher itself `fluence-watch`."""
    return account if account != WATCHER else "fluence-watch"


class Severity(StrEnum):
    """How bad it is; `rank` orders them, the worst highest."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for critical."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


class Loss(IntEnum):
    """What is lost when nobody acts, the gravest first: the order within a severity."""

    VM = auto()  # a VM and its disk, now
    FUNDS = auto()  # what pays for VMs, and then they
    SIGHT = auto()  # the knowledge of all else
    ACCESS = auto()  # doors that are open, or closed
    MONEY = auto()  # some, needlessly
    NOTHING = auto()


class Fingerprint(NamedTuple):
    """What makes two findings the same problem.

    `subject` is a VM's key, or `""` for the account; with the account `WATCHER` it is the name of
    a receiver. `key` tells problems of one rule with one subject apart (a port, an epoch).
    """

    account: str
    rule: str
    subject: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class VmRef:
    """A VM as a message names it: its name, its id, its datacenter."""

    id: str
    name: str | None = None
    datacenter: str | None = None


def ref(vm: Vm) -> VmRef:
    """The reference to a VM."""
    return VmRef(vm.id, vm.name, vm.datacenter.name if vm.datacenter else None)


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition that holds now.

    `facts` is the rule's own frozen dataclass. `at_once` skips the rule's `for`. Where there is a
    `relevant_until`, its alert fires until then; afterwards it is no news any more, and a message
    that was late says so in one line.
    """

    fingerprint: Fingerprint
    severity: Severity
    facts: object
    at_once: bool = False
    relevant_until: datetime | None = None


class Absence(Enum):
    """Why a fingerprint is not among the findings."""

    OVER = auto()  # looked at, and the condition does not hold
    UNKNOWN = auto()  # could not be looked at: whatever was, still is
    GONE = auto()  # its subject is gone: the alert ends without a message


@dataclass(frozen=True, slots=True)
class Verdict:
    """All that the rules say of one poll.

    `unknown` and `gone` hold (rule, subject) pairs; `judged` the rules that were run at all, for
    after a failed poll most cannot be.
    """

    findings: Mapping[Fingerprint, Finding] = field(default_factory=dict)
    unknown: frozenset[tuple[str, str]] = frozenset()
    gone: frozenset[tuple[str, str]] = frozenset()
    judged: frozenset[str] = frozenset()
    disabled: frozenset[str] = frozenset()

    def absence(self, fingerprint: Fingerprint) -> Absence:
        """Why this fingerprint, which is not among the findings, is not."""
        subject = (fingerprint.rule, fingerprint.subject)
        if fingerprint.rule in self.disabled or subject in self.gone:
            return Absence.GONE
        if fingerprint.rule not in self.judged or subject in self.unknown:
            return Absence.UNKNOWN
        return Absence.OVER

"""A daemon that polls as fast as it can, until it is killed: `python endless_polls.py URL`.

Poll N leaves VM N, an alert with N as its facts, and one ended alert more. N is printed when the
commit has returned.
"""

import sys
from dataclasses import replace
from datetime import UTC, datetime

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.state import AccountState, Change
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.model.known import KnownVm
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.store import Store

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def state_after(number: int) -> AccountState:
    """What the poll of that number leaves."""
    vm = Vm(str(number), None, Status.ACTIVE, "x" * 50_000)
    fingerprint = Fingerprint("main", "poll_failing", key=str(number))
    facts = PollFailing(str(number), "")
    alert = Alert(fingerprint, Severity.INFO, State.FIRING, facts, NOW, NOW)
    return AccountState({vm.key: KnownVm(vm, NOW)}, {fingerprint: alert})


def main(url: str) -> None:
    """Poll for ever."""
    store = Store.open(url)
    stored = store.load("main")
    before, version = stored.state, stored.version
    number = len(stored.unsettled) + len(before.alerts)
    while True:
        number += 1
        after = state_after(number)
        over = [
            replace(alert, state=State.RESOLVED, ends_at=NOW) for alert in before.alerts.values()
        ]
        version = store.commit("main", Change.between(before, after, over), version=version)
        print(number, flush=True)  # noqa: T201 - the parent reads it
        before = after


if __name__ == "__main__":
    main(sys.argv[1])

"""What a large store costs: its file, a start from it, and the commits of an ordinary poll."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import structlog

from fluence_watch.alerting.attempts import Attempts
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.state import AccountState, Change
from fluence_watch.alerting.telling import Notified
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.model.known import KnownVm
from fluence_watch.model.ports import SSH
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.store import Store
from tests.bench.fleet import START

ACCOUNT = "main"


@dataclass(frozen=True, slots=True)
class Sizes:
    """The file in MB, and seconds of CPU.

    `first` commits everything, `load` reads it, `poll` commits 1 % changed, `quiet` nothing changed,
    `told` records that a receiver accepted a message about 100 alerts, `history` shows 100 ended ones.
    """

    megabytes: float
    first: float
    load: float
    poll: float
    quiet: float
    told: float
    history: float


def measure(vms: int, alerts: int, receivers: int) -> Sizes:
    """A store of that size, on a disk."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "bench.db"
        with Store.open(f"sqlite:///{path}") as store:
            return _measure(store, path, _state(vms, alerts), receivers)


def _measure(store: Store, path: Path, state: AccountState, receivers: int) -> Sizes:
    first = _seconds(store.commit, ACCOUNT, Change.between(AccountState(), state), version=0)
    told = {alert.episode: Notified(START, Severity.WARNING) for alert in state.alerts.values()}
    for number in range(receivers):
        store.save_attempts(f"receiver-{number}", Attempts(), told)
    load = _seconds(store.load, ACCOUNT)
    some = dict(list(told.items())[:100])
    return Sizes(
        first=first,
        load=load,
        poll=_seconds(store.commit, ACCOUNT, Change.between(state, _next(state)), version=1),
        quiet=_seconds(store.commit, ACCOUNT, Change.between(state, state), version=2),
        told=_seconds(store.save_attempts, "receiver-0", Attempts(), some),
        history=_seconds(store.history, ACCOUNT, 100),
        megabytes=(path.stat().st_size + Path(f"{path}-wal").stat().st_size) / 1e6,
    )


def _seconds(work: Callable[..., Any], *args: object, **more: object) -> float:
    begun = process_time()
    work(*args, **more)
    return process_time() - begun


def _state(vms: int, alerts: int) -> AccountState:
    fleet = (
        Vm(f"0x{number:040x}", f"web-{number}", Status.ACTIVE, "ACTIVE") for number in range(vms)
    )
    fired = [_alert(number) for number in range(alerts)]
    return AccountState(
        {vm.key: KnownVm(vm, START, (SSH,)) for vm in fleet},
        {alert.fingerprint: alert for alert in fired},
    )


def _next(state: AccountState) -> AccountState:
    """1 % of the VMs and of the alerts are not as they were."""
    known, alerts = dict(state.known), dict(state.alerts)
    for key in list(known)[::100]:
        known[key] = replace(known[key], missing_polls=1)
    for key in list(alerts)[::100]:
        alerts[key] = replace(alerts[key], step=1)
    return replace(state, known=known, alerts=alerts)


def _alert(number: int) -> Alert:
    fingerprint = Fingerprint(ACCOUNT, "poll_failing", "", f"{number}")
    facts = PollFailing("server_error", f"{number}")
    return Alert(fingerprint, Severity.WARNING, State.FIRING, facts, START, START)

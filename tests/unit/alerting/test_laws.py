"""Laws of the whole decision: track, evaluate, advance and compose over any history of polls."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from fluence_watch.alerting.grouping import Message, compose
from fluence_watch.alerting.lifecycle import Alert, State, Timing, advance
from fluence_watch.alerting.routing import Route
from fluence_watch.alerting.state import AccountState
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.model.known import track
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.snapshot import Outcome, PollFailure, Rejected, Snapshot, build_snapshot
from fluence_watch.model.vm import SSH, Status, Vm, port
from fluence_watch.rules import RULES, evaluate
from fluence_watch.rules.base import RuleSettings, Situation

START = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
FORGET_AFTER = timedelta(hours=12)
PRICE = MicroUsdc(298_160)
IDS = ("0xA", "0xB", "0xC", "0xD", "0xE")
NAMES = [each.name for each in RULES]
ROUTES = (Route("ops"), Route("boss", min_severity=Severity.CRITICAL), Route("late"))

CHANGES = (
    *({"reserved": money} for money in (MicroUsdc(0), PRICE, None)),
    *({"ports": ports} for ports in ((SSH,), (SSH, port(80)), (), None)),
    *({"status": status} for status in (Status.ACTIVE, Status.SMALL_BALANCE, Status.TERMINATED)),
)
EDITS = (
    *((name, "enabled", value) for name in NAMES for value in (True, False)),
    *((name, "severity", value) for name in NAMES for value in ("info", "critical")),
    *((name, "keep_firing_for", "5m") for name in ("low_balance", "vm_vanished", "poll_failing")),
    *(("low_balance", "for", value) for value in ("0s", "5m", "2h")),
    *(("vm_vanished", "confirm_polls", value) for value in (1, 2, 4)),
    *(("billing_due", "lead_time", value) for value in ("10m", "1h", "3h")),
)

machines = st.sampled_from(IDS)
few = st.frozensets(machines, max_size=2)


def judged(
    before: AccountState,
    outcome: Outcome,
    limits: Mapping[str, RuleSettings],
    routes: Sequence[Route],
    *,
    counted: bool = False,
) -> tuple[AccountState, list[Alert], list[Message]]:
    """What one poll leads to: the state after it, what ended, what is told.

    `counted` when the absences of its list were counted before.
    """
    now = outcome.taken_at
    snapshot = outcome if isinstance(outcome, Snapshot) else None
    failure = outcome if isinstance(outcome, PollFailure) else None
    known = before.known
    if snapshot and not counted:
        known = track(before.known, snapshot, before.last_good_at, FORGET_AFTER)
    timings = {
        each.name: Timing(
            limits[each.name].hold, limits[each.name].keep_firing_for, each.tells_resolved
        )
        for each in RULES
    }
    verdict = evaluate(Situation("main", now, known, before.known, snapshot, failure), limits)
    alerts, ended = advance(before.alerts, verdict, timings, now, before.last_poll_at)
    messages, telling = compose("main", [*alerts.values(), *ended], before.told, routes, now)
    told = {pair: at for pair, at in {**before.told, **telling}.items() if pair[0] in alerts}
    last_good_at = now if snapshot else before.last_good_at
    return AccountState(known, alerts, told, now, last_good_at), ended, messages


class Watch(RuleBasedStateMachine):
    """An account that is polled, and what each receiver has heard and was not told to be over."""

    @initialize()
    def begin(self) -> None:
        """Five healthy VMs, the default settings, two receivers."""
        self.now = START
        self.state = AccountState()
        self.fleet = {
            vm_id: Vm(vm_id, vm_id, Status.ACTIVE, "ACTIVE", PRICE, PRICE, ports=(SSH,))
            for vm_id in IDS
        }
        self.edits: dict[str, dict[str, object]] = {name: {} for name in NAMES}
        self.routes = ROUTES[:2]
        self.heard: set[tuple[Fingerprint, str]] = set()

    # what happens in the world

    @rule(vm_id=machines, change=st.sampled_from(CHANGES))
    def change_vm(self, vm_id: str, change: dict[str, object]) -> None:
        """Money runs low or is unknown, ports open and close, a VM ends and is back."""
        self.fleet[vm_id] = replace(self.fleet[vm_id], **change)

    @rule(edit=st.sampled_from(EDITS))
    def edit_settings(self, edit: tuple[str, str, object]) -> None:
        """The user changes one setting of one rule."""
        name, key, value = edit
        self.edits[name][key] = value

    @rule()
    def add_receiver(self) -> None:
        """One more wants to hear."""
        self.routes = ROUTES

    # what polls bring

    @rule(minutes=st.sampled_from([1, 1, 5, 20, 300, 900]))
    def poll_all(self, minutes: int) -> None:
        """A good list, after some time."""
        self.now += minutes * MINUTE
        self.poll()

    @rule(missing=few, unread=few, nameless=st.sampled_from([0, 0, 1]), times=st.integers(1, 3))
    def poll_some(
        self, missing: frozenset[str], unread: frozenset[str], nameless: int, times: int
    ) -> None:
        """Short lists, maybe with elements that cannot be read."""
        for _ in range(times):
            self.poll(missing, unread, nameless)

    @rule(times=st.integers(1, 3), unread=few)
    def poll_none(self, times: int, unread: frozenset[str]) -> None:
        """Lists without any VM that can be read, as an API in trouble gives them."""
        for _ in range(times):
            self.poll(frozenset(IDS), unread)

    @rule(reason=st.sampled_from(["unreachable", "unauthorized"]))
    def poll_fails(self, reason: str) -> None:
        """No list at all."""
        self.decide(PollFailure("main", self.now, reason, "it says so"))

    # what is decided

    def due(self, vm: Vm) -> Vm:
        """The VM with its next boundary: each id has its own minute of the day, from 13:03 on."""
        boundary = START + (IDS.index(vm.id) * 14 + 63) * MINUTE
        boundary += max(0, -((boundary - self.now) // DAY)) * DAY
        return replace(vm, next_billing_at=boundary)

    def poll(
        self,
        missing: frozenset[str] = frozenset(),
        unread: frozenset[str] = frozenset(),
        nameless: int = 0,
    ) -> None:
        """A list of the fleet without these, of which some are in it but cannot be read."""
        rejected = [Rejected("[0]", "bad", vm_id.upper()) for vm_id in unread]
        rejected += [Rejected("[9]", "bad")] * nameless
        vms = [vm for vm_id, vm in self.fleet.items() if vm_id not in missing | unread]
        self.decide(build_snapshot("main", self.now, map(self.due, vms), rejected))

    def limits(self) -> dict[str, RuleSettings]:
        """The settings as they are now."""
        return {each.name: each.settings.model_validate(self.edits[each.name]) for each in RULES}

    def decide(self, outcome: Outcome) -> None:
        """Judge one poll, check the laws, judge it again, and let a minute pass."""
        before = self.state
        self.state, ended, messages = judged(before, outcome, self.limits(), self.routes)
        for message in messages:
            self.check_message(message)
        resolved = {item.fingerprint for each in messages for item in each.items if not item.firing}
        assert resolved <= {alert.fingerprint for alert in ended if not alert.quiet}
        for alert in ended:
            self.check_end(alert, before, outcome)
        firing = {name for name, each in self.state.alerts.items() if each.state is State.FIRING}
        assert firing == {name for name, receiver in self.heard if receiver == "ops"}
        if isinstance(outcome, PollFailure):
            self.check_failure(before)
        again = judged(self.state, outcome, self.limits(), self.routes, counted=True)
        assert (self.state, [], []) == again
        self.now += MINUTE

    # the laws

    def check_message(self, message: Message) -> None:
        """Told once as firing, and once as resolved if it was told as firing."""
        assert len(message.items) == message.firing + message.resolved
        for item in message.items:
            pair = item.fingerprint, message.receiver
            assert item.firing != (pair in self.heard)
            (self.heard.add if item.firing else self.heard.remove)(pair)

    def check_end(self, alert: Alert, before: AccountState, outcome: Outcome) -> None:
        """A loud end was told to all who heard, and nothing is over that was not seen to be."""
        hearers = {pair for pair in self.heard if pair[0] == alert.fingerprint}
        assert alert.quiet or not hearers
        self.heard -= hearers
        if not self.limits()[alert.fingerprint.rule].enabled:
            assert alert.quiet
            return
        assert isinstance(outcome, Snapshot)
        vm = outcome.vms.get(alert.fingerprint.subject)
        if alert.quiet:
            self.check_quiet_end(alert, vm, outcome)
        elif alert.fingerprint.rule == "poll_failing":
            assert outcome.complete
        elif alert.fingerprint.subject.startswith("fleet@"):
            listed = before.known.keys() & (outcome.vms.keys() | outcome.unread)
            since = datetime.fromisoformat(alert.fingerprint.subject.removeprefix("fleet@"))
            back = since in {before.known[key].missing_since for key in listed}
            assert back or before.alerts[alert.fingerprint].clear_since is not None
        else:
            assert vm is not None
            assert alert.fingerprint.rule != "low_balance" or vm.reserved is not None
            assert alert.fingerprint.rule != "port_drift" or vm.ports is not None

    def check_quiet_end(self, alert: Alert, vm: Vm | None, outcome: Snapshot) -> None:
        """Quiet ends belong to VMs that are gone or ended, and to boundaries that have passed."""
        absent = vm is None and alert.fingerprint.subject not in outcome.unread
        passed = alert.relevant_until is not None and self.now >= alert.relevant_until
        assert absent or passed or (vm is not None and not vm.is_billed)

    def check_failure(self, before: AccountState) -> None:
        """A failed poll changes no alert but its own, and no alert of a rule that is off."""
        limits = self.limits()
        for fingerprint, alert in before.alerts.items():
            if fingerprint.rule != "poll_failing" and limits[fingerprint.rule].enabled:
                assert alert is self.state.alerts[fingerprint]
        new = self.state.alerts.keys() - before.alerts.keys()
        assert {fingerprint.rule for fingerprint in new} <= {"poll_failing"}


TestWatch = Watch.TestCase
TestWatch.settings = settings(
    max_examples=100,
    stateful_step_count=30,
    deadline=None,
)

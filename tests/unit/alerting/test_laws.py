"""Laws of the whole decision: track, evaluate, advance and notify over any history of polls."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from fluence_watch.alerting.due import due
from fluence_watch.alerting.grouping import Message, compose
from fluence_watch.alerting.lifecycle import Alert, Episode, State, Timing, advance
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.state import AccountState
from fluence_watch.alerting.telling import Notified, Reason, Recipient
from fluence_watch.model.account import AccountBalance
from fluence_watch.model.billing import EPOCHS
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.model.known import track
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.note import Note, NoteAction, apply_notes, expected_changes, obsolete_notes
from fluence_watch.model.ports import SSH, Port, port
from fluence_watch.model.presence import presence_of, settle
from fluence_watch.model.snapshot import Outcome, PollFailure, Rejected, Snapshot, build_snapshot
from fluence_watch.model.ssh_key import SshKey
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules import RULES, evaluate
from fluence_watch.rules.base import RuleSettings
from fluence_watch.rules.situation import Situation

START = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
FORGET_AFTER = timedelta(hours=12)
PRICE = MicroUsdc(298_160)
HEALTHY = {
    Status.DRAFT,
    Status.NEW,
    Status.LAUNCHING,
    Status.ACTIVE,
    Status.UPDATING,
    Status.RESTARTING,
}
IDS = ("0xA", "0xB", "0xC", "0xD", "0xE")
NAMES = [each.name for each in RULES]
EVENTS = {each.name for each in RULES if each.event}
KEYS = tuple(SshKey(name, f"SHA256:{name}", f"ssh-ed25519 {name}") for name in "abc")
ROUTES = (Route("ops"), Route("boss", min_severity=Severity.CRITICAL), Route("late"))

CHANGES = (
    *({"reserved": money} for money in (MicroUsdc(0), PRICE, None)),
    *({"ports": ports} for ports in ((SSH,), (SSH, port(80)), (), None)),
    *({"status": status} for status in (Status.ACTIVE, Status.SMALL_BALANCE, Status.TERMINATED)),
)
EVENTFUL = (
    *({"public_ip": address} for address in ("1.2.3.4", "5.6.7.8", None)),
    *({"price": price} for price in (PRICE, MicroUsdc(2 * PRICE), None)),
)
EDITS = (
    *((name, "enabled", value) for name in NAMES for value in (True, False)),
    *((name, "severity", value) for name in NAMES for value in ("info", "critical")),
    *((name, "keep_firing_for", "5m") for name in ("low_balance", "vm_vanished", "poll_failing")),
    *((name, "for", "5m") for name in sorted(EVENTS)),
    *((name, "keep_firing_for", "5m") for name in sorted(EVENTS)),
    *(("low_balance", "for", value) for value in ("0s", "5m", "2h")),
    *(("vm_vanished", "confirm_polls", value) for value in (1, 2, 4)),
    *(("vm_vanished", "suspect_for", value) for value in ("0s", "1h", "6h")),
    *(("billing_due", "lead_time", value) for value in ("10m", "1h", "3h")),
)

AllTold = Mapping[str, Mapping[Episode, Notified]]
machines = st.sampled_from(IDS)
few = st.frozensets(machines, max_size=2)


def judged(
    before: AccountState,
    outcome: Outcome,
    limits: Mapping[str, RuleSettings],
    routes: Sequence[Route],
    told: AllTold,
    notes: Sequence[Note] = (),
    *,
    counted: bool = False,
) -> tuple[AccountState, list[Alert], list[Message], AllTold]:
    """What one poll leads to: the state after it, what ended, the messages, and who knows what.

    `counted` when the absences of its list were counted before.
    """
    now = outcome.taken_at
    snapshot = outcome if isinstance(outcome, Snapshot) else None
    failure = outcome if isinstance(outcome, PollFailure) else None
    remembered = known = apply_notes(before.known, notes)
    keys = before.ssh_keys
    presence_limits = replace(limits["vm_vanished"].limits, forget_after=FORGET_AFTER)
    balance, rise = before.balance, None
    if snapshot and snapshot.balance:
        rise = None if balance is None else snapshot.balance.balance - balance
        balance = snapshot.balance.balance
    if snapshot and not counted:
        known = track(remembered, snapshot, before.last_good_at, FORGET_AFTER)
    if snapshot and snapshot.complete:
        known = settle(known, presence_limits, now, EPOCHS, rise)
    if snapshot and snapshot.ssh_keys is not None:
        keys = snapshot.ssh_keys
    timings = {
        each.name: Timing(
            limits[each.name].hold, limits[each.name].keep_firing_for, each.sends_resolved
        )
        for each in RULES
    }
    situation = Situation(
        "main",
        now,
        known,
        remembered,
        snapshot,
        failure,
        presence_of(known, presence_limits, EPOCHS),
        keys_before=before.ssh_keys,
        expected_changes=expected_changes(notes, now),
        since={key: alert.active_at for key, alert in before.alerts.items()},
    )
    verdict = evaluate(situation, limits)
    alerts, ended = advance(before.alerts, verdict, timings, now, before.last_poll_at)
    messages, told = notified(alerts.values(), ended, told, routes, now)
    last_good_at = now if snapshot else before.last_good_at
    after = AccountState(known, alerts, now, last_good_at, keys, balance)
    return after, ended, messages, told


def notified(
    alerts: Iterable[Alert],
    ended: Iterable[Alert],
    told: AllTold,
    routes: Sequence[Route],
    now: datetime,
) -> tuple[list[Message], AllTold]:
    """The messages to receivers that accept everything, and what they know after them."""
    current, messages, after = [*alerts, *ended], [], {}
    still_open = {alert.episode for alert in current if alert.ends_at is None}
    for route in routes:
        knows = dict(told.get(route.receiver, {}))
        lines = due(current, knows, Recipient(route), now, events=EVENTS).lines
        if lines:
            messages.append(compose(route.receiver, "main", lines))
        knows |= {line.episode: line.notified(knows.get(line.episode), now) for line in lines}
        after[route.receiver] = {each: at for each, at in knows.items() if each in still_open}
    return messages, after


class Watch(RuleBasedStateMachine):
    """An account that is polled, and the alerts that each receiver still believes to fire."""

    @initialize()
    def begin(self) -> None:
        """Five healthy VMs, the default settings, two receivers."""
        self.now = START
        self.state = AccountState()
        self.fleet = {
            vm_id: Vm(
                vm_id, vm_id, Status.ACTIVE, "ACTIVE", PRICE, PRICE,
                ports=(SSH,), public_ip="1.2.3.4",
            )
            for vm_id in IDS
        }  # fmt: skip
        self.keys: frozenset[SshKey] | None = frozenset(KEYS[:1])
        self.balance: int | None = None
        self.notes: list[Note] = []
        self.noted = 0
        self.removed: set[str] = set()
        self.seen: dict[str, Vm] = {}
        self.seen_keys: frozenset[SshKey] | None = None
        self.edits: dict[str, dict[str, object]] = {name: {} for name in NAMES}
        self.routes = ROUTES[:2]
        self.heard: set[tuple[Fingerprint, str]] = set()
        self.told: AllTold = {}

    # what happens in the world

    @rule(vm_id=machines, change=st.sampled_from(CHANGES))
    def change_vm(self, vm_id: str, change: dict[str, object]) -> None:
        """Money runs low or is unknown, ports open and close, a VM ends and is back."""
        if vm_id in self.fleet:
            self.fleet[vm_id] = replace(self.fleet[vm_id], **change)

    @rule(keys=st.none() | st.frozensets(st.sampled_from(KEYS)))
    def change_keys(self, keys: frozenset[SshKey] | None) -> None:
        """Keys come and go, or are not reported."""
        self.keys = keys

    @rule(days=st.none() | st.integers(-1, 20))
    def change_balance(self, days: int | None) -> None:
        """The account has money for about so many days, or the API does not tell."""
        self.balance = None if days is None else days * len(IDS) * PRICE

    @rule(vm_id=st.sampled_from(IDS[-2:]))
    def remove_vm(self, vm_id: str) -> None:
        """The user deletes a VM through this store; one that is missing cannot be deleted."""
        entry = self.state.known.get(vm_id.lower())
        if not (entry and entry.missing_since) and self.fleet.pop(vm_id, None):
            self.note(NoteAction.REMOVED, vm_id.lower())
            self.removed.add(vm_id.lower())

    @rule(vm_id=machines)
    def accept_ports(self, vm_id: str) -> None:
        """The user wants the ports as they are."""
        if vm_id in self.fleet:
            self.note(NoteAction.ACCEPTED, vm_id.lower(), self.fleet[vm_id].ports or ())

    @rule(key=st.sampled_from(KEYS), granted=st.booleans())
    def add_or_remove_key(self, key: SshKey, granted: bool) -> None:  # noqa: FBT001 - drawn
        """The user asks for it by a command, and the API may refuse."""
        if self.keys is not None:
            self.note(
                NoteAction.KEY_REMOVED if key in self.keys else NoteAction.KEY_ADDED,
                key.fingerprint,
            )
            self.keys ^= {key} if granted else set()

    def note(self, action: NoteAction, subject: str, ports: tuple[Port, ...] = ()) -> None:
        """Leave a note for the next poll."""
        self.noted += 1
        self.notes.append(Note(self.noted, self.now, action, subject, ports))

    @rule(edit=st.sampled_from(EDITS))
    def edit_settings(self, edit: tuple[str, str, object]) -> None:
        """The user changes one setting of one rule."""
        name, key, value = edit
        self.edits[name][key] = value

    @rule()
    def add_receiver(self) -> None:
        """One more wants to hear, and is notified at once of what fires."""
        self.routes = ROUTES
        alerts = self.state.alerts.values()
        messages, self.told = notified(alerts, [], self.told, self.routes, self.now)
        for message in messages:
            self.check_message(message)

    # what polls bring

    @rule(vm_id=machines, change=st.sampled_from(EVENTFUL), unread=few)
    def poll_change(self, vm_id: str, change: dict[str, object], unread: frozenset[str]) -> None:
        """A VM has another address or price, which a list shows, and the next one maybe not."""
        self.change_vm(vm_id, change)
        self.poll()
        self.poll(unread=unread)

    @rule(keys=st.frozensets(st.sampled_from(KEYS)), fails=st.booleans())
    def poll_keys(self, keys: frozenset[SshKey], fails: bool) -> None:  # noqa: FBT001 - drawn
        """Other keys, and back at once or after a failure."""
        before, self.keys = self.keys, keys
        self.poll()
        if fails:
            self.poll_fails("unreachable")
        self.keys = before
        self.poll()

    @rule(vm_id=machines, statuses=st.lists(st.sampled_from(Status), min_size=1, max_size=3))
    def poll_statuses(self, vm_id: str, statuses: list[Status]) -> None:
        """A VM goes from state to state."""
        for status in statuses:
            self.change_vm(vm_id, {"status": status})
            self.poll()

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
        keys = None if self.keys is None else tuple(key for key in KEYS if key in self.keys)
        balance = None if self.balance is None else AccountBalance(MicroUsdc(self.balance))
        snapshot = build_snapshot(
            "main",
            self.now,
            map(self.due, vms),
            rejected,
            ssh_keys=keys,
            balance=balance,
            unknown={} if balance else {"balance": "HTTP 503"},
        )
        expected = self.changes(snapshot)
        notified = self.decide(snapshot)
        assert expected == sorted(each for each in notified if each[0] in EVENTS)
        self.remember(snapshot)

    def changes(self, snapshot: Snapshot) -> list[tuple[str, str]]:
        """What each rule of events must tell of this poll, by rule and subject, once each."""
        found = []
        for key, vm in snapshot.vms.items():
            was = self.seen.get(key, vm)
            if was.public_ip and vm.public_ip and was.public_ip != vm.public_ip:
                found.append(("public_ip_changed", key))
            priced = was.price is not None and vm.price is not None and vm.is_billed
            if priced and was.price != vm.price:
                found.append(("price_changed", key))
        if self.seen_keys is not None and self.keys is not None:
            found += [("ssh_key_drift", "")] * len(self.strange_keys(self.seen_keys, self.keys))
        return sorted(each for each in found if self.limits()[each[0]].enabled)

    def strange_keys(self, before: frozenset[SshKey], after: frozenset[SshKey]) -> set[SshKey]:
        """The keys that came or went without a user's having asked for just that in the last hour."""
        recent = {
            (each.action, each.subject) for each in self.notes if self.now - each.at < 60 * MINUTE
        }
        came = {k for k in after - before if (NoteAction.KEY_ADDED, k.fingerprint) not in recent}
        went = {k for k in before - after if (NoteAction.KEY_REMOVED, k.fingerprint) not in recent}
        return came | went

    def remember(self, snapshot: Snapshot) -> None:
        """Take over what the poll saw; a VM that is forgotten is a new one when it comes back."""
        self.seen = {key: vm for key, vm in self.seen.items() if key in self.state.known}
        for key, vm in snapshot.vms.items():
            was = self.seen.get(key, vm)
            self.seen[key] = replace(
                vm, price=vm.price or was.price, public_ip=vm.public_ip or was.public_ip
            )
        self.seen_keys = self.seen_keys if self.keys is None else self.keys

    def limits(self) -> dict[str, RuleSettings]:
        """The settings as they are now."""
        return {each.name: each.settings.model_validate(self.edits[each.name]) for each in RULES}

    def decide(self, outcome: Outcome) -> list[tuple[str, str]]:
        """Judge one poll, check the laws, judge it again, and let a minute pass.

        Returns the firing alerts that the first receiver was notified of, by rule and subject.
        """
        before = self.state
        self.state, ended, messages, self.told = judged(
            before, outcome, self.limits(), self.routes, self.told, self.notes
        )
        done = obsolete_notes(self.notes, outcome.taken_at)
        self.notes = [note for note in self.notes if note not in done]
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
        self.check_again(outcome)
        self.now += MINUTE
        items = [item for each in messages if each.receiver == "ops" for item in each.items]
        first = [item for item in items if item.reason is Reason.FIRST]
        return [(item.fingerprint.rule, item.fingerprint.subject) for item in first]

    # the laws

    def check_again(self, outcome: Outcome) -> None:
        """Judged once more, a poll tells nothing; only that what it saw change is over."""
        after, ended, messages, _ = judged(
            self.state, outcome, self.limits(), self.routes, self.told, counted=True
        )
        lasting = {name: a for name, a in self.state.alerts.items() if name.rule not in EVENTS}
        assert replace(self.state, alerts=lasting) == after
        assert all(alert.quiet and alert.fingerprint.rule in EVENTS for alert in ended)
        assert [] == messages

    def check_message(self, message: Message) -> None:
        """Notified once as firing, and once as resolved if it was notified as firing.

        In between, whenever it is worse than ever before.
        """
        assert len(message.items) == message.firing + message.resolved + message.missed
        for item in message.items:
            pair = item.fingerprint, message.receiver
            if item.reason is Reason.MISSED:  # a deadline passed before it was for the receiver
                assert pair not in self.heard
                assert item.fingerprint.rule == "billing_due"
                continue
            if item.reason is Reason.WORSE:
                assert pair in self.heard
                continue
            assert item.firing != (pair in self.heard)
            (self.heard.add if item.firing else self.heard.remove)(pair)
            assert item.firing or item.fingerprint.rule not in EVENTS
            lost = item.fingerprint.rule == "vm_vanished" and item.firing
            assert not (lost and item.fingerprint.subject in self.removed)

    def check_end(self, alert: Alert, before: AccountState, outcome: Outcome) -> None:
        """A loud end notified all who knew of the alert, and no alert resolved unseen."""
        hearers = {pair for pair in self.heard if pair[0] == alert.fingerprint}
        assert alert.quiet or not hearers
        self.heard -= hearers
        if not self.limits()[alert.fingerprint.rule].enabled:
            assert alert.quiet
            return
        if alert.fingerprint.rule in EVENTS:
            assert alert.quiet
            return
        assert isinstance(outcome, Snapshot)
        vm = outcome.vms.get(alert.fingerprint.subject)
        if alert.quiet:
            self.check_quiet_end(alert, vm, outcome)
        elif alert.fingerprint.rule == "poll_failing":
            assert outcome.complete
        elif alert.fingerprint.rule in {"account_low", "funds_exhausted_soon"}:
            assert outcome.balance is not None
            assert outcome.balance.balance > 0
            assert any(vm.is_billed for vm in outcome.vms.values()) or any(
                entry.missing_since for entry in self.state.known.values()
            )
        elif alert.fingerprint.subject.startswith("fleet@"):
            listed = before.known.keys() & (outcome.vms.keys() | outcome.unread)
            since = datetime.fromisoformat(alert.fingerprint.subject.removeprefix("fleet@"))
            back = since in {before.known[key].missing_since for key in listed}
            assert back or before.alerts[alert.fingerprint].clear_since is not None
        elif alert.fingerprint.rule == "vm_vanished":  # in the list, be it unreadable
            assert vm is not None or alert.fingerprint.subject in outcome.unread
        else:
            assert vm is not None
            assert alert.fingerprint.rule != "low_balance" or vm.reserved is not None
            assert alert.fingerprint.rule != "port_drift" or vm.ports is not None
            assert alert.fingerprint.rule != "vm_status" or vm.status in HEALTHY

    def check_quiet_end(self, alert: Alert, vm: Vm | None, outcome: Snapshot) -> None:
        """Quiet ends belong to VMs that are gone or ended, and to boundaries that have passed.

        A bad state also ends quietly if another one is reported instead.
        """
        absent = vm is None and alert.fingerprint.subject not in outcome.unread
        passed = alert.relevant_until is not None and self.now >= alert.relevant_until
        ended = vm is not None and not vm.is_billed
        if alert.fingerprint.rule == "vm_status" and not absent:
            states = {name for name in self.state.alerts if name.rule == "vm_status"}
            assert alert.fingerprint.subject in {name.subject for name in states}
        else:
            assert absent or passed or ended

    def check_failure(self, before: AccountState) -> None:
        """A failed poll changes no alert but its own, and no alert of a rule that is off.

        What an earlier poll saw change is over with it.
        """
        assert not {name.rule for name in self.state.alerts} & EVENTS
        limits = self.limits()
        for fingerprint, alert in before.alerts.items():
            if (
                fingerprint.rule not in EVENTS | {"poll_failing"}
                and limits[fingerprint.rule].enabled
            ):
                assert alert is self.state.alerts[fingerprint]
        new = self.state.alerts.keys() - before.alerts.keys()
        assert {fingerprint.rule for fingerprint in new} <= {"poll_failing"}


TestWatch = Watch.TestCase
TestWatch.settings = settings(
    stateful_step_count=30,
    deadline=None,
)

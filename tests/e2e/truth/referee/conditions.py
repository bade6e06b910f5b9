"""What is true at a poll: one small function a rule, from the manual's words."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from fluence_watch.model.ports import SSH
from fluence_watch.simulator.machine import Machine, State
from tests.e2e.truth.bending import Bend
from tests.e2e.truth.fleet import DAY, Sight
from tests.e2e.truth.plan import HOUR, MINUTE, Plan
from tests.e2e.truth.referee.episodes import Found, Problems, What
from tests.e2e.truth.referee.known import Memory, Seen

LEAD = HOUR
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SMALLEST = 10_000
_ENDED, _STOPPED = State.TERMINATED, State.STOPPED


@dataclass(frozen=True, slots=True)
class Look:
    """A poll that listed the VMs, what is remembered, and what is open."""

    plan: Plan
    sight: Sight
    memory: Memory
    open: Problems
    has_words: bool

    def what(self, rule: str, subject: str, detail: str = "") -> What:
        """A problem of this account."""
        return What(self.sight.account, rule, subject, detail)

    @property
    def billed(self) -> Iterator[tuple[str, Seen]]:
        """The VMs of the list that are billed."""
        assert self.sight.vms is not None
        for key, machine in self.sight.vms.items():
            if machine.is_billed:
                yield key, self.memory.vms[key]

    @property
    def paid(self) -> Iterator[tuple[str, Seen]]:
        """Those of them whose price is told, and whatever else there is to know of their money."""
        return ((key, seen) for key, seen in self.billed if key not in self.sight.bent)

    def charge(self, machine: Machine) -> datetime:
        """The next charge of a VM, as the API tells it: an API with words of its own leaves out fractions."""
        at = machine.next_billing_at
        return at.replace(microsecond=0) if self.has_words else at

    def word(self, machine: Machine) -> str:
        """What the API itself says of a VM."""
        return "out of funds" if self.has_words and machine.is_short else machine.state.value


def poll_failing(sight: Sight) -> Iterator[Found]:
    """A poll that fails. A refused key is told at once."""
    if sight.failure:
        step = {"unreachable": 0, "unreadable": 1, "refused": 2}[sight.failure]
        what = What(sight.account, "poll_failing", "")
        yield Found(what, "critical", step, 10 * MINUTE, at_once=sight.failure == "refused")


def topup_failed(look: Look) -> Iterator[Found]:
    """A reserve that has not once paid an epoch since its boundary, 15 minutes later."""
    for key, seen in look.paid:
        machine, what = seen.now, look.what("topup_failed", key)
        if machine.shortfall and not seen.paid_since:
            since, left = look.open.since(what), machine.next_billing_at - look.sight.at
            again = since is not None and since >= seen.boundary
            late = look.sight.at - seen.boundary >= 15 * MINUTE
            said = look.word(machine) == "out of funds"
            step = (left < 6 * HOUR) + (left < HOUR)
            yield Found(
                what, "critical", step, 15 * MINUTE, said or (again and late),
                machine=machine, status="SmallBalance" if said else "",
            )  # fmt: skip


def low_balance(look: Look) -> Iterator[Found]:
    """A reserve below the price."""
    for key, seen in look.paid:
        machine = seen.now
        if machine.shortfall:
            said = look.word(machine) == "out of funds"
            step = (2 * machine.reserved <= machine.price) + (machine.reserved <= 0)
            yield Found(
                look.what("low_balance", key), "critical", 3 if said else step, 30 * MINUTE, said,
                machine=machine, status="SmallBalance" if said else "",
            )  # fmt: skip


def billing_due(look: Look) -> Iterator[Found]:
    """The charges of a window of an hour, from when the first of them is an hour away."""
    now = look.sight.at
    windows: dict[int, list[tuple[datetime, Machine]]] = {}
    for key, seen in look.billed:
        due = look.charge(seen.now)
        if now < due and look.sight.bent.get(key) is not Bend.MONEYLESS:
            windows.setdefault((due - _EPOCH) // LEAD, []).append((due, seen.now))
    for window in windows.values():
        if min(due for due, _ in window) - now <= LEAD:
            for due, machine in window:
                what = look.what("billing_due", machine.key, due.isoformat(timespec="seconds"))
                yield Found(what, "info", until=due, machine=machine, quiet=True)


def unexpected_charge(look: Look) -> Iterator[Found]:
    """A charge that does not fit, until the next boundary."""
    for key, seen in look.paid:
        if seen.odd_since:
            what = look.what("unexpected_charge", key, seen.odd_since.isoformat())
            yield Found(what, "warning", hold=15 * MINUTE, machine=seen.now, quiet=True)


def vm_status(look: Look) -> Iterator[Found]:
    """A VM that is stopped, or ended."""
    assert look.sight.vms is not None
    for key, machine in look.sight.vms.items():
        if machine.state in {_STOPPED, _ENDED} and look.word(machine) != "out of funds":
            severity = "critical" if machine.state is _ENDED else "warning"
            word = machine.state.value
            what = look.what("vm_status", key, word)
            yield Found(what, severity, machine=machine, status=word)


def locked_funds(look: Look) -> Iterator[Found]:
    """An ended VM that keeps its reserve for a day."""
    assert look.sight.vms is not None
    for key, machine in look.sight.vms.items():
        if machine.state is _ENDED and machine.reserved > _SMALLEST:
            what = look.what("locked_funds", key)
            yield Found(what, "warning", hold=DAY, machine=machine)


def port_drift(look: Look) -> Iterator[Found]:
    """Each port that differs from what is expected."""
    for key, seen in look.billed:
        have, want = {*map(str, seen.now.ports)}, {*_expected(look.plan, seen)}
        for direction, ports in (("opened", have - want), ("closed", want - have)):
            for port in ports:
                locks_out = direction == "closed" and port == str(SSH)
                severity = "critical" if locks_out else "warning"
                what = look.what("port_drift", key, f"{direction} {port}")
                yield Found(what, severity, int(locks_out), machine=seen.now)


def _expected(plan: Plan, seen: Seen) -> Iterator[str]:
    for glob, ports in plan.expected.items():
        if fnmatchcase(seen.now.name, glob):
            yield from ports
            return
    yield from map(str, seen.ports)


def price_changed(look: Look) -> Iterator[Found]:
    """Another price than the poll before saw."""
    for key, seen in look.billed:
        if seen.before and seen.before.price != seen.now.price:
            detail = f"{seen.before.price} {seen.now.price}"
            yield _event(look, "price_changed", key, detail, machine=seen.now)


def public_ip_changed(look: Look) -> Iterator[Found]:
    """Another address than the poll before saw."""
    for key, seen in look.billed:
        if seen.before and seen.before.public_ip != seen.now.public_ip:
            detail = f"{seen.before.public_ip} {seen.now.public_ip}"
            yield _event(look, "public_ip_changed", key, detail, "info", machine=seen.now)


def vm_appeared(look: Look) -> Iterator[Found]:
    """A VM that was never listed."""
    for key in look.memory.fresh:
        yield _event(look, "vm_appeared", key, machine=look.memory.vms[key].now)


def ssh_key_drift(look: Look) -> Iterator[Found]:
    """A key that was added or removed."""
    before, now = look.memory.keys_before, look.memory.keys
    if before is not None and now is not None:
        for direction, keys in (("added", now - before), ("removed", before - now)):
            for key in keys:
                yield _event(look, "ssh_key_drift", "", f"{direction} {key}")


def vm_vanished(look: Look) -> Iterator[Found]:
    """A VM that two whole lists in a row lack; one alert of the account when most are gone at once."""
    doubted = look.memory.doubted()
    for since, keys in doubted.items():
        if look.memory.vms[keys[0]].is_lost:
            yield Found(look.what("vm_vanished", "fleet", since.isoformat()), "critical")
    unsure = {key for keys in doubted.values() for key in keys}
    for key, seen in look.memory.vms.items():
        if seen.is_lost and key not in unsure and seen.now.state is not _ENDED:
            yield Found(look.what("vm_vanished", key), "critical", machine=seen.now)


def vm_unreadable(look: Look) -> Iterator[Found]:
    """A VM whose element cannot be read, or whose money is not told."""
    known = look.memory.vms
    for key in look.sight.bent.keys() & known.keys():
        detail = "" if key in look.sight.unread else "money"
        what = look.what("vm_unreadable", key, detail)
        yield Found(what, "warning", hold=10 * MINUTE, machine=known[key].now)


def _event(
    look: Look, rule: str, subject: str, detail: str = "", severity: str = "warning",
    machine: Machine | None = None,
) -> Found:  # fmt: skip
    when = f"{detail} {look.sight.at.isoformat()}"
    what = look.what(rule, subject, when.strip())
    return Found(what, severity, at_once=True, event=True, machine=machine, quiet=True)


Condition = Callable[[Look], Iterator[Found]]
OF_RESERVES: tuple[Condition, ...] = (
    topup_failed, low_balance, billing_due, unexpected_charge, locked_funds,
)  # fmt: skip
OF_VMS: tuple[Condition, ...] = (
    vm_status, port_drift, price_changed, public_ip_changed, vm_appeared, ssh_key_drift, vm_vanished,
    vm_unreadable,
)  # fmt: skip


OF_MONEY = frozenset({"topup_failed", "low_balance", "unexpected_charge"})
"""What is unknown of a VM whose price is."""


def at_poll(look: Look) -> Mapping[What, Found]:
    """All that is true, without what another rule says better."""
    true = OF_VMS if look.sight.metered else OF_VMS + OF_RESERVES
    found = {each.what: each for condition in true for each in condition(look)}
    return {what: each for what, each in found.items() if not replaced(look, what, found)}


def replaced(look: Look, what: What, found: Mapping[What, Found]) -> bool:
    """Whether `topup_failed` says it: of the reserve always, of the charge once its `for` has passed."""
    other = look.what("topup_failed", what.subject)
    if what.rule not in {"low_balance", "billing_due"} or other not in found:
        return False
    overdue = look.sight.at - look.memory.vms[what.subject].boundary >= timedelta(minutes=15)
    return what.rule == "low_balance" or overdue or found[other].at_once

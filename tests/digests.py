"""Digests of fleets of any size, made by the code that makes those of the daemon."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.state import AccountState
from fluence_watch.model.billing import EPOCHS
from fluence_watch.model.boundaries import Boundaries
from fluence_watch.model.digest import Digest, Period, ThingCost
from fluence_watch.model.finding import Fingerprint, Severity, VmRef
from fluence_watch.model.known import KnownVm
from fluence_watch.model.known_resource import KnownResource
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.vm import Datacenter, Status, Vm
from fluence_watch.rules.low_balance import LowBalance
from fluence_watch.rules.port_drift import Direction, PortDrift
from fluence_watch.rules.price_changed import PriceChanged
from fluence_watch.views.digest import Account, Ledger, Slot, digest_of

NOW = datetime(2026, 4, 13, 8, 0, 20, tzinfo=UTC)
SLOT = Slot(NOW.replace(second=0), Period(date(2026, 4, 10), date(2026, 4, 12)), NOW.replace(second=0) + timedelta(days=1))  # fmt: skip
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PRICE = 298_160
EVENTS = frozenset({"price_changed"})
_ROLES = ("web", "db", "worker", "cache", "build")
_PLACES = (Datacenter("FR", "PAR", 1), Datacenter("DE", "FRA", 2))


def machine(number: int, name: str | None = None) -> KnownVm:
    """A VM of a fleet; every third is refilled by its account."""
    boundary = SLOT.at + (1 + number * 7 % 23) * HOUR
    vm = Vm(
        f"0x{number * 7_919 % 65_521:04x}{'1b9c' * 9}",
        name or f"{_ROLES[number % 5]}-{number}",
        Status.ACTIVE,
        "active",
        MicroUsdc(PRICE + number * 1_000),
        MicroUsdc(PRICE * (number * 5 % 19)),
        next_billing_at=boundary,
        datacenter=_PLACES[number % 2],
    )
    refilled = number % 3 == 0
    covered = vm.reserved is not None and vm.price is not None and vm.reserved >= vm.price
    boundaries = Boundaries(boundary - DAY, covered=covered or refilled, refilled=refilled, was_refilled=refilled)  # fmt: skip
    return KnownVm(vm, NOW - 40 * DAY, boundaries=boundaries)


def idle_disk(number: int, name: str | None = None) -> KnownResource:
    """A disk that is attached to nothing."""
    key = f"{number * 104_729 % 65_521:04x}c41e-7d1f-4a52"
    disk = Resource(Kind.DISK, key, name or f"data-{number}", "ready", MicroUsdc(1_000 + number), size_bytes=50 * 10**9)  # fmt: skip
    return KnownResource(disk, NOW - 9 * DAY)


def account(name: str, vms: Sequence[KnownVm], disks: Sequence[KnownResource] = ()) -> Account:
    """An account with alerts about its first VMs."""
    alerts = [alert(name, each, number) for number, each in enumerate(vms[1:4])]
    state = AccountState(
        {each.vm.key: each for each in vms},
        {each.fingerprint: each for each in alerts},
        last_good_at=NOW - timedelta(seconds=30),
        resources={each.resource.key: each for each in disks},
    )
    return Account(name, state, EPOCHS)


def alert(account: str, of: KnownVm, number: int, *, ended: bool = False) -> Alert:
    """An alert of one of three rules."""
    vm = VmRef(of.vm.id, of.vm.name, "FR-PAR-1")
    since = SLOT.at - 30 * HOUR - number * 17 * timedelta(minutes=1)
    due = of.vm.next_billing_at or NOW
    rule, severity, facts = (
        ("low_balance", Severity.CRITICAL, LowBalance(vm, PRICE, 100_000, PRICE, due, due)),
        ("port_drift", Severity.WARNING, PortDrift(vm, "3306/tcp", Direction.OPENED, False, (), ())),  # noqa: FBT003 - facts as they are
        ("price_changed", Severity.WARNING, PriceChanged(vm, MicroUsdc(PRICE), MicroUsdc(PRICE + 20_000), MicroUsdc(20_000), Decimal("6.7"), None)),
    )[number % 3]  # fmt: skip
    fingerprint = Fingerprint(account, rule, of.vm.key)
    made = Alert(fingerprint, severity, State.FIRING, facts, since, since)
    return replace(made, state=State.RESOLVED, ends_at=since + (number + 1) * HOUR) if ended else made  # fmt: skip


def ledger(accounts: Sequence[Account]) -> Ledger:
    """Three days of everything; of the three before, all but the newest, and something that is gone."""
    costs = [_cost(each.name, entry, 3) for each in accounts for entry in each.known]
    before = [cost._replace(amount=MicroUsdc(cost.amount + change)) for cost, change in zip(costs, _CHANGES * len(costs), strict=False)]  # fmt: skip
    if len(costs) > 1:
        gone = ThingCost(accounts[0].name, "0xdead4bee", "vm", "old-1", MicroUsdc(600_000), MicroUsdc(0))  # fmt: skip
        before = [*before[:-1], gone]
    whole = sum(each.amount for each in costs) // 3
    days = [SLOT.period.last - back * DAY for back in range(14)]
    return Ledger(
        costs,
        before,
        {each.name: date(2026, 3, 1) for each in accounts},
        MicroUsdc(whole * 12),
        {day: MicroUsdc(whole * (100 - back * 37 % 41) // 100) for back, day in enumerate(days)},
    )


_CHANGES = (0, 0, -300_000, 0, 250_000)


def _cost(account: str, of: KnownVm, days: int) -> ThingCost:
    amount = MicroUsdc(days * (of.vm.price or 0))
    return ThingCost(account, of.vm.key, "vm", of.vm.name, amount, MicroUsdc(0))


def fleet(
    vms: int, *, accounts: int = 1, disks: int = 0, name: str | None = None, **begins: date
) -> Digest:
    """The digest of so many VMs; `name` is that of everything, `begins` where ledgers begin."""
    cuts = [vms * each // accounts for each in range(accounts + 1)]
    machines = [machine(number, name) for number in range(1, vms + 1)]
    leftovers = [idle_disk(number, name) for number in range(1, disks + 1)]
    owners = [
        account(
            name or ("main", "staging", "lab")[at],
            machines[first:last],
            leftovers if not at else (),
        )
        for at, (first, last) in enumerate(pairwise(cuts))
    ]
    ended = [alert(owners[0].name, each, n, ended=True) for n, each in enumerate(machines[:6])]
    of = ledger(owners)
    firsts = {**of.first_days, **begins}
    there = [each for each in of.costs if firsts[each.account] <= SLOT.period.last]
    of = replace(of, costs=there, first_days=firsts)
    return digest_of(owners, of, ended if vms > 1 else (), SLOT, now=NOW, events=EVENTS)

"""Sample facts of every rule, for `notify preview` and for checks of templates. They are not loaded otherwise."""

from collections.abc import Iterator, Sequence
from dataclasses import is_dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.model.budget import Spender
from fluence_watch.model.finding import WATCHER, Fingerprint, VmRef
from fluence_watch.model.known import Cause
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, ResourceRef
from fluence_watch.model.silenced import Hidden
from fluence_watch.model.spending import ThingSpending
from fluence_watch.model.vm import Status
from fluence_watch.rules.account_low import AccountLow
from fluence_watch.rules.base import Rule
from fluence_watch.rules.bill_mismatch import BillMismatch, Charged, KindBill
from fluence_watch.rules.billing_due import BillingDue
from fluence_watch.rules.budget import BudgetForecast, BudgetSpent
from fluence_watch.rules.debt import Debt
from fluence_watch.rules.delivery_failing import DeliveryFailing, DeliveryRefused
from fluence_watch.rules.funds_exhausted_soon import FundsExhaustedSoon
from fluence_watch.rules.gpu_reserve import GpuReserve
from fluence_watch.rules.gpu_status import GpuNotStarted, GpuOver
from fluence_watch.rules.idle_resource import IdleResource
from fluence_watch.rules.locked_funds import LockedFunds
from fluence_watch.rules.low_balance import LowBalance
from fluence_watch.rules.overpriced import Overpriced
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.rules.port_drift import Direction, PortDrift
from fluence_watch.rules.price_changed import PriceChanged, ResourcePriceChanged
from fluence_watch.rules.public_ip_changed import PublicIpChanged
from fluence_watch.rules.runway import Runway
from fluence_watch.rules.silence_ending import SilenceEnding
from fluence_watch.rules.situation import Scope
from fluence_watch.rules.spend_anomaly import SpendAnomaly
from fluence_watch.rules.ssh_key_drift import KeyChange, SshKeyDrift
from fluence_watch.rules.topup_failed import TopupFailed
from fluence_watch.rules.unexpected_charge import UnexpectedCharge
from fluence_watch.rules.vm_appeared import VmAppeared
from fluence_watch.rules.vm_status import VmStatus
from fluence_watch.rules.vm_unreadable import MoneyUnknown, VmUnreadable
from fluence_watch.rules.vm_vanished import (
    FleetVanished,
    ResourcesVanished,
    ResourceVanished,
    VmVanished,
)

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_PRICE = MicroUsdc(298_160)
_LESS = MicroUsdc(100_000)
_MISSING = MicroUsdc(_PRICE - _LESS)
_MONTH = MicroUsdc(8_844_800)
_ADDRESS = "203.0.113.7"
_DISK = ResourceRef(Kind.DISK, "0b5c1e77-8a1c-4a4e-9d6c-6f1f8e2a9b10", "data", "200 GB")
_GPU = ResourceRef(Kind.GPU_CONTAINER, "b54672e2-0a8b-490f", "trainer", "1 x a100")


def alerts(rule: Rule, now: datetime, number: int = 1) -> list[Alert]:
    """So many alerts of the rule that fire, each of its types of facts in turn."""
    samples = sample_facts(rule, now)
    return [_alert(rule, samples[n % len(samples)], now, n + 1) for n in range(number)]


def ended(alert: Alert, now: datetime) -> Alert:
    """The same alert, over by now."""
    return replace(alert, state=State.RESOLVED, ends_at=now)


def sample_facts(rule: Rule, now: datetime) -> Sequence[object]:
    """Facts of the rule: some with everything that may be known, and some with as little as may be."""
    rich = [each for each in _samples(now) if type(each) in rule.facts]
    return [*rich, *(poor for each in rich if (poor := _poor(each)) != each)]


def _alert(rule: Rule, facts: Any, now: datetime, number: int) -> Alert:  # noqa: ANN401 - facts have no common type
    if getattr(facts, "vm", None):
        facts = replace(facts, vm=_vm(number))
    thing = getattr(facts, "vm", None) or getattr(facts, "resource", None)
    account = WATCHER if rule.scope is Scope.WATCHER else "main"
    fingerprint = Fingerprint(account, rule.name, thing.id if thing else f"sample-{number}")
    since, severity = now - 57 * timedelta(minutes=1), rule.settings().severity  # type: ignore[call-arg] # each rule has a default
    due_at = getattr(facts, "due_at", None)
    return Alert(
        fingerprint, severity, State.FIRING, facts, since, since, relevant_until=due_at
    )  # fmt: skip


def _poor(facts: Any) -> Any:  # noqa: ANN401 - facts have no common type
    """The same facts with nothing that need not be known."""
    assert is_dataclass(facts)
    names = {"reserved", "spent", "created_at", "public_ip", "ports", "ends_at", "forecast"}
    names |= {"reached_at", "percent", "per_month", "last_seen_at", "funded_until", "comment"}
    optional = {
        name: None
        for name, field in facts.__dataclass_fields__.items()
        if name in names and "None" in str(field.type)
    }
    return replace(facts, **optional)  # type: ignore[type-var] # see above


def _vm(number: int = 1) -> VmRef:
    return VmRef(f"0x{0x311EDB + number:06x}{number:034x}", f"web-{number}", "FR-PAR-1")


def _samples(now: datetime) -> Iterator[object]:
    yield from _of_funds(now)
    yield from _of_vms(now)
    yield from _of_costs(now)
    yield from _of_things(now)
    yield from _of_the_watcher(now)


def _of_funds(now: datetime) -> Iterator[object]:
    due, dry = now + 42 * timedelta(minutes=1), now + 2 * _DAY
    balance, burn, days = MicroUsdc(2_500_000), MicroUsdc(1_015_000), Decimal("2.4")
    account = Runway(balance, burn, days, dry)
    yield LowBalance(_vm(), _PRICE, _LESS, _PRICE, due, due)
    yield TopupFailed(_vm(), _PRICE, _LESS, _MISSING, _MONTH, due - _DAY, due, 25 * 2**30, _ADDRESS)
    yield FundsExhaustedSoon(dry, _vm(), dry + 13 * _HOUR, 0, MicroUsdc(27_950_000), account)
    yield AccountLow(balance, burn, days, dry, 2)
    yield Debt(MicroUsdc(4_500_000), burn, now + 50 * _HOUR, now + 12 * _DAY, 1, 2, 2)
    yield BillingDue(_vm(), _PRICE, due, _PRICE)
    yield LockedFunds(_vm(), _PRICE)


def _of_vms(now: datetime) -> Iterator[object]:
    seen, since = now - 3 * timedelta(minutes=1), now - 2 * timedelta(minutes=1)
    ports = ("22/tcp", "443/tcp")
    yield VmVanished(
        _vm(),
        seen,
        _ADDRESS,
        "active",
        _LESS,
        _MONTH,
        now + 28 * _HOUR,
        Cause.UNKNOWN,
        ports,
        since,
    )
    yield FleetVanished(48, 50, seen, (_vm(1), _vm(2)), now + 6 * _HOUR)
    yield ResourceVanished(_DISK, seen, since, attached=True)
    yield ResourcesVanished(Kind.DISK, 14, 16, seen, (_DISK,), now + 6 * _HOUR)
    yield VmStatus(_vm(), Status.STOPPED, "stopped", _PRICE)
    yield VmAppeared(_vm(), _PRICE, _PRICE, since, now + 23 * _HOUR, ports, _ADDRESS)
    yield PortDrift(_vm(), "8080/tcp", Direction.OPENED, True, ports, (*ports, "8080/tcp"), ("8080/tcp",))  # noqa: FBT003 - facts as they are  # fmt: skip
    yield PortDrift(_vm(), "22/tcp", Direction.CLOSED, False, ports, ("443/tcp",))  # noqa: FBT003 - facts as they are
    yield SshKeyDrift(KeyChange.ADDED, "laptop", "SHA256:w6Tl4v", "ssh-ed25519", "me@home")
    yield PublicIpChanged(_vm(), _ADDRESS, "203.0.113.8")
    yield VmUnreadable(_vm(), ".pricePerEpoch", "Expected `int`, got `str`")
    yield MoneyUnknown(_vm(), ("price", "next charge"))


def _of_costs(now: datetime) -> Iterator[object]:
    new, more, until = MicroUsdc(350_000), MicroUsdc(51_840), now + 26 * _HOUR
    disk, much = MicroUsdc(9_600_000), MicroUsdc(12_000_000)
    yield PriceChanged(_vm(), _PRICE, new, more, Decimal("17.4"), until)
    yield ResourcePriceChanged(
        _DISK, _PRICE, new, more, Decimal("17.4"), MicroUsdc(720 * new)
    )  # fmt: skip
    yield UnexpectedCharge(_vm(), now, 1, _PRICE, _PRICE, MicroUsdc(2 * _PRICE), _PRICE)
    charged = Charged("disk", _DISK.id, "data", Decimal(24), much, disk)
    of_disks = KindBill("disk", much, disk, disk)
    miss, yesterday = MicroUsdc(much - disk), now.date() - _DAY
    yield BillMismatch(yesterday, much, disk, disk, miss, 2, (of_disks,), (charged,))
    thing = ThingSpending("0x311edb01", "vm", "train-1", much, MicroUsdc(0), now.date())
    yield SpendAnomaly(now.date(), 9, MicroUsdc(62_500_000), MicroUsdc(21_000_000), 28, (thing,))
    yield Overpriced(
        _vm(), None, MicroUsdc(1_200_000), MicroUsdc(900_000), "FR-PAR-1",
        is_elsewhere=False, saving=disk,
    )  # fmt: skip
    limit, spent = MicroUsdc(100_000_000), MicroUsdc(52_500_000)
    forecast, largest = (
        MicroUsdc(105_000_000),
        (Spender("main", "0x311edb01", "vm", "train-1", much),),
    )
    for facts in (BudgetSpent, BudgetForecast):
        yield facts("team", limit, spent, 52, forecast, largest, now + 14 * _DAY, now + 9 * _DAY)


def _of_things(now: datetime) -> Iterator[object]:
    price = MicroUsdc(1_220_000)
    yield IdleResource(_DISK, _MONTH)
    yield GpuReserve(_GPU, price, price, price, now + _HOUR)
    yield GpuNotStarted(_GPU, MicroUsdc(24 * price))
    yield GpuOver(_GPU, "ended", now - _HOUR, MicroUsdc(22 * price))


def _of_the_watcher(now: datetime) -> Iterator[object]:
    yield PollFailing("server_error", "the API failed (503)")
    yield DeliveryFailing("chat", "HTTP 503: try later", 2, now - _HOUR)
    yield DeliveryRefused("chat", ("main low_balance 0x311edb01",), 1)
    hidden = (Hidden("main", "topup_failed", _vm()), Hidden("main", "debt"))
    yield SilenceEnding(
        "5f0c1a2b", 'vm=~"train-.*"', "new disks", "ann", now + 20 * _HOUR, hidden, len(hidden)
    )

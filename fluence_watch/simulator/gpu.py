"""GPU instances: prepaid by hours of the clock, from a reserve of two hours.

Three hours are taken at the start: one is charged, two are the reserve. Each hour is charged from
the reserve, which is then topped up. An instance whose hour cannot be paid ends and is deleted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator.errors import RefusedError
from fluence_watch.simulator.ids import uuid_of
from fluence_watch.simulator.journal import Paid

HOUR = timedelta(hours=1)
_RESERVED_HOURS = 2
_NOTHING = MicroUsdc(0)


class GpuKind(StrEnum):
    """What an instance is."""

    CONTAINER = "container"
    VM = "vm"
    BARE_METAL = "bare_metal"


class GpuState(StrEnum):
    """The state of an instance, in the words of the API."""

    INITIALIZED = "INITIALIZED"
    ACTIVE = "ACTIVE"
    FAILED = "FAILED"
    ENDED = "ENDED"


OVER = frozenset({GpuState.FAILED, GpuState.ENDED})


@dataclass(frozen=True, slots=True)
class GpuInstance:
    """An instance. `price` is of an hour. Amounts are micro-USDC."""

    id: str
    kind: GpuKind
    name: str
    price: MicroUsdc
    created_at: datetime
    changed_at: datetime
    next_billing_at: datetime
    state: GpuState = GpuState.ACTIVE
    reserved: MicroUsdc = _NOTHING
    spent: MicroUsdc = _NOTHING
    started: bool = True
    drained: bool = False
    model: str = "a100"


class Account(Protocol):
    """Whose instances they are."""

    now: datetime
    balance: MicroUsdc
    gpus: dict[str, GpuInstance]
    journal: list[Paid]


def rent(account: Account, kind: GpuKind, name: str, price: MicroUsdc, *, started: bool) -> str:
    """Start an instance. Returns its id.

    Raises:
        RefusedError: the balance does not pay three hours.
    """
    if account.balance < (1 + _RESERVED_HOURS) * price:
        raise RefusedError("the balance does not pay three hours")
    hour = account.now.replace(minute=0, second=0, microsecond=0)
    instance = GpuInstance(
        uuid_of(f"gpu-{kind}", f"{name}@{account.now.isoformat()}"),
        kind,
        name,
        price,
        account.now,
        account.now,
        hour + HOUR,
        reserved=MicroUsdc(_RESERVED_HOURS * price),
        spent=price,
        started=started,
    )
    account.balance = MicroUsdc(account.balance - (1 + _RESERVED_HOURS) * price)
    account.gpus[instance.id] = instance
    account.journal.append(Paid(account.now, instance.id, price))
    return instance.id


def run(account: Account, until: datetime) -> None:
    """Charge every hour up to that time."""
    while due := [
        instance
        for instance in account.gpus.values()
        if instance.state is GpuState.ACTIVE and instance.next_billing_at <= until
    ]:
        instance = min(due, key=lambda each: each.next_billing_at)
        account.gpus[instance.id] = _charged(account, instance)


def _charged(account: Account, instance: GpuInstance) -> GpuInstance:
    if instance.reserved < instance.price:
        return _over(account, instance, GpuState.ENDED, instance.next_billing_at)
    account.journal.append(Paid(instance.next_billing_at, instance.id, instance.price))
    paid = replace(
        instance,
        reserved=MicroUsdc(instance.reserved - instance.price),
        spent=MicroUsdc(instance.spent + instance.price),
        next_billing_at=instance.next_billing_at + HOUR,
    )
    wanted = MicroUsdc(_RESERVED_HOURS * paid.price - paid.reserved)
    if paid.drained or wanted > account.balance:
        return paid
    account.balance = MicroUsdc(account.balance - wanted)
    return replace(paid, reserved=MicroUsdc(paid.reserved + wanted))


def end(account: Account, instance: GpuInstance, state: GpuState = GpuState.ENDED) -> None:
    """End an instance; what it had reserved goes back."""
    account.gpus[instance.id] = _over(account, instance, state, account.now)


def _over(account: Account, instance: GpuInstance, state: GpuState, at: datetime) -> GpuInstance:
    account.balance = MicroUsdc(account.balance + instance.reserved)
    return replace(instance, state=state, reserved=_NOTHING, changed_at=at, started=False)


def held(gpus: Mapping[str, GpuInstance]) -> MicroUsdc:
    """What instances have reserved and spent."""
    return MicroUsdc(sum(each.reserved + each.spent for each in gpus.values()))

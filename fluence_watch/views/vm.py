"""A VM as data."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from fluence_watch.model.billing import EPOCHS, Billing
from fluence_watch.model.forecast import forecast
from fluence_watch.model.money import in_usdc
from fluence_watch.model.text import inert, short_id
from fluence_watch.model.vm import Status, Vm

_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class VmView:
    """A VM of an account. Texts are as the API reports them. `None` is unknown.

    Amounts are USDC, sizes are bytes. `ports` are written as `22/tcp`.
    `epoch_seconds` is the period that the price covers.
    `funded_until` is also `None` for a VM that has ended, and `FOREVER` for a free one.
    """

    account: str
    vm_id: str
    vm_name: str | None
    status: Status
    status_word: str
    billed: bool
    datacenter: str | None
    tier: int | None
    public_ip: str | None
    ports: tuple[str, ...] | None
    os_image: str | None
    vcpus: int | None
    memory_bytes: int | None
    storage_bytes: int | None
    created_at: datetime | None
    epoch_seconds: int
    price_per_epoch: Decimal | None
    reserved: Decimal | None
    spent: Decimal | None
    next_billing_at: datetime | None
    funded_until: datetime | None
    burn_per_day: Decimal | None
    to_month_end: Decimal | None

    @property
    def title(self) -> str:
        """The display name: `web-1 (0xa1b2c3)`."""
        return vm_title(self.vm_id, self.vm_name)


def vm_title(vm_id: str, name: str | None) -> str:
    """The display name of a VM: its sanitized name and the first characters of its id."""
    shown = inert(name or "", _LONGEST_NAME)
    return f"{shown} ({short_id(vm_id)})" if shown else short_id(vm_id)


def vm_view(
    account: str,
    vm: Vm,
    now: datetime,
    billing: Billing = EPOCHS,
    removed_at: datetime | None = None,
) -> VmView:
    """The view of a VM as of `now`. Its price covers an `epoch`.

    `removed_at` is when it is removed if its metered account is not topped up.
    """
    ahead = forecast(vm, now, billing)
    return VmView(
        account=account,
        vm_id=vm.id,
        vm_name=vm.name,
        status=vm.status,
        status_word=vm.status_word,
        billed=vm.is_billed,
        datacenter=vm.datacenter.name if vm.datacenter else None,
        tier=vm.datacenter.tier if vm.datacenter else None,
        public_ip=vm.public_ip,
        ports=None if vm.ports is None else tuple(map(str, vm.ports)),
        os_image=vm.os_image,
        vcpus=vm.vcpus,
        memory_bytes=vm.memory_bytes,
        storage_bytes=vm.storage_bytes,
        created_at=vm.created_at,
        epoch_seconds=int(billing.period.total_seconds()),
        price_per_epoch=in_usdc(vm.price),
        reserved=in_usdc(vm.reserved),
        spent=in_usdc(vm.spent),
        next_billing_at=vm.next_billing_at,
        funded_until=removed_at if removed_at and vm.is_billed else ahead.funded_until,
        burn_per_day=in_usdc(ahead.burn_per_day),
        to_month_end=in_usdc(ahead.to_month_end),
    )

"""A disk, an address or a GPU instance as data."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from fluence_watch.model.funding import burn_per_day, cost_until, funded_until
from fluence_watch.model.money import in_usdc
from fluence_watch.model.month import month_end
from fluence_watch.model.resource import Forward, Kind, Resource, ResourceRef
from fluence_watch.views.vm import vm_title


@dataclass(frozen=True, slots=True)
class ResourceView:
    """A disk, an address or a GPU instance. Amounts are USDC, sizes are bytes. `None` is unknown.

    `attached_to` holds the ids of VMs. It is empty for a resource that serves nothing.
    `funded_until` is when it is removed, unless the account is topped up.
    Only a GPU instance has `reserved` and what follows. `forwards` are its ports: `22/tcp at 32345`.
    """

    account: str
    kind: Kind
    id: str
    name: str | None
    status_word: str
    billed: bool
    attached_to: tuple[str, ...]
    size_bytes: int | None
    address: str | None
    created_at: datetime | None
    price_per_hour: Decimal | None
    funded_until: datetime | None
    burn_per_day: Decimal | None
    to_month_end: Decimal | None
    reserved: Decimal | None
    spent: Decimal | None
    next_billing_at: datetime | None
    gpu: str | None
    location: str | None
    running: bool | None
    forwards: tuple[str, ...] | None

    @property
    def title(self) -> str:
        """The display name: `data (0b5c1e)`."""
        return vm_title(self.id, self.name)


def resource_title(resource: ResourceView | ResourceRef) -> str:
    """The display name: `disk data (0b5c1e)`."""
    named = vm_title(resource.id, resource.name)
    return f"{resource.kind.word} {named}"


def resource_view(
    account: str, resource: Resource, now: datetime, removed_at: datetime | None = None
) -> ResourceView:
    """The view of a resource as of `now`.

    `removed_at` is when it is removed if its account is not topped up.
    """
    known = resource.price is not None or not resource.is_billed
    billing, forwards = resource.billing, resource.forwards
    until = funded_until(resource, billing) if billing.prepaid else removed_at
    return ResourceView(
        account=account,
        kind=resource.kind,
        id=resource.id,
        name=resource.name,
        status_word=resource.status_word,
        billed=resource.is_billed,
        attached_to=resource.attached_to,
        size_bytes=resource.size_bytes,
        address=resource.address,
        created_at=resource.created_at,
        price_per_hour=in_usdc(resource.price),
        funded_until=until if resource.is_billed else None,
        burn_per_day=in_usdc(burn_per_day([resource], billing)) if known else None,
        to_month_end=in_usdc(cost_until(resource, now, month_end(now), billing)),
        reserved=in_usdc(resource.reserved),
        spent=in_usdc(resource.spent),
        next_billing_at=resource.next_billing_at,
        gpu=resource.gpu,
        location=resource.location,
        running=resource.is_running,
        forwards=None if forwards is None else tuple(map(_forward, forwards)),
    )


def _forward(forward: Forward) -> str:
    return f"{forward.port}/{forward.protocol} at {forward.external_port}"

"""What the API reports about an account and about itself, in the dialects that report it."""

from dataclasses import dataclass

from fluence_watch.model.money import MicroUsdc


@dataclass(frozen=True, slots=True)
class NotReported:
    """The API does not report this value. It is neither zero nor a failure.

    `why` is text for users.
    """

    why: str


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """The balance of an account in micro-USDC.

    `days_left` is the API's own estimate from the account's usage, in whole days.
    It is `None` if the API gives no estimate.
    `overage` is the usage beyond the balance.
    """

    balance: MicroUsdc
    days_left: int | None = None
    overage: MicroUsdc | None = None


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """What the API reports about itself."""

    maintenance: bool
    version: str | None = None

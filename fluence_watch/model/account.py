"""What the API reports of an account and of itself, where the dialect has it."""

from dataclasses import dataclass

from fluence_watch.model.money import MicroUsdc


@dataclass(frozen=True, slots=True)
class NotTold:
    """The API does not report it; `why` is for people. It is neither zero nor a failure."""

    why: str


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """The money of an account in micro-USDC, and for how long it lasts.

    `days_left` is the API's own estimate from the account's usage, in whole days; `None` where
    it makes none. `overage` is what was used beyond the balance.
    """

    balance: MicroUsdc
    days_left: int | None = None
    overage: MicroUsdc | None = None


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """What the API reports of itself."""

    maintenance: bool
    version: str | None = None

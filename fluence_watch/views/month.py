"""What the month comes to by its end (UTC), from the stored state, as data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from fluence_watch.alerting.state import AccountState
from fluence_watch.model.billing import EpochBilling
from fluence_watch.model.money import MicroUsdc, Sum, in_usdc
from fluence_watch.model.month import Rented, month_ahead
from fluence_watch.views.rented import rented_in


@dataclass(frozen=True, slots=True)
class MonthForecast:
    """What the month comes to, if all that runs now is kept at its last known price. USDC.

    `charged` is in the ledger; `ahead` is `vms` and `resources` until the month's end. What is
    `left_out` is not in it, because its price or its next charge is unknown.
    `polled_at` is the last successful poll; of several accounts, the oldest one. Metered things are in
    the ledger until `counted_until`; it is `None` if there are none.
    The accounts that are `unpolled` have no successful poll in this month, and are not in `ahead`. Of
    those that are `incomplete`, the last one did not see all that is metered.
    If any of these leaves something out, the sums are at least so much.
    """

    month: str
    total: Decimal | None
    charged: Decimal | None
    ahead: Decimal | None
    vms: int
    resources: int
    left_out: int
    polled_at: datetime
    counted_until: datetime | None
    unpolled: tuple[str, ...]
    incomplete: tuple[str, ...] = ()

    @property
    def is_least(self) -> bool:
        """Whether something is left out."""
        return bool(self.left_out or self.unpolled or self.incomplete)


def month_forecast(
    charged: MicroUsdc,
    states: Mapping[str, AccountState],
    epochs: Mapping[str, timedelta],
    now: datetime,
) -> MonthForecast | None:
    """The forecast for accounts. `None` if none of them had a successful poll in this month.

    `charged` is what the ledger has of the month, `epochs` the billing periods of prepaid accounts.
    """
    found = {
        name: rented_in(state, EpochBilling(epochs[name]), now) for name, state in states.items()
    }
    parts = {name: each for name, each in found.items() if each is not None}
    if not parts:
        return None
    of_vms = _ahead([each._replace(resources=()) for each in parts.values()], now)
    of_rest = _ahead([each._replace(vms=()) for each in parts.values()], now)
    ahead, counted = of_vms + of_rest, [each.counted_at for each in parts.values()]
    return MonthForecast(
        month=f"{now:%Y-%m}",
        total=in_usdc(MicroUsdc(charged + ahead.amount)),
        charged=in_usdc(charged),
        ahead=in_usdc(ahead.amount),
        vms=sum(len(each.vms) for each in parts.values()) - of_vms.unknown,
        resources=sum(len(each.resources) for each in parts.values()) - of_rest.unknown,
        left_out=ahead.unknown,
        polled_at=min(filter(None, (states[name].last_good_at for name in parts))),
        counted_until=min(filter(None, counted), default=None),
        unpolled=tuple(name for name, each in found.items() if each is None),
        incomplete=tuple(name for name, each in parts.items() if not each.is_whole),
    )


def _ahead(parts: Iterable[Rented], now: datetime) -> Sum:
    return sum((month_ahead(each, now) for each in parts), Sum())

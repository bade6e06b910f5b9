"""Costs as rows of FOCUS, the FinOps Open Cost and Usage Specification, version 1.0.

https://focus.finops.org/focus-specification/v1-0/: its mandatory columns, those of resources and of
regions, and one of our own. A row is what a thing cost on a day (UTC). USDC count as US dollars, since
the specification knows national currencies only.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal

from fluence_watch.model.charge import VM, words_of
from fluence_watch.model.ledger import Cost
from fluence_watch.model.money import in_usdc
from fluence_watch.model.resource import GPUS, Kind

_CATEGORIES: Mapping[str, str] = {
    VM: "Compute",
    Kind.DISK: "Storage",
    Kind.PUBLIC_IP: "Networking",
    **dict.fromkeys(GPUS, "Compute"),
}


def focus_row(cost: Cost) -> Iterable[object]:
    """The cells of a cost, in the order of `COLUMNS`; `None` is null."""
    return (value(cost) for value in _VALUES.values())


def _amount(cost: Cost) -> Decimal | None:
    return in_usdc(cost.amount)


def _provider(_: Cost) -> str:
    return "Fluence"


def _is_usage(cost: Cost) -> bool:
    return cost.amount >= 0


def _midnight(day: date) -> str:
    return f"{day}T00:00:00Z"


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


_VALUES: Mapping[str, Callable[[Cost], object]] = {
    "BilledCost": _amount,
    "BillingAccountId": lambda cost: cost.account,
    "BillingAccountName": lambda cost: cost.account,
    "BillingCurrency": lambda _: "USD",
    "BillingPeriodEnd": lambda cost: _midnight(_next_month(cost.day)),
    "BillingPeriodStart": lambda cost: _midnight(cost.day.replace(day=1)),
    "ChargeCategory": lambda cost: "Usage" if _is_usage(cost) else "Adjustment",
    "ChargeClass": lambda _: None,
    "ChargeDescription": lambda cost: f"{words_of(cost.kind)[0]}, one day",
    "ChargeFrequency": lambda _: "Usage-Based",
    "ChargePeriodEnd": lambda cost: _midnight(cost.day + timedelta(days=1)),
    "ChargePeriodStart": lambda cost: _midnight(cost.day),
    "ContractedCost": _amount,
    "EffectiveCost": _amount,
    "InvoiceIssuerName": _provider,
    "ListCost": _amount,
    "PricingQuantity": lambda cost: 1 if _is_usage(cost) else None,
    "PricingUnit": lambda cost: "Days" if _is_usage(cost) else None,
    "ProviderName": _provider,
    "PublisherName": _provider,
    "RegionId": lambda cost: cost.place,
    "RegionName": lambda cost: cost.place,
    "ResourceId": lambda cost: cost.id,
    "ResourceName": lambda cost: cost.name,
    "ResourceType": lambda cost: words_of(cost.kind)[0],
    "ServiceCategory": lambda cost: _CATEGORIES.get(cost.kind, "Other"),
    "ServiceName": lambda cost: words_of(cost.kind)[1],
    "x_Certainty": lambda cost: cost.certainty.value,
}

COLUMNS = tuple(_VALUES)
"""The names of the columns. `x_Certainty` says how sure the amount is."""

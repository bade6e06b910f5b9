"""Costs as rows of FOCUS: what the specification demands of each column."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.charge import VM
from fluence_watch.model.ledger import Certainty, Cost
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind
from fluence_watch.views.focus import COLUMNS, focus_row

# FOCUS 1.0, "Mandatory" columns
MANDATORY = {
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd",
    "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd",
    "ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost",
    "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "ServiceCategory",
    "ServiceName",
}  # fmt: skip
NULLABLE = {
    "ChargeClass",
    "PricingQuantity",
    "PricingUnit",
    "RegionId",
    "RegionName",
    "ResourceName",
}
CATEGORIES = {"Compute", "Storage", "Networking", "Other"}

costs = st.builds(
    Cost,
    account=st.just("main"),
    key=st.sampled_from(["0xa", "disk:d", "gpu_vm:g"]),
    kind=st.sampled_from([VM, *Kind, "subnet"]),
    name=st.none() | st.just("web"),
    place=st.none() | st.just("Warsaw"),
    day=st.dates(date(2020, 1, 1), date(2099, 12, 31)),
    amount=st.integers(-(10**12), 10**12).map(MicroUsdc),
    certainty=st.sampled_from(Certainty),
)


def test_the_mandatory_columns_are_there() -> None:
    """In the order of the alphabet, ours last."""
    assert set(COLUMNS) >= MANDATORY
    assert list(COLUMNS) == sorted(COLUMNS)
    assert [name for name in COLUMNS if name.startswith("x_")] == ["x_Certainty"]


@given(costs)
def test_a_row_follows_the_specification(cost: Cost) -> None:
    """Nulls, times, categories, and the amount to the micro-USDC."""
    row = dict(zip(COLUMNS, focus_row(cost), strict=True))

    assert {name for name, value in row.items() if value is None} <= NULLABLE
    assert {Decimal(cost.amount) / 1_000_000} == {
        row[name] for name in ("BilledCost", "EffectiveCost", "ContractedCost", "ListCost")
    }
    begin, end, first, following = (
        datetime.strptime(str(row[name]), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        for name in (
            "ChargePeriodStart",
            "ChargePeriodEnd",
            "BillingPeriodStart",
            "BillingPeriodEnd",
        )
    )
    assert first <= begin < end <= following
    assert (1, 1) == (first.day, following.day)
    assert 24 * 3600 == (end - begin).total_seconds()
    assert 28 <= (following - first).days <= 31
    assert row["ServiceCategory"] in CATEGORIES
    assert (row["PricingQuantity"] is None) == (row["ChargeCategory"] == "Adjustment")
    assert re.fullmatch("[A-Z]{3}", str(row["BillingCurrency"]))

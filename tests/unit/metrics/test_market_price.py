from dataclasses import replace
from decimal import Decimal

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text

from fluence_watch.metrics.exposition import AccountView, Exposition
from fluence_watch.model.billing import EPOCHS, METERED, Billing
from fluence_watch.model.charge import VM
from fluence_watch.model.market import Market, Quote, offers_of
from fluence_watch.model.vm import Status, Vm

PARIS, PLAN = "FR-PAR-1", "cpu-2-ram-4gb"


def asking(per_day: int, place: str = PARIS) -> Market:
    return Market(offers_of([Quote(VM, PLAN, place, Decimal(per_day))]))


@pytest.fixture
def page() -> Exposition:
    """A page without metrics of the watcher itself."""
    return Exposition(lambda _: b"")


@pytest.fixture
def offered(view: AccountView, web: Vm) -> AccountView:
    """An account with one VM, of a plan that is offered."""
    return replace(view, vms={web.key: replace(web, plan=PLAN)}, market=asking(306_980))


def prices(page: Exposition, view: AccountView) -> list[str]:
    """What the page says."""
    page.publish(view)
    families = parse_text(page.scrape().body.decode())
    name = "fluence_vm_market_price_usdc"
    return [
        f"{sample.labels['vm_id']} {sample.value}"
        for family in families
        for sample in family.samples
        if sample.name == name
    ]


@pytest.mark.parametrize(
    ("billing", "per_day", "price"),
    [
        (EPOCHS, 306_980, 0.30698),
        (METERED, 306_980, 0.012791),
        (METERED, 306_984, 0.012791),
        (METERED, 306_971, 0.01279),
        (METERED, 24, 0.000001),
    ],
)
def test_it_is_for_as_long_as_the_price(
    page: Exposition, offered: AccountView, billing: Billing, per_day: int, price: float
) -> None:
    """To the nearest micro-USDC, as the price is, so that the same price is no lower."""
    view = replace(offered, billing=billing, market=asking(per_day))
    assert [f"0xA1 {price}"] == prices(page, view)


def test_a_new_market_counts_at_once(page: Exposition, offered: AccountView) -> None:
    """The VM is the same, but what is asked for it changed."""
    assert ["0xA1 0.30698"] == prices(page, offered)
    assert ["0xA1 0.25"] == prices(page, replace(offered, market=asking(250_000)))
    assert [] == prices(page, replace(offered, market=None))


def test_nothing_asked_means_no_sample(page: Exposition, offered: AccountView, web: Vm) -> None:
    """Where the market is not read, offers it elsewhere, or the VM has ended."""
    assert [] == prices(page, replace(offered, market=None))
    assert [] == prices(page, replace(offered, market=asking(1, "PL-WAW-1")))
    assert [] == prices(page, replace(offered, vms={web.key: web}))
    ended = replace(web, plan=PLAN, status=Status.TERMINATED)
    assert [] == prices(page, replace(offered, vms={web.key: ended}))

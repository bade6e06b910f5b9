import gzip
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from fluence_watch.metrics.exposition import AccountView, Exposition, ExpositionFormat
from fluence_watch.metrics.own import OwnMetrics
from fluence_watch.model.bill import Bill, Span
from fluence_watch.model.billing import METERED, EpochBilling
from fluence_watch.model.debt import Removal
from fluence_watch.model.funding import FOREVER
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import Port
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.vm import Status, Vm

GOLDEN = Path(__file__).parents[2] / "golden" / "exposition.txt"
SSH = Port(22, 22, "tcp")

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(families: Iterable[Metric]) -> Samples:
    return {(s.name, frozenset(s.labels.items())): s.value for f in families for s in f.samples}


def of(page: Exposition, name: str) -> list[tuple[dict[str, str], float]]:
    families = parse_text(page.scrape().body.decode())
    return [(s.labels, s.value) for f in families for s in f.samples if s.name == name]


@pytest.fixture
def page() -> Exposition:
    """A page without metrics of the watcher itself."""
    return Exposition(lambda chosen: b"# EOF\n" if chosen is ExpositionFormat.OPENMETRICS else b"")


@pytest.fixture
def hostile(bare: Vm) -> Vm:
    """A VM that was named by somebody who means harm."""
    name = 'a"} 1\nfluence_up{account="x\\'
    return replace(bare, id="0xC3\x1b", name=name, status=Status.INSUFFICIENT_FUNDS, ports=())


def test_golden(page: Exposition, view: AccountView, hostile: Vm, web: Vm, now: datetime) -> None:
    """The whole page of a small fleet, hostile names included, as it is meant to be read."""
    free = replace(web, id="0xD4", name="free", price=MicroUsdc(0), status=Status.STOPPED)
    vms = {**view.vms, hostile.key: hostile, free.key: free}
    page.publish(replace(view, vms=vms, charged={web.key: MicroUsdc(3_577_920)}))
    page.publish(
        AccountView("staging", up=False, dialect="v3", balance=MicroUsdc(5), funded_until=now)
    )

    page.publish(metered(AccountView("cloud", up=True, dialect="cloud", billing=METERED), now))

    assert GOLDEN.read_text("utf-8") == page.scrape().body.decode()


def metered(view: AccountView, now: datetime) -> AccountView:
    """The account with two disks, one of them idle, public IPs that it may not list, and a debt."""
    used = Resource(Kind.DISK, "1", "data", "ready", MicroUsdc(1_000), ("0x1",))
    gpu = Resource(
        Kind.GPU_CONTAINER, "9a", 'train"er', "ACTIVE", MicroUsdc(1_220_000),
        reserved=MicroUsdc(2_440_000), spent=MicroUsdc(1_220_000), next_billing_at=now,
        gpu="1 x a100", is_running=False,
    )  # fmt: skip
    over = replace(gpu, id="9b", status_word="ENDED")
    disks = [used, replace(used, id="2", attached_to=()), gpu, over]
    return replace(
        view,
        overage=MicroUsdc(4_500_000),
        resources={disk.key: disk for disk in disks},
        kinds=frozenset({Kind.DISK, Kind.PUBLIC_IP, Kind.GPU_CONTAINER}),
        unlisted=frozenset({Kind.PUBLIC_IP}),
        permissions={"storage:read": True, "public_ip:read": False},
        month_to_date=MicroUsdc(12_345_678),
        month_forecast=MicroUsdc(40_000_000),
        removal=Removal(now, now + timedelta(days=3), FOREVER),
        bill=Bill(
            {"disk": MicroUsdc(9), "subnet": MicroUsdc(2)}, {"disk": Span(5, 6), "vm": Span(0, 7)}
        ),
    )


def test_what_an_account_burns(page: Exposition, web: Vm) -> None:
    """VMs and disks together; nothing, where anything of it is unknown."""
    disk = Resource(Kind.DISK, "1", "data", "ready", MicroUsdc(1_000))
    view = AccountView(
        "main", up=True, vms={web.key: web}, billing=METERED, resources={disk.key: disk}
    )
    name = "fluence_account_burn_usdc_per_day"
    page.publish(view)
    ((_, burn),) = of(page, name)
    assert 24 * (298_160 + 1_000) / 10**6 == burn
    for unknown in (
        replace(view, up=False),
        replace(view, rejected=1),
        replace(view, unlisted=frozenset({Kind.PUBLIC_IP})),
        replace(view, resources={disk.key: replace(disk, price=None)}),
        replace(view, vms={web.key: replace(web, price=None)}),
    ):
        page.publish(unknown)
        assert [] == of(page, name)


def test_counters(page: Exposition, view: AccountView, web: Vm, bare: Vm) -> None:
    """They are of that type in both formats; what was never charged is 0, the sum has what is gone."""
    charged = {web.key: MicroUsdc(300_000), "0xgone": MicroUsdc(200_000)}
    page.publish(replace(view, charged=charged))
    text, openmetrics = (
        page.scrape(accept).body.decode() for accept in (None, "application/openmetrics-text")
    )
    for name in ("fluence_vm_charged_usdc", "fluence_account_charged_usdc"):
        assert f"# TYPE {name}_total counter\n" in text
        assert f"# TYPE {name} counter\n" in openmetrics
    assert {"0xA1": 0.3, "0xB2": 0.0} == {
        labels["vm_id"]: value for labels, value in of(page, "fluence_vm_charged_usdc_total")
    }
    assert [({"account": "main"}, 0.5)] == of(page, "fluence_account_charged_usdc_total")
    assert samples(parse_text(text)) == samples(parse_openmetrics(openmetrics))

    page.publish(
        replace(view, vms={**view.vms, web.key: replace(web, name="new")}, charged=charged)
    )
    assert [("0xA1", "new"), ("0xB2", "")] == [
        (labels["vm_id"], labels["vm_name"])
        for labels, _ in of(page, "fluence_vm_charged_usdc_total")
    ]
    assert bare.key in view.vms


def test_nothing_known_means_no_sample(page: Exposition, bare: Vm) -> None:
    """A VM of which only the id is known has its info and its status, and not one zero."""
    page.publish(AccountView("main", up=True, vms={bare.key: bare}))
    names = {line.split("{")[0] for line in page.scrape().body.decode().splitlines()}

    assert {"fluence_up", "fluence_vms", "fluence_vm_info", "fluence_vm_status"} == {
        name for name in names if not name.startswith("#")
    }


def test_a_failed_poll_keeps_the_series(page: Exposition, view: AccountView) -> None:
    """After a failed poll everything is as it was, but for `fluence_up`."""
    page.publish(view)
    before = samples(parse_text(page.scrape().body.decode()))
    page.publish(replace(view, up=False))
    after = samples(parse_text(page.scrape().body.decode()))

    up = ("fluence_up", frozenset({("account", "main")}))
    assert before | {up: 0.0} == after


def test_a_vm_that_is_gone_is_gone(page: Exposition, view: AccountView, web: Vm) -> None:
    """A VM that is missing from the list has no series on the next page."""
    page.publish(view)
    page.publish(replace(view, vms={key: vm for key, vm in view.vms.items() if vm is not web}))

    assert b"0xA1" not in page.scrape().body
    assert b"0xB2" in page.scrape().body


def test_an_account_that_is_dropped_is_gone(page: Exposition, view: AccountView) -> None:
    """A removed account leaves no line, and the other account stays."""
    page.publish(view)
    page.publish(replace(view, account="other"))
    page.drop("main")
    page.drop("never there")

    assert b'account="main"' not in page.scrape().body
    assert [({"account": "other"}, 1.0)] == of(page, "fluence_up")


@pytest.mark.parametrize(
    ("ports", "expected", "opened_and_closed"),
    [
        ((SSH,), (SSH,), [0.0, 0.0]),
        ((SSH, Port(80, 80, "tcp")), (SSH,), [1.0, 0.0]),
        ((), (SSH,), [0.0, 1.0]),
        (None, (SSH,), []),
        ((SSH,), None, []),
    ],
)
def test_drift(
    page: Exposition,
    web: Vm,
    ports: tuple[Port, ...] | None,
    expected: tuple[Port, ...] | None,
    opened_and_closed: list[float],
) -> None:
    """Both directions are counted, and neither where ports or expectation are unknown."""
    vm = replace(web, ports=ports)
    page.publish(AccountView("main", up=True, vms={vm.key: vm}, expected={vm.key: expected}))

    assert opened_and_closed == [value for _, value in of(page, "fluence_vm_drifted_ports")]


def test_new_expectations_count_at_once(page: Exposition, view: AccountView, web: Vm) -> None:
    """The VM is the same, but what is expected of it changed: accepted ports drift no more."""
    page.publish(view)
    assert [1.0, 1.0] == [value for _, value in of(page, "fluence_vm_drifted_ports")]
    page.publish(replace(view, expected={web.key: web.ports}))

    assert [0.0, 0.0] == [value for _, value in of(page, "fluence_vm_drifted_ports")]


def test_an_ended_vm_is_not_funded(page: Exposition, view: AccountView, web: Vm) -> None:
    """A VM that ended is charged no more: no deadline, no drift."""
    ended = replace(web, status=Status.TERMINATED)
    page.publish(replace(view, vms={ended.key: ended}))

    assert [] == of(page, "fluence_vm_funded_until_timestamp_seconds")
    assert [] == of(page, "fluence_vm_drifted_ports")


def test_vms_are_counted_by_place_and_status(page: Exposition, view: AccountView, web: Vm) -> None:
    """VMs of the same datacenter and status are one series."""
    twin = replace(web, id="0xA9")
    page.publish(replace(view, vms={**view.vms, twin.key: twin}))
    counts = {labels["datacenter"]: value for labels, value in of(page, "fluence_vms")}

    assert {"FR-PAR-1": 2.0, "unknown": 1.0} == counts


def test_unchanged_text_is_not_made_again(page: Exposition, view: AccountView, web: Vm) -> None:
    """When one amount changes, one metric's lines are put together, the others are the same."""
    view = replace(view, charged={web.key: MicroUsdc(5)})
    page.publish(view)
    before = page._assembled(ExpositionFormat.TEXT).pieces
    richer = replace(web, reserved=MicroUsdc(900_001))
    page.publish(replace(view, vms={**view.vms, web.key: richer}))
    fresh = [
        piece.data
        for piece in page._assembled(ExpositionFormat.TEXT).pieces
        if all(piece is not old for old in before)
    ]

    assert 1 == len(fresh)
    assert b"fluence_vm_reserved_balance_usdc" in fresh[0]
    assert b"} 0.900001\n" in fresh[0]


def test_a_charge_is_shown_of_a_vm_that_is_unchanged(
    page: Exposition, view: AccountView, web: Vm
) -> None:
    """Its line is made anew, and those of its counter and of the account's alone."""
    for amount in (5, 7):
        before = page._assembled(ExpositionFormat.TEXT).pieces
        page.publish(replace(view, charged={web.key: MicroUsdc(amount)}))
    after = page._assembled(ExpositionFormat.TEXT).pieces
    fresh = [piece.data for piece in after if all(piece is not old for old in before)]

    assert 2 == len(fresh)
    assert all(b"_charged_usdc_total" in text and b"} 0.000007\n" in text for text in fresh)


@pytest.mark.parametrize("epoch", [timedelta(hours=24), timedelta(minutes=5)])
def test_another_epoch_counts_at_once(
    page: Exposition, view: AccountView, now: datetime, epoch: timedelta
) -> None:
    """The reserve of 0.9 pays three epochs of 0.29816 after the next billing."""
    page.publish(view)
    page.publish(replace(view, billing=EpochBilling(epoch)))
    (_, until), *_ = of(page, "fluence_vm_funded_until_timestamp_seconds")

    assert (now + timedelta(hours=6) + 3 * epoch).timestamp() == until


@pytest.mark.parametrize("accept", [None, "application/openmetrics-text"])
def test_gzip_is_the_same_page(page: Exposition, view: AccountView, accept: str | None) -> None:
    """Compressed or not, before and after a poll, for nobody's poll yet too."""
    for publish in (lambda: None, lambda: page.publish(view), lambda: page.publish(view)):
        publish()
        packed = page.scrape(accept, "gzip")

        assert "gzip" == packed.content_encoding
        assert page.scrape(accept).body == gzip.decompress(packed.body)
        assert page.scrape(accept).content_type == packed.content_type


def test_both_formats_parse_as_a_whole(view: AccountView, hostile: Vm) -> None:
    """Together with the watcher's own metrics it is one document, no metric in it twice."""
    own = OwnMetrics("1.2.3")
    own.request("main", "list", 0.2)
    page = Exposition(own.render)
    page.publish(replace(view, vms={**view.vms, hostile.key: hostile}))
    text = [*parse_text(page.scrape().body.decode())]
    openmetrics = [*parse_openmetrics(page.scrape("application/openmetrics-text").body.decode())]

    assert len(text) == len({family.name for family in text})
    assert len(openmetrics) == len({family.name for family in openmetrics})
    fleet = {key: n for key, n in samples(text).items() if key[0].startswith("fluence_vm")}
    assert fleet.items() <= samples(openmetrics).items()

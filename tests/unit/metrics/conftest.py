from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.metrics.view import AccountView
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import Port
from fluence_watch.model.vm import Datacenter, Status, Vm

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
SSH = Port(22, 22, "tcp")
HTTPS = Port(443, 443, "tcp")


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def web() -> Vm:
    """A VM of which everything is known."""
    return Vm(
        id="0xA1",
        name="web-1",
        status=Status.ACTIVE,
        status_word="ACTIVE",
        price=MicroUsdc(298_160),
        reserved=MicroUsdc(900_000),
        spent=MicroUsdc(4_174_240),
        created_at=datetime(2025, 4, 1, 16, 50, 57, 250_000, tzinfo=UTC),
        next_billing_at=NOW + timedelta(hours=6),
        datacenter=Datacenter("FR", "PAR", 1, 3),
        public_ip="203.0.113.7",
        ports=(SSH, HTTPS),
        os_image="https://images.example/ubuntu-22.04.img",
        vcpus=2,
        memory_bytes=4_294_967_296,
        storage_bytes=26_843_545_600,
    )


@pytest.fixture
def bare() -> Vm:
    """A VM of which nothing is known but its id."""
    return Vm(id="0xB2", name=None, status=Status.UNKNOWN, status_word="")


@pytest.fixture
def view(web: Vm, bare: Vm, now: datetime) -> AccountView:
    """An account with both, of which one port drifted each way."""
    return AccountView(
        account="main",
        up=True,
        vms={vm.key: vm for vm in (web, bare)},
        expected={web.key: (SSH, Port(80, 80, "tcp"))},
        last_good_at=now,
        rejected=1,
    )

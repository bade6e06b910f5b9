"""One ordinary VM, for tests to vary."""

from datetime import UTC, datetime

import pytest

from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import SSH
from fluence_watch.model.vm import Datacenter, Status, Vm


@pytest.fixture(scope="session")
def web() -> Vm:
    """A healthy VM of 0.298160 USDC an epoch, as the guide's example has it."""
    return Vm(
        id="0x00aB",
        name="web-1",
        status=Status.ACTIVE,
        status_word="ACTIVE",
        price=MicroUsdc(298_160),
        reserved=MicroUsdc(359_440),
        spent=MicroUsdc(17_846_000),
        next_billing_at=datetime(2025, 4, 16, 17, 59, 55, tzinfo=UTC),
        datacenter=Datacenter("FR", "PAR", 1, 4),
        ports=(SSH,),
    )

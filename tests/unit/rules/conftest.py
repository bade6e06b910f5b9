"""One ordinary VM, and a poll that sees some."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from fluence_watch.model.billing import EPOCHS
from fluence_watch.model.known import KnownVm
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import SSH
from fluence_watch.model.presence import PresenceLimits, presence_of, settle
from fluence_watch.model.snapshot import Rejected, build_snapshot
from fluence_watch.model.vm import Datacenter, Status, Vm
from fluence_watch.rules.situation import Situation
from fluence_watch.rules.vm_vanished import VmVanishedSettings

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)

LIMITS = VmVanishedSettings().limits

See = Callable[..., Situation]


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
        public_ip="154.42.3.159",
        ports=(SSH,),
    )


@pytest.fixture(scope="session")
def see() -> See:
    """A function from VMs to a poll of them at noon; `known` is remembered beside them.

    `listed` is what else the snapshot holds. Who is lost is settled by the default `limits`.
    """

    def see(
        *vms: Vm,
        now: datetime = NOW,
        known: Mapping[str, KnownVm] | None = None,
        rejected: tuple[Rejected, ...] = (),
        listed: Mapping[str, Any] | None = None,
        limits: PresenceLimits = LIMITS,
        **more: Any,  # noqa: ANN401 - whatever a Situation takes
    ) -> Situation:
        if (open_alerts := more.pop("alerts", None)) is not None:
            more["since"] = dict.fromkeys(open_alerts, now)
        memory = {vm.key: KnownVm(vm, now, vm.ports) for vm in vms} | dict(known or {})
        billing = more.get("billing", EPOCHS)
        settled = settle(memory, limits, now, billing)
        snapshot = build_snapshot("main", now, vms, rejected, **listed or {})
        more = {"before": memory, "presence": presence_of(settled, limits, billing)} | more
        more = {"forget_after": limits.forget_after} | more
        return Situation("main", now, settled, snapshot=snapshot, **more)

    return see

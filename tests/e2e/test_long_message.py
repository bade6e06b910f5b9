"""More happens in one poll than a message has room for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import port
from fluence_watch.simulator import World, build_world, create_app, running, utc_now

# ruff: noqa: ANN401 - the fakes' classes are in conftest.py, which is not imported

KEY = "t0p-secret-key"


@dataclass
class Fluence:
    """A simulated account of 40 VMs; `at_once` makes a change that no request sees by halves."""

    url: str
    world: World
    at_once: Callable[[Callable[[], None]], None]


@pytest.fixture
def fluence() -> Iterator[Fluence]:
    world = build_world(seed=1, vms=40, epoch=timedelta(hours=24), now=utc_now(), api_key=KEY)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(running(create_app(world, utc_now))) as url,
    ):
        yield Fluence(url, world, portal.call)


def test_nothing_that_is_told_once_is_only_counted(
    fluence: Fluence, receiver: Any, daemon: Any, configure: Any, eventually: Any
) -> None:
    """All prices change, a VM is locked out, a port opens: all of it is in the message, the worst first."""
    configure({"rules.low_balance": {"enabled": False}})  # the reserves do not cover the new prices
    daemon.start().ready()
    world = fluence.world
    machines = world.listed()

    def change() -> None:
        world.update(machines[0].id, ports=[port(9000)])
        for machine in machines:
            world.set_price(machine.id, MicroUsdc(machine.price + 1_000))

    fluence.at_once(change)
    eventually(lambda: receiver.accepted, "it is notified")
    body = receiver.accepted[0].body
    kinds = "port_drift, price_changed · main"
    closed = len(machines[0].ports) + 1  # and one is opened
    assert body.startswith("CRITICAL")
    assert [f"[FIRING:{len(machines) + closed}] {kinds}"] == receiver.titles
    assert all(machine.name in body for machine in machines)
    assert body.index("22/tcp") < body.index("9000/tcp is open") < body.index("price_changed")
    assert "more:" not in body

"""An initial world: a seeded fleet that has been running for a while."""

from datetime import datetime, timedelta
from random import Random

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator.access import AcceptedAuth
from fluence_watch.simulator.catalog import CONFIGURATIONS
from fluence_watch.simulator.machine import Machine
from fluence_watch.simulator.provision import aged, provision, with_role
from fluence_watch.simulator.ssh import ed25519_line
from fluence_watch.simulator.world import World

_EPOCHS_OF_BALANCE = 1_000
_OLDEST_EPOCHS = 60
_LONGEST_TOP_UP = timedelta(seconds=30)
# small VMs are common, big VMs rare
_WEIGHTS = (12, 6, 3, 2, 1)


def build_world(
    *,
    seed: int,
    vms: int,
    epoch: timedelta,
    now: datetime,
    balance: MicroUsdc | None = None,
    api_key: str = "simulator",
    accepted_auth: AcceptedAuth = AcceptedAuth.BOTH,
    top_up_delay: timedelta | None = None,
    metered: bool = False,
) -> World:
    """A world with `vms` running VMs whose boundaries are spread over the epoch, and one SSH key.

    A `metered` account pays every second, and `epoch` is the time that prices are for.
    `balance` is in micro-USDC; `None` is enough for a thousand epochs of the fleet.
    `top_up_delay` defaults to the shorter of 30 seconds and a hundredth of an epoch.
    The same arguments give the same world.
    """
    rng = Random(seed)
    fleet = [_machine(rng, number, epoch, now) for number in range(vms)]
    if balance is None:
        balance = MicroUsdc(_EPOCHS_OF_BALANCE * sum(machine.price for machine in fleet))
    if top_up_delay is None:
        top_up_delay = min(_LONGEST_TOP_UP, epoch / 100)
    world = World(
        now, epoch, balance, top_up_delay, api_key, accepted_auth, rng=rng, metered=metered
    )
    for machine in fleet:
        world.adopt(machine)
    world.add_ssh_key("laptop", ed25519_line(rng.randbytes(32), "ada@laptop.example"))
    return world


def _machine(rng: Random, number: int, epoch: timedelta, now: datetime) -> Machine:
    configuration = rng.choices(CONFIGURATIONS, _WEIGHTS)[0] if number else CONFIGURATIONS[0]
    # a boundary strictly within the epoch, so that no charge is due at once
    next_billing_at = now + epoch * rng.uniform(0.01, 0.99)
    epochs = rng.randrange(_OLDEST_EPOCHS)
    created_at = next_billing_at - (epochs + 1) * epoch
    born = provision(rng, number, configuration, created_at, next_billing_at)
    return aged(with_role(born, number), epochs)

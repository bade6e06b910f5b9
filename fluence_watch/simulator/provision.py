"""Creates VMs: an id, a name, a place, an address, all from a seeded generator."""

from dataclasses import replace
from datetime import datetime
from ipaddress import IPv4Address
from random import Random

from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import SSH, Port, port
from fluence_watch.simulator.catalog import DATACENTERS, HARDWARE, OS_IMAGES, Configuration
from fluence_watch.simulator.machine import Machine

# 203.0.113.0/24, 198.51.100.0/24 and 192.0.2.0/24 are for documentation (RFC 5737),
# 198.18.0.0/15 for benchmarks (RFC 2544): none is ever routed.
_DOCUMENTATION = tuple(
    int(IPv4Address(net)) for net in ("203.0.113.0", "198.51.100.0", "192.0.2.0")
)
_HOSTS = 254
_BENCHMARK = int(IPv4Address("198.18.0.1"))
_BENCHMARK_HOSTS = 2**17 - 2

_ROLES: tuple[tuple[str, tuple[Port, ...]], ...] = (
    ("web", (SSH, port(80), port(443))),
    ("db", (SSH, port(5432))),
    ("ci", (SSH,)),
    ("api", (SSH, port(443))),
    ("worker", (SSH,)),
    ("dns", (SSH, port(53), port(53, "udp"))),
)
_FIRST = ("apricot", "amber", "brisk", "calm", "dusty", "eager", "lunar", "mellow", "silver")
_SECOND = ("wolf", "otter", "heron", "lynx", "falcon", "badger", "finch", "marten")


def provision(
    rng: Random,
    number: int,
    configuration: Configuration,
    created_at: datetime,
    next_billing_at: datetime,
) -> Machine:
    """A VM in its first epoch, already paid, with one epoch in reserve.

    `number` is the index of the VM in the world, and determines the address.
    """
    price = configuration.price
    return Machine(
        id=vm_id(rng),
        name=f"{rng.choice(_FIRST)}-{rng.choice(_SECOND)}-{rng.randrange(1000, 10_000)}",
        configuration=configuration,
        datacenter=rng.choice(DATACENTERS),
        price=price,
        reserved=price,
        spent=price,
        created_at=created_at,
        next_billing_at=next_billing_at,
        public_ip=address(number),
        os_image=rng.choice(OS_IMAGES),
        hardware=rng.choice(HARDWARE),
    )


def with_role(machine: Machine, number: int) -> Machine:
    """The VM as a member of a fleet: named by its role and number, with its role's ports."""
    role, ports = _ROLES[number % len(_ROLES)]
    return replace(machine, name=f"{role}-{number + 1}", ports=tuple(sorted(ports)))


def aged(machine: Machine, epochs: int) -> Machine:
    """The VM after it paid for so many earlier epochs."""
    return replace(machine, spent=MicroUsdc(machine.price * (epochs + 1)))


def vm_id(rng: Random) -> str:
    """0x and 40 hex digits in mixed case, like the service's addresses."""
    digits = f"{rng.getrandbits(160):040x}"
    return "0x" + "".join(rng.choice((digit, digit.upper())) for digit in digits)


def address(number: int) -> str:
    """The public IPv4 address of VM `number`; addresses repeat after some 131,000."""
    net, host = divmod(number, _HOSTS)
    if net < len(_DOCUMENTATION):
        return str(IPv4Address(_DOCUMENTATION[net] + host + 1))
    return str(IPv4Address(_BENCHMARK + number % _BENCHMARK_HOSTS))

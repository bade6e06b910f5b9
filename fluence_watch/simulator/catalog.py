"""The catalog: datacenters, configurations, hardware. All of it is invented but plausible.

Prices are micro-USDC an epoch and grow with the size of a configuration.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator.errors import UnknownError

Description = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Datacenter:
    """A place that hosts VMs; `id` is 0x and 64 hex digits.

    `percent` is what the market asks there, of the prices of the catalog.
    """

    id: str
    country: str
    city: str
    index: int
    tier: int
    certifications: tuple[str, ...]
    percent: int = 100


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of hardware: its kind (`metadata`), and its owner's description (`details`)."""

    metadata: Description
    details: Description


@dataclass(frozen=True, slots=True)
class Hardware:
    """The parts that a VM runs on."""

    cpu: Part
    ram: Part
    storage: Part


@dataclass(frozen=True, slots=True)
class Configuration:
    """A size of VM. Memory and storage are in MB, as the API counts them."""

    slug: str
    vcpus: int
    memory_mb: int
    storage_mb: int
    price: MicroUsdc


ROME = Hardware(
    cpu=Part(
        {"architecture": "Zen", "brand": "EPYC", "generation": "2", "manufacturer": "AMD"},
        {"model": "7702p"},
    ),
    ram=Part(
        {"generation": "4", "type": "DDR"},
        {"manufacturer": "Samsung", "model": "DGX", "speed": 3600},
    ),
    storage=Part({"type": "SSD"}, {"manufacturer": "WD", "sequentialWriteSpeed": 15000}),
)
GENOA = Hardware(
    cpu=Part(
        {"architecture": "Zen", "brand": "EPYC", "generation": "4", "manufacturer": "AMD"},
        {"model": "9654"},
    ),
    ram=Part({"generation": "5", "type": "DDR"}, {}),
    storage=Part({"type": "NVMe"}, {}),
)
HARDWARE = (ROME, GENOA)


def _configuration(vcpus: int, memory_gb: int, storage_gb: int, price: int) -> Configuration:
    slug = f"cpu-{vcpus}-ram-{memory_gb}gb-storage-{storage_gb}gb"
    return Configuration(slug, vcpus, memory_gb * 1024, storage_gb * 1024, MicroUsdc(price))


CONFIGURATIONS = (
    _configuration(2, 4, 25, 306_980),
    _configuration(4, 8, 25, 598_110),
    _configuration(8, 16, 25, 1_180_370),
    _configuration(16, 32, 25, 2_344_890),
    _configuration(32, 64, 25, 4_673_930),
)


def configuration(slug: str) -> Configuration:
    """The configuration with this name, such as `cpu-2-ram-4gb-storage-25gb`.

    Raises:
        UnknownError: there is none.
    """
    for known in CONFIGURATIONS:
        if known.slug == slug:
            return known
    raise UnknownError(f"no configuration {slug!r:.60}")


_ISO = ("ISO 9001:2015", "ISO/IEC 27001:2022")
_PLACES = (
    ("FR", "PAR", 1, 4, ("PCI DSS", *_ISO), 100),
    ("DE", "FRA", 1, 4, ("PCI DSS", "SOC 2 Type II", *_ISO), 108),
    ("PL", "WAW", 1, 3, _ISO, 92),
    ("US", "NYC", 1, 3, ("SOC 2 Type II", "HIPAA"), 120),
    ("FI", "HEL", 1, 3, _ISO, 95),
    ("NL", "AMS", 1, 4, ("PCI DSS", *_ISO), 112),
    ("DE", "FRA", 2, 3, _ISO, 97),
    ("LT", "VNO", 1, 2, (), 85),
)
DATACENTERS = tuple(
    Datacenter(f"0x{number:064x}", *place) for number, place in enumerate(_PLACES, start=5)
)

OS_IMAGES = (
    "https://cloud-images.ubuntu.com/releases/22.04/release/ubuntu-22.04-server-cloudimg-amd64.img",
    "https://cloud-images.ubuntu.com/releases/24.04/release/ubuntu-24.04-server-cloudimg-amd64.img",
    "https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-generic-amd64.qcow2",
)

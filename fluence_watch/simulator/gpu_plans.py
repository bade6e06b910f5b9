"""What the GPU cloud rents out: models, sizes and places. All of it is invented but plausible.

Prices are micro-USDC an hour. An instance of the simulator is of the plan `BASIC`, in `HOME`.
"""

from dataclasses import dataclass

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator.market import asked


@dataclass(frozen=True, slots=True)
class GpuModel:
    """A model of GPU."""

    model: str
    vram: str
    interface: str
    vendor: str = "nvidia"


@dataclass(frozen=True, slots=True)
class GpuPlan:
    """So many GPUs, cores and GiB; `price` is that in `HOME`."""

    gpu: GpuModel
    gpus: int
    vcpus: int
    memory: int
    storage: int
    price: MicroUsdc

    @property
    def name(self) -> str:
        """`a100-80gi-sxm-1gpu-14cpu-119gb-582gb`."""
        gpu = f"{self.gpu.model}-{self.gpu.vram}-{self.gpu.interface}".lower()
        return f"{gpu}-{self.gpus}gpu-{self.vcpus}cpu-{self.memory}gb-{self.storage}gb"


@dataclass(frozen=True, slots=True)
class GpuPlace:
    """A provider's datacenter; `percent` is what it asks, of the prices of the plans."""

    location: str
    provider: str
    percent: int


_A100, _H100 = GpuModel("a100", "80Gi", "sxm"), GpuModel("h100", "80Gi", "sxm")
_L40, _A10 = GpuModel("l40", "48Gi", "pcie"), GpuModel("a10", "24Gi", "pcie")

BASIC = GpuPlan(_A100, 1, 14, 119, 582, MicroUsdc(1_220_000))
PLANS = (
    BASIC,
    GpuPlan(_A100, 8, 112, 952, 4_656, MicroUsdc(9_760_000)),
    GpuPlan(_H100, 1, 26, 200, 750, MicroUsdc(2_150_000)),
    GpuPlan(_L40, 1, 14, 119, 582, MicroUsdc(760_000)),
    GpuPlan(_A10, 1, 30, 186, 1_303, MicroUsdc(990_000)),
)
HOME = GpuPlace("US", "prairie-compute", 100)
PLACES = (
    HOME,
    GpuPlace("US", "harbour-gpu", 103),
    GpuPlace("FI", "harbour-gpu", 84),
    GpuPlace("NO", "fjord-cloud", 92),
    GpuPlace("JP", "fjord-cloud", 117),
)


@dataclass(frozen=True, slots=True)
class GpuOffer:
    """A plan in a place; `price` is what is asked now."""

    plan: GpuPlan
    place: GpuPlace
    price: MicroUsdc


def offers(percent: int) -> list[GpuOffer]:
    """Every plan in every place, while the market asks `percent`."""
    return [
        GpuOffer(plan, place, asked(plan.price, percent, place.percent))
        for plan in PLANS
        for place in PLACES
    ]

"""Events of GPU instances, as data: see actions.py. `gpu` is an id or a name."""

from dataclasses import replace

from msgspec import Struct

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator import gpu as instances
from fluence_watch.simulator.errors import UnknownError
from fluence_watch.simulator.gpu import OVER, GpuInstance, GpuKind, GpuState
from fluence_watch.simulator.gpu_plans import BASIC
from fluence_watch.simulator.world import World


class AddGpu(Struct, frozen=True, forbid_unknown_fields=True):
    """A new instance; `price` is of an hour, `kind` is `container`, `vm` or `bare_metal`."""

    name: str
    kind: GpuKind = GpuKind.CONTAINER
    price: int = BASIC.price
    started: bool = True

    def apply(self, world: World) -> None:
        """Rent it."""
        instances.rent(world, self.kind, self.name, MicroUsdc(self.price), started=self.started)


class SetGpu(Struct, frozen=True, forbid_unknown_fields=True):
    """An instance ends, fails, starts or stops its program, its top-ups fail, or its reserve was spent."""

    gpu: str
    state: GpuState | None = None
    started: bool | None = None
    drained: bool | None = None
    reserved: int | None = None

    def apply(self, world: World) -> None:
        """Change it."""
        instance = _found(world, self.gpu)
        if self.started is not None:
            instance = replace(instance, started=self.started)
        if self.drained is not None:
            instance = replace(instance, drained=self.drained)
        if self.reserved is not None:
            spent = MicroUsdc(instance.spent + instance.reserved - self.reserved)
            reserved = MicroUsdc(self.reserved)
            instance = replace(instance, reserved=reserved, spent=spent)
        if self.state is not None and self.state not in OVER:
            instance = replace(instance, state=self.state)
        world.gpus[instance.id] = instance
        if self.state in OVER:
            instances.end(world, instance, self.state)


def _found(world: World, reference: str) -> GpuInstance:
    for instance in world.gpus.values():
        if reference in {instance.id, instance.name}:
            return instance
    raise UnknownError(f"no GPU instance {reference!r:.60}")

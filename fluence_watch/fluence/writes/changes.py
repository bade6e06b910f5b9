"""A requested change of a VM."""

from dataclasses import dataclass

from fluence_watch.model.ports import Ports, same
from fluence_watch.model.vm import Vm


@dataclass(frozen=True, slots=True)
class VmChange:
    """A new name, a new set of open ports, or both; `None` leaves a value unchanged."""

    vm_id: str
    name: str | None = None
    ports: Ports | None = None

    @property
    def key(self) -> str:
        """The id in lower case, as `Vm.key`."""
        return self.vm_id.lower()

    @property
    def is_empty(self) -> bool:
        """Whether it changes nothing."""
        return self.name is None and self.ports is None


def still_missing(change: VmChange, vm: Vm) -> list[str]:
    """The parts of the change that the VM does not show: `name`, `ports`."""
    missing = []
    if change.name is not None and (vm.name or "") != change.name:
        missing.append("name")
    if change.ports is not None and (vm.ports is None or not same(vm.ports, change.ports)):
        missing.append("ports")
    return missing

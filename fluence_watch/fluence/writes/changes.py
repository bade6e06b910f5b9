"""What is asked to change of a VM."""

from dataclasses import dataclass

from fluence_watch.model.vm import Port, Vm


@dataclass(frozen=True, slots=True)
class VmChange:
    """A new name, a new set of open ports, or both; `None` leaves what is."""

    vm_id: str
    name: str | None = None
    ports: tuple[Port, ...] | None = None

    @property
    def key(self) -> str:
        """The id without case, as `Vm.key`."""
        return self.vm_id.lower()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to change."""
        return self.name is None and self.ports is None


def open_singly(ports: tuple[Port, ...]) -> frozenset[Port]:
    """The ports without ranges: `8000-8001/tcp` is two. So is compared what was written."""
    return frozenset(
        Port(number, number, each.protocol)
        for each in ports
        for number in range(each.first, each.last + 1)
    )


def still_missing(change: VmChange, vm: Vm) -> list[str]:
    """What of the change the VM does not have: `name`, `ports`."""
    missing = []
    if change.name is not None and (vm.name or "") != change.name:
        missing.append("name")
    if change.ports is not None and (
        vm.ports is None or open_singly(vm.ports) != open_singly(change.ports)
    ):
        missing.append("ports")
    return missing

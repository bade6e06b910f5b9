"""The metrics of VMs as a table from the model to samples.

Those of accounts are in `account_families.py`.

A metric whose name ends in `_total` is a counter, any other a gauge. An unknown value has no sample.
Values and labels are the final text in both formats, so that nothing is rounded.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from fluence_watch.metrics.labels import identity, label_value, place_labels
from fluence_watch.metrics.numbers import count, timestamp, usdc
from fluence_watch.metrics.view import AccountView
from fluence_watch.model.funding import funded_until
from fluence_watch.model.market import going_price
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Vm
from fluence_watch.rules.port_drift import Direction, drift_of


@dataclass(frozen=True, slots=True)
class VmSeries:
    """One series of each VM. `labels` come in addition to `account`, `vm_id` and `vm_name`."""

    value: Callable[[Vm, AccountView], str | None]
    labels: Callable[[Vm, AccountView], str] | None = None


@dataclass(frozen=True, slots=True)
class VmFamily:
    """A metric with one or more series per VM."""

    name: str
    help: str
    series: tuple[VmSeries, ...]


def _per_vm(name: str, text: str, value: Callable[[Vm], str | None]) -> VmFamily:
    return VmFamily(name, text, (VmSeries(lambda vm, _: value(vm)),))


def _description(vm: Vm, view: AccountView) -> str:
    place = vm.datacenter
    tier = "" if place is None or place.tier is None else place.tier
    return (
        f'{place_labels(place)},tier="{tier}",public_ip="{label_value(vm.public_ip or "")}",'
        f'os_image="{label_value(vm.os_image or "")}",dialect="{label_value(view.dialect)}"'
    )


def _funded_until(vm: Vm, view: AccountView) -> str | None:
    return timestamp(funded_until(vm, view.billing)) if vm.is_billed else None


def _market_price(vm: Vm, view: AccountView) -> str | None:
    going = going_price(view.market, vm, view.billing) if view.market else None
    if going is None or going.here is None:
        return None
    a_day = timedelta(days=1) // view.billing.price_is_for
    return usdc(MicroUsdc((going.here + a_day // 2) // a_day))


def _drift(direction: Direction) -> VmSeries:
    labels = f'direction="{direction}"'

    def value(vm: Vm, view: AccountView) -> str | None:
        expected = view.expected.get(vm.key)
        if vm.ports is None or expected is None or not vm.is_billed:
            return None
        return str(len(drift_of(vm, expected)[direction]))

    return VmSeries(value, lambda *_: labels)


VM_FAMILIES: tuple[VmFamily, ...] = (
    VmFamily(
        "fluence_vm_info",
        "Description and location of the virtual machine.",
        (VmSeries(lambda *_: "1", _description),),
    ),
    VmFamily(
        "fluence_vm_status",
        "Current status of the virtual machine. The value is always 1.",
        (VmSeries(lambda *_: "1", lambda vm, _: f'status="{vm.status}"'),),
    ),
    _per_vm(
        "fluence_vm_price_per_epoch_usdc",
        "Price per epoch in USDC.",
        lambda vm: usdc(vm.price),
    ),
    VmFamily(
        "fluence_vm_market_price_usdc",
        "What the market asks now for the same at the same place, for as long as the price, in USDC.",
        (VmSeries(_market_price),),
    ),
    _per_vm(
        "fluence_vm_reserved_balance_usdc",
        "Reserve for future epochs in USDC.",
        lambda vm: usdc(vm.reserved),
    ),
    _per_vm(
        "fluence_vm_total_spent_usdc",
        "Total spent on the virtual machine in USDC.",
        lambda vm: usdc(vm.spent),
    ),
    VmFamily(
        "fluence_vm_charged_usdc_total",
        "What was charged for the virtual machine, since it is watched, in USDC.",
        (VmSeries(lambda vm, view: usdc(view.charged_for(vm.key))),),
    ),
    _per_vm(
        "fluence_vm_next_billing_timestamp_seconds",
        "Time of the next charge.",
        lambda vm: timestamp(vm.next_billing_at),
    ),
    _per_vm(
        "fluence_vm_created_timestamp_seconds",
        "Time when the virtual machine was created.",
        lambda vm: timestamp(vm.created_at),
    ),
    VmFamily(
        "fluence_vm_funded_until_timestamp_seconds",
        "Time until which the virtual machine is paid for, including its reserve.",
        (VmSeries(_funded_until),),
    ),
    _per_vm(
        "fluence_vm_open_ports",
        "Number of open ports. A range counts as one.",
        lambda vm: None if vm.ports is None else str(len(vm.ports)),
    ),
    VmFamily(
        "fluence_vm_drifted_ports",
        "Number of ports that differ from the expected ones. A range counts as one.",
        tuple(_drift(direction) for direction in Direction),
    ),
    _per_vm("fluence_vm_vcpus", "Number of virtual CPUs.", lambda vm: count(vm.vcpus)),
    _per_vm("fluence_vm_memory_bytes", "Memory in bytes.", lambda vm: count(vm.memory_bytes)),
    _per_vm("fluence_vm_storage_bytes", "Storage in bytes.", lambda vm: count(vm.storage_bytes)),
)


def vm_labels(vm: Vm) -> str:
    """The labels of every series of a VM, in addition to its account's label."""
    return f'vm_id="{identity(vm.id)}",vm_name="{label_value(vm.name or "")}"'

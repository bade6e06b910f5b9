"""The sizes of VMs: a configuration of the catalog, as this dialect names and describes it."""

from typing import Final

from fluence_watch.simulator.catalog import Configuration
from fluence_watch.simulator.dialects.cloud.paging import Item
from fluence_watch.simulator.ids import uuid_of

GB_IN_MB: Final = 1024


def configuration_id(size: Configuration) -> str:
    """The id, which VMs of this size carry."""
    return uuid_of("configuration", size.slug)


def configuration_name(size: Configuration) -> str:
    """The name for people."""
    return f"{size.vcpus} vCPU, {size.memory_mb // GB_IN_MB} GB"


def plan_slug(size: Configuration) -> str:
    """The name for programs: `cpu-regular-2vcpu-4gb`."""
    return f"cpu-regular-{size.vcpus}vcpu-{size.memory_mb // GB_IN_MB}gb"


def configuration_json(size: Configuration) -> Item:
    """A configuration of the catalog."""
    return {
        "id": configuration_id(size),
        "slug": plan_slug(size),
        "name": configuration_name(size),
        "description": f"{configuration_name(size)}, cores of its own",
        "vcpu": size.vcpus,
        "ramGb": size.memory_mb // GB_IN_MB,
        "dedicated": True,
        "cpuFamilies": ["AMD_ZEN2"],
        "preset": "general",
        "tags": [],
    }

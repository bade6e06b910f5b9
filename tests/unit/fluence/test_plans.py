"""What things of the same price have in common, as each part of the API tells it."""

import pytest

from fluence_watch.fluence.dialects.cloud.resources import disk_plan
from fluence_watch.fluence.dialects.parts import plan_of
from fluence_watch.fluence.gpu_plans import Count, GpuModel, Supply, gpu_plan
from fluence_watch.model.market import GIB


@pytest.mark.parametrize(
    ("vcpus", "memory", "plan"),
    [
        (2, 4 * GIB, "cpu-2-ram-4gb"),
        (0, 0, "cpu-0-ram-0gb"),
        (2, 4 * GIB + 1, None),
        (2, 4 * 10**9, None),
        (2, GIB // 2, None),
        (None, 4 * GIB, None),
        (2, None, None),
    ],
)
def test_vms(vcpus: int | None, memory: int | None, plan: str | None) -> None:
    """A memory that is no whole number of GiB is of no plan."""
    assert plan == plan_of(vcpus, memory)


@pytest.mark.parametrize(
    ("kind", "replicated", "plan"),
    [
        ("SSD", False, "SSD"),
        ("NVMe", True, "NVME replicated"),
        ("SSD", None, None),
        (None, False, None),
        ("", True, None),
    ],
)
def test_disks(kind: str | None, replicated: bool | None, plan: str | None) -> None:  # noqa: FBT001 - as the API has it
    """In capital letters, for the API has both."""
    assert plan == disk_plan(kind, replicated)


WHOLE = Supply(Count(14), Count(119, "Gi"), Count(582, "GI"), 8)
A100 = GpuModel("a100", "80Gi", "SXM")


@pytest.mark.parametrize(
    ("supply", "gpu", "plan"),
    [
        (WHOLE, A100, "8 x a100 80gi sxm, 14 vCPU, 119gi, 582gi"),
        (WHOLE, GpuModel("A100", "80GI", "sxm"), "8 x a100 80gi sxm, 14 vCPU, 119gi, 582gi"),
        (None, A100, None),
        (WHOLE, None, None),
        (Supply(None, Count(1), Count(1), 1), A100, None),
        (Supply(Count(1), Count(None, "Gi"), Count(1), 1), A100, None),
        (Supply(Count(1), Count(1), Count(1), None), A100, None),
        (WHOLE, GpuModel("a100", None, "sxm"), None),
        (WHOLE, GpuModel("a100", "80Gi", None), None),
        (Supply(Count(0), Count(0), Count(0), 0), GpuModel("", "", ""), "0 x   , 0 vCPU, 0, 0"),
    ],
)
def test_gpu_instances(supply: Supply | None, gpu: GpuModel | None, plan: str | None) -> None:
    """Letters do not count; what is not known whole is of no plan."""
    assert plan == gpu_plan(supply, gpu)

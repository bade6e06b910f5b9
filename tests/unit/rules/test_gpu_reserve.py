from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, Resource, ResourceRef
from fluence_watch.rules.base import Judgement
from fluence_watch.rules.gpu_reserve import RULE, GpuReserve, GpuReserveSettings, judge
from fluence_watch.rules.situation import Situation

See = Callable[..., Situation]

SETTINGS = GpuReserveSettings()
BOUNDARY = datetime(2025, 4, 16, 13, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
GPU = Resource(
    Kind.GPU_CONTAINER,
    "AB",
    "trainer",
    "ACTIVE",
    MicroUsdc(1_220_000),
    reserved=MicroUsdc(1_220_000),
    next_billing_at=BOUNDARY,
    gpu="1 x a100",
)
ALERT = Fingerprint("main", "gpu_reserve", "gpu_container:ab")


def judged(see: See, *resources: Resource, unknown: dict[str, str] | None = None) -> Judgement:
    listed = {"resources": resources, "unknown": unknown or {}}
    return judge(see(listed=listed, alerts=[ALERT]), SETTINGS)


def test_a_reserve_that_was_not_topped_up(see: See) -> None:
    """What is missing, and the charge that cannot be paid."""
    (found,) = judged(see, GPU).findings

    assert (ALERT, Severity.CRITICAL, 0) == (found.fingerprint, found.severity, found.step)
    assert timedelta(minutes=10) == SETTINGS.hold
    ref = ResourceRef(Kind.GPU_CONTAINER, "AB", "trainer", "1 x a100")
    facts = GpuReserve(ref, MicroUsdc(1_220_000), MicroUsdc(1_220_000), 1_220_000, BOUNDARY + HOUR)
    assert facts == found.facts
    assert BOUNDARY + HOUR == RULE.deadline(found.facts)


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"reserved": MicroUsdc(2_440_000)}, None),
        ({"reserved": MicroUsdc(2_439_999)}, 0),
        ({"reserved": MicroUsdc(1_219_999)}, 1),
        ({"reserved": MicroUsdc(0)}, 1),
        ({"price": MicroUsdc(0)}, None),
        ({"price": None}, None),
        ({"reserved": None}, None),
        ({"status_word": "ENDED"}, None),
        ({"status_word": "FAILED"}, None),
        ({"status_word": "INITIALIZED"}, 0),
    ],
)
def test_when_it_is_low(see: See, changes: dict, step: int | None) -> None:
    """Under two hours, worse under one; nothing of what is over or unknown."""
    found = judged(see, replace(GPU, **changes)).findings
    assert ([] if step is None else [step]) == [each.step for each in found]


@pytest.mark.parametrize(
    ("resources", "unlisted", "unknown", "gone"),
    [
        ((GPU,), {}, False, False),
        ((replace(GPU, price=None),), {}, True, False),
        ((replace(GPU, status_word="ENDED", reserved=None),), {}, False, True),
        ((), {}, False, True),
        ((), {"GPU containers": "403"}, True, False),
        ((), {"GPU VMs": "403"}, False, True),
    ],
)
def test_when_it_is_over(
    see: See,
    resources: tuple[Resource, ...],
    unlisted: dict[str, str],
    unknown: bool,  # noqa: FBT001 - a parameter of the table
    gone: bool,  # noqa: FBT001 - as above
) -> None:
    """What is not known resolves nothing; what is over ends without a message."""
    judgement = judged(see, *resources, unknown=unlisted)
    subject = ALERT.subject
    assert (unknown, gone) == (subject in judgement.unknown, subject in judgement.gone)


def test_after_a_failed_poll(see: See) -> None:
    assert Judgement() == judge(replace(see(), snapshot=None), SETTINGS)

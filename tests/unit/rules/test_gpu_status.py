from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.note import NoteAction
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.rules.base import Judgement
from fluence_watch.rules.gpu_status import GpuNotStarted, GpuOver, GpuStatusSettings, judge
from fluence_watch.rules.situation import Situation

See = Callable[..., Situation]

SETTINGS = GpuStatusSettings()
NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
GPU = Resource(
    Kind.GPU_CONTAINER,
    "AB",
    "trainer",
    "ACTIVE",
    MicroUsdc(1_000_000),
    changed_at=NOW - HOUR,
    is_running=False,
    spent=MicroUsdc(5),
)
OVER = replace(GPU, status_word="ENDED", is_running=None)
SUBJECT = "gpu_container:ab"


def judged(see: See, *resources: Resource, **more: object) -> Judgement:
    listed = {"resources": resources, "unknown": more.pop("unknown", {})}
    alerts = [Fingerprint("main", "gpu_status", SUBJECT, "not_started")]
    return judge(see(listed=listed, alerts=alerts, **more), SETTINGS)


def test_a_container_that_does_not_run(see: See) -> None:
    """It is billed all the same."""
    (found,) = judged(see, GPU).findings
    assert Fingerprint("main", "gpu_status", SUBJECT, "not_started") == found.fingerprint
    assert (Severity.WARNING, False, timedelta(minutes=15)) == (
        found.severity,
        found.at_once,
        SETTINGS.hold,
    )
    assert GpuNotStarted(GPU.ref, MicroUsdc(24_000_000)) == found.facts


@pytest.mark.parametrize("status", ["ENDED", "FAILED"])
def test_an_instance_that_is_over(see: See, status: str) -> None:
    """At once, with when it ended and what it cost."""
    (found,) = judged(see, replace(OVER, status_word=status)).findings
    assert GpuOver(OVER.ref, status.lower(), NOW - HOUR, MicroUsdc(5)) == found.facts
    assert (True, status.lower()) == (found.at_once, found.fingerprint.key)


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({"is_running": True}, []),
        ({"is_running": None}, []),
        ({"price": None}, [GpuNotStarted]),
        ({"kind": Kind.GPU_VM, "is_running": None}, []),
        ({"status_word": "ENDED", "changed_at": NOW - 23 * HOUR}, [GpuOver]),
        ({"status_word": "ENDED", "changed_at": NOW - 24 * HOUR}, []),
        ({"status_word": "ENDED", "changed_at": None}, []),
        ({"kind": Kind.DISK, "status_word": "removed"}, []),
    ],
)
def test_what_is_reported(see: See, changes: dict, facts: list[type]) -> None:
    found = judged(see, replace(GPU, **changes)).findings
    assert facts == [type(each.facts) for each in found]


def test_what_the_user_ended(see: See) -> None:
    """It is no news; the end of another one is."""
    expected = frozenset({(NoteAction.RESOURCE_REMOVED, SUBJECT)})
    other = replace(OVER, id="CD")
    (found,) = judged(see, OVER, other, expected_changes=expected).findings
    assert "gpu_container:cd" == found.fingerprint.subject


@pytest.mark.parametrize(
    ("resources", "unlisted", "unknown", "gone"),
    [
        ((replace(GPU, is_running=True),), {}, False, False),
        ((replace(GPU, is_running=None),), {}, True, False),
        ((OVER,), {}, False, True),
        ((), {}, False, True),
        ((), {"GPU containers": "403"}, True, False),
    ],
)
def test_when_it_is_over(
    see: See,
    resources: tuple[Resource, ...],
    unlisted: dict[str, str],
    unknown: bool,  # noqa: FBT001 - a parameter of the table
    gone: bool,  # noqa: FBT001 - as above
) -> None:
    """A container that runs resolves with a message; one that is over, or gone, without."""
    judgement = judged(see, *resources, unknown=unlisted)
    assert (unknown, gone) == (SUBJECT in judgement.unknown, SUBJECT in judgement.gone)


def test_after_a_failed_poll(see: See) -> None:
    assert Judgement() == judge(replace(see(), snapshot=None), SETTINGS)

"""What polls saw is recorded, and nothing that fails there disturbs them."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from fluence_watch.alerting.state import Stored
from fluence_watch.app.decide import Policy
from fluence_watch.app.poll import Watch
from fluence_watch.app.polled import Polled
from fluence_watch.app.recording import Recording, make_writer
from fluence_watch.fluence import FluenceClient
from fluence_watch.metrics.negotiation import ExpositionFormat
from fluence_watch.metrics.own import OwnMetrics
from fluence_watch.model.note import NoteAction
from fluence_watch.model.ports import port
from fluence_watch.record.files import files_in
from fluence_watch.record.reading import Reading
from fluence_watch.record.zstd import decompress
from fluence_watch.settings import RecordSettings
from fluence_watch.simulator import SettableClock
from fluence_watch.store import Store

KEY = "simulated-key"
Poll = Callable[[], Awaitable[Polled]]


@pytest.fixture
def poll(policy: Policy, client: FluenceClient, store: Store, clock: SettableClock) -> Poll:
    """Poll the simulated account once."""
    watch = Watch(
        policy,
        client,
        store,
        Stored(),
        clock=clock,
        publish=lambda _: None,
        crashed=lambda *_: None,
        committed=lambda *_: None,
    )
    return watch.poll


@pytest.fixture
def own() -> OwnMetrics:
    return OwnMetrics("1")


def recording(folder: Path, own: OwnMetrics) -> Recording:
    return Recording(make_writer(folder, RecordSettings()), own.record_failed)


def failures(own: OwnMetrics) -> str:
    """The sample of polls that could not be recorded."""
    lines = own.render(ExpositionFormat.TEXT).decode().splitlines()
    return next(line for line in lines if line.startswith("fluence_watch_record_failures_total "))


async def test_a_poll_is_recorded_as_the_rules_got_it(
    poll: Poll, store: Store, clock: SettableClock, own: OwnMetrics, tmp_path: Path
) -> None:
    """With what users had done until then."""
    made = recording(tmp_path / "record", own)
    polled = []
    for _ in range(3):
        polled.append(await poll())
        made.poll_ended(polled[-1])
        subject = next(iter(polled[-1].state.known))
        store.leave_note("main", NoteAction.ACCEPTED, subject, at=clock(), ports=(port(22),))
        clock.advance(timedelta(minutes=1))
    await made.rest(10)
    seen = list(Reading(tmp_path / "record").polls())
    assert [each.outcome for each in polled] == [each.outcome for each in seen]
    assert [0, 1, 1] == [len(each.notes) for each in seen]
    assert "fluence_watch_record_failures_total 0.0" == failures(own)


async def test_no_key_is_recorded(
    poll: Poll, clock: SettableClock, own: OwnMetrics, tmp_path: Path
) -> None:
    """What is recorded is what rules get, and they never get one."""
    made = recording(tmp_path / "record", own)
    made.poll_ended(await poll())
    await made.rest(10)
    (file,) = files_in(tmp_path / "record")
    data = file.path.read_bytes()
    assert b'"account":"main"' in decompress(data)
    assert KEY.encode() not in decompress(data)


async def test_a_folder_that_cannot_be_written_is_news_once(
    poll: Poll, clock: SettableClock, own: OwnMetrics, tmp_path: Path
) -> None:
    """It is counted each time, tried each time, and polls go on."""
    folder = tmp_path / "record"
    folder.write_text("a file is in its place", "utf-8")
    made = recording(folder, own)
    with capture_logs() as logs:
        for _ in range(3):
            made.poll_ended(await poll())
            await made.rest(10)
            clock.advance(timedelta(minutes=1))
        folder.unlink()
        made.poll_ended(await poll())
        await made.rest(10)
    assert "fluence_watch_record_failures_total 3.0" == failures(own)
    assert [
        "polls cannot be recorded, they go on without",
        "polls are recorded again",
    ] == [each["event"] for each in logs if "record" in each["event"]]
    assert 1 == len(list(Reading(folder).polls()))

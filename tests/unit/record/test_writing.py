"""The record on disk: whatever happens to a daemon or to its disk, what was written can be read."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.snapshot import Outcome, PollFailure, Snapshot
from fluence_watch.model.vm import Status, Vm
from fluence_watch.record.files import Bounds, files_in, folder_of
from fluence_watch.record.reading import Reading
from fluence_watch.record.wire import Seen
from fluence_watch.record.writing import Writer

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
BOUNDS = Bounds(90 * DAY, 2**30)
VMS = {
    f"vm-{number}": Vm(f"vm-{number}", f"web-{number}", Status.ACTIVE, "ACTIVE", MicroUsdc(298_160))
    for number in range(100)
}


def snapshot(at: datetime = NOW, account: str = "main", spent: int = 0) -> Snapshot:
    """A hundred VMs, the first of which has spent so much."""
    first = replace(VMS["vm-0"], spent=MicroUsdc(spent))
    return Snapshot(account, at, VMS | {"vm-0": first})


def write(writer: Writer, *outcomes: Outcome) -> None:
    for each in outcomes:
        writer.write(Seen(each))


def read(folder: Path, *accounts: str) -> list[Outcome]:
    return [seen.outcome for seen in Reading(folder).polls(accounts)]


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path, BOUNDS)


def test_days_and_accounts_have_their_files(writer: Writer, tmp_path: Path) -> None:
    """And are read together, in the order of time."""
    polls = [
        snapshot(),
        snapshot(NOW + MINUTE, "other"),
        PollFailure("main", NOW + 2 * MINUTE, "unreachable", "timeout"),
        snapshot(NOW + DAY, spent=298_160),
        snapshot(NOW + DAY + MINUTE, "other"),
    ]
    write(writer, *polls)
    assert polls == read(tmp_path)
    assert polls[1::3] == read(tmp_path, "other")
    assert 4 == len(list(files_in(tmp_path)))


def test_an_unchanged_poll_costs_some_bytes(writer: Writer, tmp_path: Path) -> None:
    """However many VMs there are."""
    write(writer, snapshot())
    (file,) = files_in(tmp_path)
    before = file.path.stat().st_size
    write(writer, *(snapshot(NOW + minute * MINUTE) for minute in range(1, 101)))
    assert file.path.stat().st_size - before <= 25 * 100


@pytest.mark.parametrize(
    "account", ["..", "/etc", "a/../b", "", "\0", "MAIN", "é\udfff", "x" * 300]
)
def test_any_name_of_an_account_is_a_safe_one_of_a_folder(account: str, tmp_path: Path) -> None:
    """It cannot leave the folder, and is no other account's."""
    folder = folder_of(tmp_path, account)
    assert tmp_path == folder.resolve().parent
    assert folder != folder_of(tmp_path, "main")
    write(Writer(tmp_path, BOUNDS), snapshot(account=account))
    assert [snapshot(account=account)] == read(tmp_path)


def test_only_the_owner_can_read_it(writer: Writer, tmp_path: Path) -> None:
    """It says what somebody runs, and what that costs."""
    write(writer, snapshot())
    (file,) = files_in(tmp_path)
    assert (0o600, 0o700) == (
        file.path.stat().st_mode & 0o777,
        file.path.parent.stat().st_mode & 0o777,
    )


@pytest.mark.parametrize("left", [1, 10, 20])
def test_what_is_cut_off_is_the_last_poll_alone(writer: Writer, tmp_path: Path, left: int) -> None:
    """As when the power fails. The next daemon begins a file of its own."""
    write(writer, snapshot(), snapshot(NOW + MINUTE))
    (file,) = files_in(tmp_path)
    whole = file.path.stat().st_size
    write(writer, snapshot(NOW + 2 * MINUTE, spent=1))
    with file.path.open("r+b") as cut:
        cut.truncate(whole + left)
    write(Writer(tmp_path, BOUNDS), snapshot(NOW + 3 * MINUTE, spent=2))

    reading = Reading(tmp_path)
    times = [seen.outcome.taken_at - NOW for seen in reading.polls()]
    assert [timedelta(0), MINUTE, 3 * MINUTE] == times
    assert [f"{file.path}: the end is cut off"] == reading.flaws


def test_a_file_that_is_not_ours_is_left_alone(writer: Writer, tmp_path: Path) -> None:
    """Neither read nor deleted."""
    other = tmp_path / "main" / "notes.jsonl.zst"
    other.parent.mkdir()
    other.write_text("mine", "utf-8")
    write(Writer(tmp_path, Bounds(DAY, 1)), snapshot())
    assert [] == read(tmp_path)
    assert "mine" == other.read_text("utf-8")


def test_garbage_in_a_file_ends_it(writer: Writer, tmp_path: Path) -> None:
    """What is before it is read, and so are the other files."""
    write(writer, snapshot(), snapshot(NOW + DAY))
    first = next(files_in(tmp_path)).path
    first.write_bytes(first.read_bytes() + b"garbage")
    assert [snapshot(), snapshot(NOW + DAY)] == read(tmp_path)


def test_a_deleted_file_begins_anew(writer: Writer, tmp_path: Path) -> None:
    """Somebody may tidy up while a daemon runs."""
    write(writer, snapshot())
    next(files_in(tmp_path)).path.unlink()
    write(writer, snapshot(NOW + MINUTE))
    assert [snapshot(NOW + MINUTE)] == read(tmp_path)


def test_what_is_too_old_goes(tmp_path: Path) -> None:
    """With the folders of accounts that are gone."""
    writer = Writer(tmp_path, Bounds(2 * DAY, 2**30))
    write(writer, snapshot(account="gone"), *(snapshot(NOW + day * DAY) for day in range(5)))
    assert [NOW + day * DAY for day in (1, 2, 3, 4)] == [each.taken_at for each in read(tmp_path)]
    assert [folder_of(tmp_path, "main")] == list(tmp_path.iterdir())


def test_the_oldest_goes_when_it_is_too_large(tmp_path: Path) -> None:
    """So that it never is by much."""
    most = 20_000
    writer = Writer(tmp_path, Bounds(90 * DAY, most))
    for day in range(60):
        write(writer, *(snapshot(NOW + day * DAY + hour * 2 * MINUTE) for hour in range(20)))
        size = sum(each.path.stat().st_size for each in files_in(tmp_path))
        assert size <= most * 65 // 64 + 3_000
    kept = read(tmp_path)
    assert NOW + 59 * DAY + 38 * MINUTE == kept[-1].taken_at
    assert NOW < kept[0].taken_at


@contextmanager
def no_space_after(size: int) -> Iterator[None]:
    """No file can become larger: what is written beyond it is cut off, as on a full disk."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


def test_a_full_disk_leaves_what_was_there(writer: Writer, tmp_path: Path) -> None:
    """No part of a poll is left, and the record goes on when there is space again."""
    write(writer, snapshot(), snapshot(NOW + MINUTE))
    (file,) = files_in(tmp_path)
    whole = file.path.stat().st_size
    for minute, space in ((2, whole + 10), (3, 10), (4, 0)):
        with no_space_after(space), pytest.raises(OSError):  # noqa: PT011 - what it says depends on the system
            write(writer, snapshot(NOW + minute * MINUTE))
    assert whole == file.path.stat().st_size
    assert 1 == len(list(files_in(tmp_path)))
    write(writer, snapshot(NOW + 5 * MINUTE))
    reading = Reading(tmp_path)
    assert [snapshot(NOW + m * MINUTE) for m in (0, 1, 5)] == [s.outcome for s in reading.polls()]
    assert [] == reading.flaws

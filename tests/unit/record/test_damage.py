"""Records that something else wrote, moved or broke: what can be read is read, and the rest is said."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.snapshot import Outcome, Snapshot
from fluence_watch.model.vm import Status, Vm
from fluence_watch.record import reading
from fluence_watch.record.files import Bounds, file_for, files_in, folder_of, try_folder
from fluence_watch.record.reading import Reading
from fluence_watch.record.wire import Seen, encode
from fluence_watch.record.writing import Writer
from fluence_watch.record.zstd import compress

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WEB = Vm("a1", "web", Status.ACTIVE, "ACTIVE", MicroUsdc(298_160), next_billing_at=NOW)
BOUNDS = Bounds(timedelta(days=90), 2**30)
FIRST = json.loads(encode(None, Seen(Snapshot("main", NOW, {"a1": WEB})))[0])


def poll(minute: int) -> Outcome:
    return Snapshot("main", NOW + minute * MINUTE, {"a1": WEB})


def put(folder: Path, lines: Iterable[object]) -> Path:
    """A file with these lines, a frame each."""
    path = file_for(folder, "main", NOW)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(compress(f"{json.dumps(line)}\n".encode()) for line in lines))
    return path


def billed(at: str) -> dict[str, Any]:
    """A later poll, by which a boundary moved."""
    return {"+": 60_000_000, "vms": {"a1": {"next_billing_at": at}}}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ({"+": 10**30}, "cannot be read on"),
        ({"+": 10**18}, "cannot be read on"),
        (FIRST | {"first": FIRST["first"] | {"at": "2026-04-16T12:00:00"}}, "has no zone"),
        (billed("2026-04-16T12:00:00"), "next_billing_at 2026-04-16 12:00:00 is not usable"),
        (billed("0001-01-01T00:00:00Z"), "is not usable as a time"),
        (billed("9999-12-31T23:59:59Z"), "is not usable as a time"),
    ],
)
def test_a_line_that_means_nothing_ends_its_file(tmp_path: Path, line: object, why: str) -> None:
    """What is before it is read, and the flaw names the file."""
    path = put(tmp_path, [FIRST, line])
    found = Reading(tmp_path)
    assert [NOW] == [seen.outcome.taken_at for seen in found.polls()]
    (flaw,) = found.flaws
    assert flaw.startswith(str(path))
    assert why in flaw


def test_what_only_has_the_name_of_a_file(tmp_path: Path) -> None:
    """A day that does not exist, a folder, and a link to nowhere are left alone."""
    path = put(tmp_path, [FIRST])
    (path.parent / "2026-02-31T000000.000000Z.jsonl.zst").write_bytes(path.read_bytes())
    (path.parent / "2026-02-27T000000.000000Z.jsonl.zst").mkdir()
    (path.parent / "2026-02-28T000000.000000Z.jsonl.zst").symlink_to(tmp_path / "nowhere")
    assert [path] == [each.path for each in files_in(tmp_path)]


def test_files_of_two_daemons_are_read_by_time(tmp_path: Path) -> None:
    """What the other one saw between may differ, so nothing is the same as before then."""
    one, other = Writer(tmp_path, BOUNDS), Writer(tmp_path, BOUNDS)
    for minute in range(9):
        (other if 3 <= minute < 6 else one).write(Seen(poll(minute)))
    polls = list(Reading(tmp_path).polls())
    assert [poll(minute) for minute in range(9)] == [seen.outcome for seen in polls]
    assert [0, 3, 6] == [at for at, seen in enumerate(polls) if not seen.is_same]


def test_a_frame_that_grows_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few bytes can say that there are many."""
    monkeypatch.setattr(reading, "_LARGEST", 2**20)
    put(tmp_path, [FIRST, {"rest": "x" * 2**21}])
    found = Reading(tmp_path)
    assert 1 == len(list(found.polls()))
    assert "a poll is too large" in found.flaws[0]


def test_a_folder_that_another_daemon_drops_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was empty, just before the first file."""
    touch, dropped = Path.touch, list[Path]()

    def drop_first(path: Path, *given: Any, **named: Any) -> None:  # noqa: ANN401 - whatever touch takes
        if not dropped:
            dropped.append(path.parent)
            path.parent.rmdir()
        touch(path, *given, **named)

    monkeypatch.setattr(Path, "touch", drop_first)
    Writer(tmp_path, BOUNDS).write(Seen(poll(0)))
    assert [folder_of(tmp_path, "main")] == dropped
    assert [poll(0)] == [seen.outcome for seen in Reading(tmp_path).polls()]


def test_whether_a_folder_can_be_written(tmp_path: Path) -> None:
    """Or be created; nothing stays of the trial."""
    try_folder(tmp_path)
    try_folder(tmp_path / "a" / "b")
    assert [] == list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "a", Path("/proc/nope")):
        with pytest.raises(OSError, match=str(folder.parent)):
            try_folder(folder)

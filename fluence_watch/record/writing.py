"""Writes what polls saw."""

from contextlib import suppress
from datetime import datetime, timedelta
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from fluence_watch.record.files import Bounds, file_for, prune
from fluence_watch.record.wire import Seen, Tail, encode
from fluence_watch.record.zstd import compress

_PRUNED_EACH = timedelta(hours=1)
_PART = 64  # of the largest size: so much may be written before that is looked at again


class _Open(NamedTuple):
    path: Path
    tail: Tail


class Writer:
    """Appends what polls saw to the files of their accounts. One thread at a time may use it.

    Each poll is a frame of its own, written at once: no file is left open, nothing is lost when the
    process dies, and what is cut off is the last poll alone.
    """

    def __init__(self, folder: Path, bounds: Bounds) -> None:
        self._folder = folder
        self._bounds = bounds
        self._open: dict[str, _Open] = {}
        self._pruned_at: datetime | None = None
        self._written = 0

    def write(self, seen: Seen) -> None:
        """Append the poll. After an error, the next poll begins a new file.

        Raises:
            OSError: it could not be written, or old files not deleted.
        """
        account, now = seen.outcome.account, seen.outcome.taken_at
        opened = self._open.pop(account, None)
        if opened is None or opened.tail.at.date() != now.date() or not opened.path.exists():
            self._begin(seen)
        else:
            line, tail = encode(opened.tail, seen)
            self._append(opened.path, line)
            self._open[account] = _Open(opened.path, tail)
        self._prune(now)

    def _begin(self, seen: Seen) -> None:
        account, now = seen.outcome.account, seen.outcome.taken_at
        path = file_for(self._folder, account, now)
        line, tail = encode(None, seen)
        try:
            _create(path)
        except FileNotFoundError:  # another daemon dropped the empty folder
            _create(path)
        self._append(path, line)
        self._open[account] = _Open(path, tail)

    def _append(self, path: Path, line: str) -> None:
        frame = compress(f"{line}\n".encode("utf-8", "surrogatepass"))
        with path.open("r+b", buffering=0) as file:
            size = file.seek(0, 2)
            try:
                _put(file, frame)
            except OSError:
                _undo(path, size)
                raise
        self._written += len(frame)

    def _prune(self, now: datetime) -> None:
        lately = self._pruned_at is not None and abs(now - self._pruned_at) < _PRUNED_EACH
        if not lately or self._written > self._bounds.max_bytes // _PART:
            self._pruned_at, self._written = now, 0
            prune(self._folder, self._bounds, now)


def _create(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=False)


def _put(file: FileIO, frame: bytes) -> None:
    if file.write(frame) < len(frame):
        raise OSError(f"no space left on the device of {file.name!s}")


def _undo(path: Path, size: int) -> None:
    """Leave no part of a poll behind, nor an empty file."""
    with suppress(OSError):
        if size:
            with path.open("r+b") as file:
                file.truncate(size)
        else:
            path.unlink()

"""Reads what polls saw."""

from collections.abc import Collection, Iterator
from heapq import merge
from itertools import groupby
from pathlib import Path

from fluence_watch.record.files import RecordFile, files_in
from fluence_watch.record.wire import Seen, Tail, decode
from fluence_watch.record.zstd import ZstdError, decompress, get_frame_size


class Reading:
    """The record in a folder. `flaws` says which files end early, once they were read."""

    def __init__(self, folder: Path) -> None:
        self._files = list(files_in(folder))
        self.flaws: list[str] = []

    def polls(self, accounts: Collection[str] = ()) -> Iterator[Seen]:
        """What the polls of these accounts saw, or of all, in the order of time.

        The polls of one account are in the order in which they were written.

        Raises:
            OSError: a file cannot be read.
        """
        folders = groupby(self._files, key=lambda each: each.path.parent)
        of_each = [self._of_account(list(files), accounts) for _, files in folders]
        return merge(*of_each, key=lambda seen: seen.outcome.taken_at)

    def _of_account(
        self, files: Collection[RecordFile], accounts: Collection[str]
    ) -> Iterator[Seen]:
        for each in files:
            for seen in self._of_file(each.path):
                if accounts and seen.outcome.account not in accounts:
                    return
                yield seen

    def _of_file(self, path: Path) -> Iterator[Seen]:
        data = path.read_bytes()
        end = _whole(data)
        if end < len(data):
            self.flaws.append(f"{path}: the end is cut off")
        tail: Tail | None = None
        try:
            for line in _lines(data[:end]):
                seen, tail = decode(tail, line)
                yield seen
        except (ZstdError, ValueError) as error:
            self.flaws.append(f"{path}: cannot be read on: {error}")


def _whole(data: bytes) -> int:
    """Where the last whole frame ends."""
    view, end = memoryview(data), 0
    while end < len(data):
        try:
            end += get_frame_size(view[end:])
        except ZstdError:
            break
    return end


def _lines(data: bytes) -> Iterator[str]:
    text = decompress(data).decode("utf-8", "surrogatepass") if data else ""
    return (line for line in text.split("\n") if line)

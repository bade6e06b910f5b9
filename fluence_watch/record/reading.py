"""Reads what polls saw."""

from collections import deque
from collections.abc import Collection, Iterator
from datetime import datetime
from heapq import heappop, heappush, merge
from io import StringIO
from itertools import groupby
from pathlib import Path

from fluence_watch.record.files import RecordFile, files_in
from fluence_watch.record.wire import Seen, Tail, decode
from fluence_watch.record.zstd import ZstdDecompressor, ZstdError, get_frame_size

_LARGEST = 2**28
"""Bytes of a poll; no account has so many VMs."""


class Reading:
    """The record in a folder. `flaws` says which files end early, once they were read."""

    def __init__(self, folder: Path) -> None:
        self._files = list(files_in(folder))
        self.flaws: list[str] = []

    def polls(self, accounts: Collection[str] = ()) -> Iterator[Seen]:
        """What the polls of these accounts saw, or of all, in the order of time.

        The polls of one file are in the order in which they were written.

        Raises:
            OSError: a file cannot be read.
        """
        folders = groupby(self._files, key=lambda each: each.path.parent)
        of_each = [self._of_account(list(files), accounts) for _, files in folders]
        return merge(*of_each, key=lambda seen: seen.outcome.taken_at)

    def _of_account(
        self, files: Collection[RecordFile], accounts: Collection[str]
    ) -> Iterator[Seen]:
        """The polls in these files, of which those of several daemons may overlap."""
        waiting, last = deque(files), -1
        heads: list[tuple[datetime, int, Seen, Iterator[Seen]]] = []
        number = 0
        while waiting or heads:
            while waiting and (not heads or waiting[0].began_at <= heads[0][0]):
                number += 1
                _push(heads, number, self._of_file(waiting.popleft().path))
            if not heads:
                continue
            _, place, seen, rest = heappop(heads)
            if accounts and seen.outcome.account not in accounts:
                return
            yield seen if place == last else seen._replace(is_same=False)
            last = place
            _push(heads, place, rest)

    def _of_file(self, path: Path) -> Iterator[Seen]:
        tail: Tail | None = None
        try:
            for line in self._lines(path):
                seen, tail = decode(tail, line)
                yield seen
        except (ZstdError, ValueError, OverflowError) as error:
            self.flaws.append(f"{path}: cannot be read on: {error}")

    def _lines(self, path: Path) -> Iterator[str]:
        """The lines of a file, frame by frame: each has a poll."""
        view, at = memoryview(path.read_bytes()), 0
        while at < len(view):
            try:
                end = at + get_frame_size(view[at:])
            except ZstdError:
                self.flaws.append(f"{path}: the end is cut off")
                return
            frame = ZstdDecompressor()
            text = frame.decompress(view[at:end], _LARGEST).decode("utf-8", "surrogatepass")
            if not frame.eof:
                raise ValueError("a poll is too large")
            yield from (line for each in StringIO(text, "\n") if (line := each.rstrip("\n")))
            at = end


def _push(
    heads: list[tuple[datetime, int, Seen, Iterator[Seen]]], place: int, polls: Iterator[Seen]
) -> None:
    if (seen := next(polls, None)) is not None:
        heappush(heads, (seen.outcome.taken_at, place, seen, polls))

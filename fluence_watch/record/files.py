"""The files of a record: their names, and which of them are kept.

Each account has a folder, and each file begins with a poll that is whole: the first of a day (UTC), of
a daemon, or after a write that failed. No file is written to by two daemons.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

_SUFFIX = ".jsonl.zst"
_STAMP = "%Y-%m-%dT%H%M%S.%fZ"
_FILE = re.compile(r"\d{4}-\d\d-\d\dT\d{6}\.\d{6}Z" + re.escape(_SUFFIX))
_LONGEST = 40
_DAY = timedelta(days=1)


class RecordFile(NamedTuple):
    """A file, and when its first poll was."""

    began_at: datetime
    path: Path


def folder_of(folder: Path, account: str) -> Path:
    """The folder of an account, safe whatever its name is. Names that differ have different ones."""
    words = re.sub(r"[^a-z0-9-]+", "-", account.lower())[:_LONGEST].strip("-")
    digest = sha256(account.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return folder / f"{words or 'account'}-{digest}"


def file_for(folder: Path, account: str, began_at: datetime) -> Path:
    """The file of an account whose first poll is at that time."""
    return folder_of(folder, account) / f"{began_at.astimezone(UTC).strftime(_STAMP)}{_SUFFIX}"


def files_in(folder: Path) -> Iterator[RecordFile]:
    """The files of all accounts, each account's in the order of time; nothing else is touched."""
    for path in sorted(folder.glob(f"*/*{_SUFFIX}")):
        began_at = _began_at(path)
        if began_at is not None and path.is_file():
            yield RecordFile(began_at, path)


def _began_at(path: Path) -> datetime | None:
    if not _FILE.fullmatch(path.name):
        return None
    try:
        return datetime.strptime(path.name.removesuffix(_SUFFIX), _STAMP).replace(tzinfo=UTC)
    except ValueError:  # there is no such day
        return None


def try_folder(folder: Path) -> None:
    """Try whether files can be written below a folder, or the folder be created; nothing stays.

    Raises:
        OSError: they cannot.
    """
    from tempfile import TemporaryDirectory  # noqa: PLC0415 - the daemon does not try

    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    with TemporaryDirectory(prefix=".try-", dir=there):
        pass


class Bounds(NamedTuple):
    """How long files are kept, and how many bytes of them."""

    max_age: timedelta
    max_bytes: int


def prune(folder: Path, bounds: Bounds, now: datetime) -> None:
    """Delete what is too old, and then the oldest files until the rest is not too large.

    Raises:
        OSError: a file cannot be deleted.
    """
    files = sorted(files_in(folder))
    oldest = now - bounds.max_age - _DAY
    sizes = {each: _size(each.path) for each in files}
    total = sum(sizes.values())
    for each in files:
        if each.began_at >= oldest and total <= bounds.max_bytes:
            break
        each.path.unlink(missing_ok=True)
        total -= sizes[each]
    _drop_empty({each.path.parent for each in files})


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _drop_empty(folders: Iterable[Path]) -> None:
    for each in folders:
        with suppress(OSError):  # it is not empty, or another daemon was faster
            each.rmdir()

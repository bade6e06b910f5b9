"""The settings of the record: whether what polls saw is kept, and how much of it."""

from datetime import timedelta
from pathlib import Path

from pydantic import Field

from fluence_watch.rules.base import Settings
from fluence_watch.settings.durations import PositiveDuration


class RecordSettings(Settings):
    """What polls saw, kept for `replay`."""

    dir: Path | None = Field(
        default=None, description="folder for what each poll saw; nothing is recorded without it"
    )
    max_age: PositiveDuration = Field(
        default=timedelta(days=90), description="how long it is kept; the oldest goes first"
    )
    max_size_mb: int = Field(
        default=1024, ge=1, le=1_048_576, description="most that is kept, in MiB"
    )

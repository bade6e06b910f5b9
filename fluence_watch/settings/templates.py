"""The settings of templates: whose words messages have."""

from pathlib import Path

from pydantic import Field

from fluence_watch.rules.base import Settings


class TemplatesSettings(Settings):
    """Templates of one's own."""

    dir: Path | None = Field(
        default=None, description="folder with templates that replace shipped ones of the same name"
    )

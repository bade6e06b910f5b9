"""The settings of the heartbeat: who is called while everything works."""

from datetime import timedelta
from pathlib import Path

from pydantic import Field, SecretStr

from fluence_watch.rules.base import Duration, Settings
from fluence_watch.settings.durations import PositiveDuration
from fluence_watch.settings.secrets import one_secret


class HeartbeatSettings(Settings):
    """A service such as healthchecks.io, which notifies when calls stop."""

    url: SecretStr | None = Field(
        default=None, description="address to call after each whole cycle of polls; a secret"
    )
    url_file: Path | None = Field(default=None, description="or a file that holds the address")
    max_outbox_age: PositiveDuration = Field(
        default=timedelta(minutes=15),
        description="how long a receiver may fail, or a message wait for it",
    )
    timeout: PositiveDuration = Field(
        default=timedelta(seconds=10), description="longest time of one call, retries included"
    )
    min_interval: Duration = Field(
        default=timedelta(seconds=30),
        description="shortest time between two cycles; healthchecks.io takes 5 calls a minute",
    )

    @property
    def enabled(self) -> bool:
        """Whether there is somebody to call."""
        return self.url is not None or self.url_file is not None

    @property
    def address(self) -> str:
        """The address, from the setting or its file.

        Raises:
            ValueError: there is none, or it cannot be read.
        """
        return one_secret(self.url, self.url_file, "url").get_secret_value().strip()

"""The settings of digests: who gets one, and when."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from fluence_watch.rules.base import Settings
from fluence_watch.settings.durations import PositiveDuration

# ruff: noqa: PLC0415 - only with digests


def _schedule(value: str) -> str:
    from fluence_watch.alerting.slots import check_schedule

    check_schedule(value)
    return " ".join(value.split())


def _zone(value: str) -> str:
    if value != "UTC":
        from fluence_watch.alerting.slots import check_zone

        check_zone(value)
    return value


Schedule = Annotated[str, AfterValidator(_schedule)]
Zone = Annotated[str, AfterValidator(_zone)]


class DigestSettings(Settings):
    """A summary that a receiver gets by a schedule."""

    receiver: str = Field(description="name of the receiver; its accounts are what it is about")
    schedule: Schedule = Field(
        default="0 8 * * 1-5",
        description="as in a crontab: minute, hour, day of month, month, day of week",
    )
    timezone: Zone = Field(
        default="UTC", description="time zone of the schedule, such as Europe/Paris"
    )
    catch_up: PositiveDuration = Field(
        default=timedelta(hours=12), description="how late one that was missed is still sent"
    )

    @property
    def key(self) -> str:
        """Identifies the digest: with other words it is another one, which begins anew."""
        return f"{self.receiver}\n{self.schedule}\n{self.timezone}"

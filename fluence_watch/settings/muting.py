"""The settings of what keeps messages back: maintenance, and alerts that mute others."""

from typing import Annotated

from pydantic import AfterValidator, Field

from fluence_watch.alerting.inhibition import Inhibit
from fluence_watch.alerting.matchers import LABELS, read_matchers
from fluence_watch.alerting.muting import Maintenance
from fluence_watch.rules.base import Settings
from fluence_watch.settings.digests import Schedule, Zone
from fluence_watch.settings.durations import PositiveDuration
from fluence_watch.settings.matchers import MatchList
from fluence_watch.settings.names import Name


def _label(value: str) -> str:
    if value not in LABELS:
        raise ValueError(f"there is no label {value!r:.40}: labels are {', '.join(LABELS)}")
    return value


class MaintenanceSettings(Settings):
    """A silence that comes again and again."""

    name: Name = Field(description="its name in listings")
    match: MatchList = Field(
        min_length=1, description="matchers on the labels of alerts; all of them must match"
    )
    schedule: Schedule = Field(
        description="when it begins, as in a crontab: minute, hour, day of month, month, day of week"
    )
    duration: PositiveDuration = Field(description="how long it lasts")
    timezone: Zone = Field(
        default="UTC", description="time zone of the schedule, such as Europe/Paris"
    )

    @property
    def maintenance(self) -> Maintenance:
        """The maintenance as alerts know it."""
        from fluence_watch.alerting.slots import Cron  # noqa: PLC0415 - only with maintenance

        cron = Cron(self.schedule, self.timezone)
        return Maintenance(self.name, read_matchers(self.match), cron, self.duration)


class InhibitSettings(Settings):
    """Alerts that mute others while they fire."""

    source: MatchList = Field(min_length=1, description="matchers on the alerts that mute")
    target: MatchList = Field(min_length=1, description="matchers on the alerts that are muted")
    equal: tuple[Annotated[str, AfterValidator(_label)], ...] = Field(
        default=(),
        examples=[["vm_id"]],
        description="labels that must be equal in both, beside the account",
    )

    @property
    def inhibit(self) -> Inhibit:
        """The inhibition as alerts know it."""
        equal = ("account", *self.equal)
        return Inhibit(read_matchers(self.source), read_matchers(self.target), equal)

"""The tables of a file with tests. Names are contract; see docs/testing.md."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    field_validator,
)

from fluence_watch.alerting.telling import Reason
from fluence_watch.app.rehearsal.cases.times import parse_moment, written
from fluence_watch.errors import ApiError
from fluence_watch.model.finding import Severity
from fluence_watch.model.money import MicroUsdc, micro_from_decimal
from fluence_watch.model.resource import Kind
from fluence_watch.model.vm import Status, status_of
from fluence_watch.rules.base import Settings, Usdc
from fluence_watch.settings.checks.doubt import hint
from fluence_watch.settings.matchers import MatchList
from fluence_watch.settings.model import Ports

Listed = TypeVar("Listed", bound=Collection[object] | None)

INCOMPLETE = "incomplete"
"""What `reason` of a failure is where the list arrives, but not whole."""
LONGER = timedelta(hours=1)
"""A test is lived through so much beyond its end: what was expected may come then."""
_LONGEST = timedelta(days=36_500)
_YEARS = range(1971, 2200)
_ALIKE = 0.8
UNKNOWABLE = ("price", "reserved", "spent", "next_billing", "ports", "public_ip", "datacenter")


def _reasons() -> list[str]:
    """Why a poll can fail, and what makes a list incomplete."""

    def below(kind: type[ApiError]) -> set[str]:
        return {kind.reason}.union(*(below(each) for each in kind.__subclasses__()))

    changing = {"error", "outcome_unknown"}
    return sorted(below(ApiError) - changing | {INCOMPLETE})


def _reason(value: str) -> str:
    if value not in _reasons():
        raise ValueError(f"{value!r} is no reason of a failure; {hint(value, _reasons())}")
    return value


def _status(value: str) -> str:
    if status_of(value) is Status.UNKNOWN and value.lower() != Status.UNKNOWN:
        known = [_api_word(each) for each in Status]
        raise ValueError(
            f"{value!r} is no status of a VM; {hint(_api_word(value), known, alike=_ALIKE)}"
        )
    return value


def _api_word(status: str) -> str:
    """The status as the API writes it: `SmallBalance`."""
    return "".join(part.capitalize() for part in status.split("_"))


def _unknowable(value: str) -> str:
    if value not in UNKNOWABLE:
        raise ValueError(f"{value!r} cannot be unknown; {hint(value, UNKNOWABLE)}")
    return value


def _balance(value: object) -> MicroUsdc:
    if isinstance(value, Decimal | int | str) and not isinstance(value, bool):
        return micro_from_decimal(format(value, "f") if isinstance(value, Decimal) else str(value))
    raise ValueError(f"{value!r} is not an amount of USDC, such as 0.5")


Balance = Annotated[MicroUsdc, BeforeValidator(_balance)]
"""USDC; below zero is a debt."""


def _moment(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError(f'{value!r} has no unit: write "90s", "15m", "12h15m" or "2d"')  # noqa: TRY004 - pydantic reports ValueError alone
    moment = parse_moment(value)
    if moment > _LONGEST:
        raise ValueError(f"{value} is more than a hundred years")
    return moment


Moment = Annotated[timedelta, BeforeValidator(_moment), PlainSerializer(written)]
"""A time since the start of the test, or so long."""


def _some(value: Listed) -> Listed:
    if value is not None and not value:
        raise ValueError("is empty")
    return value


def _lasting(value: timedelta) -> timedelta:
    if not value:
        raise ValueError("must be above zero")
    return value


Lasting = Annotated[Moment, AfterValidator(_lasting)]


def _time(value: object) -> timedelta | datetime:
    if not isinstance(value, datetime):
        return _moment(value)
    if value.tzinfo is None:
        raise ValueError("has no zone: write 2026-01-05T12:00:00Z, or a time since the start")
    return _in_utc(value)


def _in_utc(value: datetime) -> datetime:
    if value.year not in _YEARS:
        raise ValueError(f"must be from {_YEARS[0]} to {_YEARS[-1]}")
    return value.astimezone(UTC)


Time = Annotated[timedelta | datetime, BeforeValidator(_time)]


class Facts(Settings):
    """What may change of a VM. What is not written stays as it was."""

    name: str | None = Field(default=None, min_length=1)
    price: Usdc | None = None
    reserved: Usdc | None = None
    spent: Usdc | None = None
    tops_up: bool | None = None
    next_billing: Time | None = None
    status: Annotated[str, AfterValidator(_status)] | None = None
    ports: Ports | None = None
    public_ip: str | None = None
    datacenter: str | None = Field(default=None, pattern=r"^[A-Z]{2}-[A-Z]{3}-\d{1,9}$")
    unknown: tuple[Annotated[str, AfterValidator(_unknowable)], ...] | None = None
    missing: bool | None = None
    unreadable: bool | None = None


class CaseVm(Facts):
    """A VM of a test, from its start."""

    name: str = Field(min_length=1)
    id: str | None = Field(default=None, min_length=1)
    account: str | None = None
    created: Time = timedelta(days=30)


class RentedFacts(Settings):
    """What may change of a disk, an address or a GPU instance."""

    price: Usdc | None = None
    reserved: Usdc | None = None
    attached_to: tuple[str, ...] | None = None
    status: str | None = Field(default=None, min_length=1)
    missing: bool | None = None


class CaseRented(RentedFacts):
    """A disk, an address or a GPU instance of a test, from its start."""

    name: str = Field(min_length=1)
    kind: Kind = Kind.DISK
    account: str | None = None


class CaseChange(Settings):
    """What changes from a time on. The balance and the keys are those of `account`."""

    at: Moment
    vms: dict[str, Facts] = Field(default_factory=dict)
    rented: dict[str, RentedFacts] = Field(default_factory=dict)
    account: str | None = None
    balance: Balance | None = None
    keys: tuple[str, ...] | None = None


class CaseFailure(Settings):
    """Polls that fail for a while, or get a list that is not complete."""

    at: Moment
    lasts: Lasting = Field(alias="for")
    reason: Annotated[str, AfterValidator(_reason)] = "server_error"
    account: str | None = None


class CaseSilence(Settings):
    """A silence for a while."""

    at: Moment
    lasts: Lasting = Field(alias="for")
    match: Annotated[MatchList, AfterValidator(_some)]
    comment: str = ""


class CaseAck(Settings):
    """Somebody takes care of what fires and matches."""

    at: Moment
    lasts: Lasting = Field(default=timedelta(days=1), alias="for")
    match: Annotated[MatchList, AfterValidator(_some)]


class ExpectedAlert(Settings):
    """An alert in a message. What is not written may be anything."""

    rule: str
    vm: str | None = None
    reason: Reason | None = None
    severity: Severity | None = None
    subject: str | None = None
    key: str | None = None


class Expected(Settings):
    """A message that a receiver should get. What is not written may be anything."""

    at: Moment
    receiver: str
    account: str | None = None
    alerts: Annotated[tuple[ExpectedAlert, ...] | None, AfterValidator(_some)] = None
    title: str | None = None
    says: tuple[Annotated[str, Field(min_length=1)], ...] = ()


class Case(Settings):
    """A test. Times are durations since its start."""

    name: str = Field(min_length=1)
    start: datetime = datetime(2026, 1, 5, tzinfo=UTC)
    interval: Lasting | None = None
    until: Moment | None = None
    account: str | None = None
    balance: Balance | None = None
    keys: tuple[str, ...] | None = None
    vms: tuple[CaseVm, ...] = ()
    rented: tuple[CaseRented, ...] = ()
    changes: tuple[CaseChange, ...] = ()
    failures: tuple[CaseFailure, ...] = ()
    silences: tuple[CaseSilence, ...] = ()
    acks: tuple[CaseAck, ...] = ()
    receivers: Annotated[tuple[str, ...], AfterValidator(_some)] = ("*",)
    rules: tuple[str, ...] = ("*",)
    expect: tuple[Expected, ...] = ()

    @field_validator("start")
    @classmethod
    def _utc(cls, value: datetime) -> datetime:
        if value.tzinfo is None:
            raise ValueError("has no zone: write 2026-01-05T12:00:00Z")
        return _in_utc(value)

    @property
    def end(self) -> timedelta:
        """When the test ends: `until`, else the last time in it."""
        if self.until is not None:
            return self.until
        moments: list[timedelta] = [timedelta(0)]
        moments += [each.at for each in self.changes]
        moments += [each.at for each in self.acks]
        moments += [each.at for each in self.expect]
        moments += [each.at + each.lasts for each in self.failures]
        moments += [each.at + each.lasts for each in self.silences]
        return max(moments)


class CaseFile(Settings):
    """A file with tests. Its settings are in `config`, or in tables of their own beside the tests."""

    config: Path | None = None
    tests: Annotated[tuple[Case, ...], AfterValidator(_some)]

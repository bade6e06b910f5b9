"""The lines below the table of `costs`: the sums, the month before, and the forecast."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime

from fluence_watch.cli.inspect.cost_report import CostReport
from fluence_watch.model.moment import clock, distance
from fluence_watch.model.money import usdc
from fluence_watch.model.text import counted, inert
from fluence_watch.views.month import MonthForecast
from fluence_watch.views.periods import Period, change_percent

_MOST = 3


def sums(report: CostReport, now: datetime) -> Iterator[str]:
    """The sum of the days, and that of the same days of the month before, a line each."""
    this, before, accounts = report.period, report.before, report.accounts
    yield _nothing(this, accounts) if this.is_free else _sum(this, accounts)
    if report.counted_until and report.counted_until < now:
        yield f"metered: counted until {clock(report.counted_until, now)}"
    if before is None or (this.is_empty and before.is_empty):
        return
    percent = change_percent(this, before)
    change = "" if percent is None else f"; it is {percent:+} % now"
    if change and this.last == now.date():
        change += ", and today is not over"
    yield _sum(before, accounts) + change


def _nothing(period: Period, accounts: int) -> str:
    days, late = f"from {period.first} to {period.last}", _late(period.no_data_before, accounts)
    text = f"nothing was charged {days}, as far as the ledger has it"
    return ": ".join([text, *late])


def _sum(period: Period, accounts: int) -> str:
    late = _late(period.no_data_before, accounts)
    amount = () if period.is_empty else (usdc(period.total),)
    return f"{period.first} to {period.last}: " + ", ".join([*amount, *late])


def _late(begins: Mapping[str, date], accounts: int) -> list[str]:
    """Where the ledger has only a part: `no data before 2026-04-03`."""
    if accounts == 1:
        return [f"no data before {day}" for day in begins.values()]
    days = _some([f"of {inert(name)} before {day}" for name, day in begins.items()])
    return [f"no data {days}"] if days else []


def _some(names: Sequence[str]) -> str:
    """The first few, and how many more."""
    more = len(names) - _MOST
    return ", ".join(names[:_MOST]) + (f", and {more} more" if more > 0 else "")


def forecast_lines(forecast: MonthForecast | None, now: datetime) -> Iterator[str]:
    """The forecast, and what it assumes, a line each."""
    if forecast is None:
        return
    least = "at least " if forecast.is_least else ""
    yield (
        f"by the end of {forecast.month}: {least}{forecast.total:f} USDC, {forecast.ahead:f} of it"
        " yet to come, if"
    )
    yield f"  - what runs now is kept: {_kept(forecast)}"
    yield f"  - prices stay as in the last poll, {_at(forecast.polled_at, now)}"
    if forecast.left_out:
        yield (
            f"  - {counted(forecast.left_out, 'thing')} with no known price or next charge"
            f" {'is' if forecast.left_out == 1 else 'are'} left out"
        )
    if forecast.counted_until:
        until = clock(forecast.counted_until, now)
        yield f"  - what is metered from {until} on is computed from prices"
    if forecast.incomplete:
        names = _some([inert(name) for name in forecast.incomplete])
        yield f"  - what else these rent is unknown, the last poll did not see all of it: {names}"
    if forecast.unpolled:
        names = _some([inert(name) for name in forecast.unpolled])
        yield f"  - what is yet to come of these is unknown, no poll this month: {names}"


def _kept(forecast: MonthForecast) -> str:
    rented = counted(forecast.resources, "disk, public IP or GPU", "disks, public IPs and GPUs")
    vms = counted(forecast.vms, "VM")
    return f"{vms}, {rented}" if forecast.resources else vms


def _at(moment: datetime, now: datetime) -> str:
    passed = min(moment, now)  # the daemon may have polled since the command began
    return f"{clock(passed, now)}, {distance(passed, now)}"

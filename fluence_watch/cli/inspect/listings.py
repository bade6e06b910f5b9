"""`check`, `alerts`, `forecast`: what is, without changing anything."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from fluence_watch.cli.common.options import ConfigOption, FormatOption, settings_from
from fluence_watch.cli.common.output import (
    Column,
    OutputFormat,
    Row,
    amount,
    lasting,
    print_json,
    print_rows,
)
from fluence_watch.model.finding import Fingerprint, Severity, VmRef
from fluence_watch.model.snapshot import Outcome, PollFailure, Snapshot

if TYPE_CHECKING:
    from fluence_watch.alerting.lifecycle import Alert
    from fluence_watch.alerting.state import AccountState
    from fluence_watch.app.wiring import Setup
    from fluence_watch.model.forecast import AccountForecast
    from fluence_watch.model.vm import Vm

FINE, WARNING, CRITICAL, UNKNOWN = range(4)
_SHORT_ID = 8

_FOUND = (
    Column("severity", "SEVERITY"),
    Column("rule", "RULE"),
    Column("account", "ACCOUNT"),
    Column("vm", "VM"),
    Column("what", "WHAT"),
)
_ALERTS = (*_FOUND[:4], Column("state", "STATE"), Column("since", "SINCE"), _FOUND[4])
_FORECAST = (
    Column("account", "ACCOUNT"),
    Column("vm", "VM"),
    Column("price_per_epoch", "PRICE", right=True),
    Column("reserved", "RESERVE", right=True),
    Column("funded_until", "FUNDED UNTIL"),
    Column("lasts", "LASTS"),
    Column("burn_per_day", "A DAY", right=True),
    Column("to_month_end", "TO MONTH'S END", right=True),
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(check)
    app.command()(alerts)
    app.command()(forecast)


def check(config: ConfigOption = None, form: FormatOption = OutputFormat.TABLE) -> None:
    """Poll every account once and print what is wrong; nothing is stored or sent.

    Exit code: 0 fine, 1 warning, 2 critical, 3 unknown.
    """
    from fluence_watch.app.clock import utc_now
    from fluence_watch.app.decide import decide
    from fluence_watch.app.wiring import prepare
    from fluence_watch.cli.common.polling import poll_all

    setup = prepare(settings_from(config))
    states, outcomes = _states(setup), poll_all(setup)
    decisions = [decide(states[name], outcomes[name], setup.policies[name]) for name in outcomes]
    findings = [found for each in decisions for found in each.verdict.findings.values()]
    findings.sort(key=lambda found: (-found.severity.rank, found.fingerprint))
    now = utc_now()
    rows = [_row(f.fingerprint, f.severity, f.facts, now) for f in findings]
    if rows or form is OutputFormat.JSON:
        print_rows(_FOUND, rows, form)
    else:
        seen = sum(len(o.vms) for o in outcomes.values() if isinstance(o, Snapshot))
        typer.echo(f"fine: accounts: {len(outcomes)}, VMs: {seen}")
    raise typer.Exit(_exit_code(outcomes, (f.severity for f in findings if _of_vms(f.fingerprint))))


def _of_vms(fingerprint: Fingerprint) -> bool:
    from fluence_watch.rules import poll_failing

    return fingerprint.rule != poll_failing.NAME


def _exit_code(outcomes: Mapping[str, Outcome], severities: Iterable[Severity]) -> int:
    worst = max((severity.rank for severity in severities), default=0)
    if worst == Severity.CRITICAL.rank:
        return CRITICAL
    whole = all(isinstance(o, Snapshot) and o.complete for o in outcomes.values())
    return (WARNING if worst else FINE) if whole else UNKNOWN


def _states(setup: "Setup") -> "Mapping[str, AccountState]":
    """What the daemon on this machine remembers; nothing where none ever ran."""
    from fluence_watch.alerting.state import AccountState
    from fluence_watch.errors import StoreError
    from fluence_watch.store import Store

    try:
        with Store.open(setup.settings.store.url, exclusive=False) as store:
            return {name: store.load(name) for name in setup.policies}
    except StoreError as error:
        typer.echo(f"note: VMs are not compared with an earlier list: {error}", err=True)
        return {name: AccountState() for name in setup.policies}


def alerts(
    config: ConfigOption = None,
    form: FormatOption = OutputFormat.TABLE,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Show those that are over, newest first.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many of those.")] = 100,
) -> None:
    """Print what fires, or is about to, as the daemon on this machine knows it."""
    from fluence_watch.app.clock import utc_now
    from fluence_watch.store import Store

    now = utc_now()
    with Store.open(settings_from(config).store.url, exclusive=False) as store:
        if resolved:
            found = store.history(limit=limit)
        else:
            found = [a for name in store.accounts() for a in store.load(name).alerts.values()]
            found.sort(key=lambda a: (a.state.value, -a.severity.rank, a.fingerprint))
    rows = [_alert_row(alert, now, form) for alert in found]
    if rows or form is OutputFormat.JSON:
        print_rows(_ALERTS, rows, form)
    else:
        typer.echo("nothing" if resolved else "nothing fires")


def _alert_row(alert: "Alert", now: datetime, form: OutputFormat) -> Row:
    row = dict(_row(alert.fingerprint, alert.severity, alert.facts, now))
    since: object = alert.active_at if form is OutputFormat.JSON else lasting(alert.active_at, now)
    row |= {"state": alert.state.value, "since": since}
    if form is OutputFormat.JSON:
        row |= {"fired_at": alert.starts_at, "ended_at": alert.ends_at}
    return row


def _row(fingerprint: Fingerprint, severity: Severity, facts: object, now: datetime) -> Row:
    from fluence_watch.notify.render import brief

    vm = getattr(facts, "vm", None)
    return {
        "severity": severity.value,
        "rule": fingerprint.rule,
        "account": fingerprint.account,
        "vm": _name(vm) if isinstance(vm, VmRef) else "",
        "vm_id": vm.id if isinstance(vm, VmRef) else "",
        "what": brief(facts, now),
    }


def _name(vm: "VmRef | Vm") -> str:
    short = vm.id[:_SHORT_ID]
    return f"{vm.name} ({short})" if vm.name else short


def forecast(config: ConfigOption = None, form: FormatOption = OutputFormat.TABLE) -> None:
    """Print how long the money lasts and what the rest of the month costs."""
    from fluence_watch.app.clock import utc_now
    from fluence_watch.app.wiring import prepare
    from fluence_watch.cli.common.polling import poll_all
    from fluence_watch.model.forecast import forecast as forecast_of

    setup, now = prepare(settings_from(config)), utc_now()
    outcomes = poll_all(setup)
    accounts = {
        name: forecast_of(outcome.vms.values(), now, setup.policies[name].epoch_of(outcome))
        for name, outcome in outcomes.items()
        if isinstance(outcome, Snapshot)
    }
    _print_forecast(accounts, now, form)
    failures = [o for o in outcomes.values() if isinstance(o, PollFailure)]
    for failure in failures:
        typer.echo(f"fluence-watch: account {failure.account}: {failure.message}", err=True)
    if failures:
        raise typer.Exit(UNKNOWN)


def _print_forecast(
    accounts: "Mapping[str, AccountForecast]", now: datetime, form: OutputFormat
) -> None:
    vms = [row for name, each in accounts.items() for row in _vm_rows(name, each, now)]
    totals = [_total_row(name, each, now) for name, each in accounts.items()]
    if form is OutputFormat.JSON:
        print_json({"vms": vms, "accounts": totals})
    else:
        print_rows(_FORECAST, [*vms, *totals], form)


def _vm_rows(account: str, forecast: "AccountForecast", now: datetime) -> Iterable[Row]:
    for each in forecast.vms:
        yield {
            "account": account,
            "vm": _name(each.vm),
            "vm_id": each.vm.id,
            "price_per_epoch": amount(each.vm.price),
            "reserved": amount(each.vm.reserved),
            "funded_until": each.funded_until,
            "lasts": lasting(each.funded_until, now),
            "burn_per_day": amount(each.burn_per_day),
            "to_month_end": amount(each.to_month_end),
        }


def _total_row(account: str, forecast: "AccountForecast", now: datetime) -> Row:
    return {
        "account": account,
        "vm": f"all {len(forecast.vms)}",
        "price_per_epoch": "",
        "reserved": "",
        "funded_until": forecast.funded_until,
        "lasts": lasting(forecast.funded_until, now),
        "burn_per_day": amount(forecast.burn_per_day),
        "to_month_end": amount(forecast.to_month_end),
        "vms_unknown": forecast.unknown,
    }

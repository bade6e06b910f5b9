"""`check`: one poll of every account, and what is wrong."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import typer

from fluence_watch.cli.common.options import ConfigOption, FormatOption
from fluence_watch.cli.common.output import Column, OutputFormat, identity_columns, print_rows
from fluence_watch.model.finding import Severity
from fluence_watch.model.snapshot import Snapshot
from fluence_watch.model.text import inert

if TYPE_CHECKING:
    from fluence_watch.alerting.state import AccountState
    from fluence_watch.app.wiring import Setup

FINE, WARNING, CRITICAL, UNKNOWN = range(4)
_WHAT = Column("what", "WHAT", wraps=30)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(check)


def check(config: ConfigOption = None, form: FormatOption = OutputFormat.TABLE) -> None:
    """Poll every account once and print what is wrong.

    Nothing is stored or sent. Exit code: 0 fine, 1 warning, 2 critical, 3 unknown.
    """
    from fluence_watch.app.clock import utc_now
    from fluence_watch.app.decide import decide
    from fluence_watch.cli.common.accounts import poll_all, prepared
    from fluence_watch.cli.inspect.unjudged import is_of_vms, left_unknown, unjudged
    from fluence_watch.notify.render import brief
    from fluence_watch.views.alert import finding_view

    setup = prepared(config)
    states, outcomes = _states(setup), poll_all(setup)
    decisions = [decide(states[name], outcomes[name], setup.policies[name]) for name in outcomes]
    findings = [found for each in decisions for found in each.verdict.findings.values()]
    findings.sort(key=lambda found: (-found.severity.rank, found.fingerprint))
    now = utc_now()
    views = [finding_view(f.fingerprint, f.severity, f.facts, now, brief) for f in findings]
    unknown = any(left_unknown(outcomes[name], setup.policies[name]) for name in outcomes)
    if views or form is OutputFormat.JSON:
        print_rows([*identity_columns([view.account for view in views]), _WHAT], views, form)
    else:
        seen = sum(len(o.vms) for o in outcomes.values() if isinstance(o, Snapshot))
        verdict = "nothing found" if unknown else "fine"
        fleet = f"VMs: {seen}" if seen or unknown else "no VMs"
        typer.echo(f"{verdict}: accounts: {len(outcomes)}, {fleet}")
    found = {each.fingerprint for each in findings}
    for name, outcome in outcomes.items():
        for line in unjudged(outcome, setup.policies[name], found):
            typer.echo(f"not judged: account {inert(name)}: {line}", err=True)
    severities = (f.severity for f in findings if is_of_vms(f.fingerprint))
    raise typer.Exit(_exit_code(severities, unknown=unknown))


def _exit_code(severities: Iterable[Severity], *, unknown: bool) -> int:
    worst = max((severity.rank for severity in severities), default=0)
    if worst == Severity.CRITICAL.rank:
        return CRITICAL
    return UNKNOWN if unknown else WARNING if worst else FINE


def _states(setup: "Setup") -> "Mapping[str, AccountState]":
    """What the daemon on this machine remembers; empty where none ever ran."""
    from fluence_watch.alerting.state import AccountState
    from fluence_watch.errors import StoreError
    from fluence_watch.store import Store

    try:
        with Store.open(setup.settings.store.url, exclusive=False) as store:
            return {name: store.load(name).state for name in setup.policies}
    except StoreError as error:
        typer.echo(f"note: VMs are not compared with an earlier list: {error}", err=True)
        return {name: AccountState() for name in setup.policies}

"""`check`: one poll of every account, and what is wrong."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import typer

from fluence_watch.cli.common.options import ConfigOption, FormatOption
from fluence_watch.cli.common.output import Column, OutputFormat, identity_columns, print_rows
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.model.snapshot import Outcome, Snapshot
from fluence_watch.model.text import inert

if TYPE_CHECKING:
    from fluence_watch.alerting.state import AccountState
    from fluence_watch.app.decide import Policy
    from fluence_watch.app.wiring import Setup

FINE, WARNING, CRITICAL, UNKNOWN = range(4)
_NAMED = 5
_WHAT = Column("what", "WHAT", wraps=30)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(check)


def check(config: ConfigOption = None, form: FormatOption = OutputFormat.TABLE) -> None:
    """Poll every account once and print what is wrong; nothing is stored or sent.

    Exit code: 0 fine, 1 warning, 2 critical, 3 unknown.
    """
    from fluence_watch.app.clock import utc_now
    from fluence_watch.app.decide import decide
    from fluence_watch.cli.common.accounts import poll_all, prepared
    from fluence_watch.notify.render import brief
    from fluence_watch.views.alert import finding_view

    setup = prepared(config)
    states, outcomes = _states(setup), poll_all(setup)
    decisions = [decide(states[name], outcomes[name], setup.policies[name]) for name in outcomes]
    findings = [found for each in decisions for found in each.verdict.findings.values()]
    findings.sort(key=lambda found: (-found.severity.rank, found.fingerprint))
    now = utc_now()
    views = [finding_view(f.fingerprint, f.severity, f.facts, now, brief) for f in findings]
    unjudged = [
        line for name in outcomes for line in _unjudged(outcomes[name], setup.policies[name])
    ]
    if views or form is OutputFormat.JSON:
        print_rows([*identity_columns([view.account for view in views]), _WHAT], views, form)
    else:
        seen = sum(len(o.vms) for o in outcomes.values() if isinstance(o, Snapshot))
        typer.echo(
            f"{'nothing found' if unjudged else 'fine'}: accounts: {len(outcomes)}, VMs: {seen}"
        )
    for line in unjudged:
        typer.echo(f"not judged: {line}", err=True)
    severities = (f.severity for f in findings if _of_vms(f.fingerprint))
    raise typer.Exit(_exit_code(severities, unknown=bool(unjudged)))


def _unjudged(outcome: Outcome, policy: "Policy") -> Iterator[str]:
    """What the poll of an account left unknown, and why; a line each."""
    account = f"account {inert(outcome.account)}"
    if not isinstance(outcome, Snapshot):
        yield f"{account}: {inert(outcome.message)}"
        return
    if outcome.incomplete_because:
        yield f"{account}: the list of VMs: {inert(outcome.incomplete_because)}"
    for each in outcome.rejected[:_NAMED]:
        vm = f"VM {inert(each.vm_id, 60)}" if each.vm_id else "a VM"
        yield f"{account}: {vm}: {inert(each.where)}: {inert(each.why)}"
    if (more := len(outcome.rejected) - _NAMED) > 0:
        yield f"{account}: and {more} more VMs"
    for what, why in outcome.unknown.items():
        if rule := _rule_on(what, policy):
            yield f"{account}: {what}, so {rule} is not judged: {inert(why)}"


def _rule_on(what: str, policy: "Policy") -> str | None:
    """The enabled rule that judges it, if there is one."""
    from fluence_watch.rules import account_low, ssh_key_drift

    rule = {"balance": account_low.NAME, "SSH keys": ssh_key_drift.NAME}[what]
    return rule if policy.rules[rule].enabled else None


def _of_vms(fingerprint: Fingerprint) -> bool:
    """Whether the finding says something of VMs, and not that nothing is known of them."""
    from fluence_watch.rules import poll_failing, vm_unreadable

    return fingerprint.rule not in {poll_failing.NAME, vm_unreadable.NAME}


def _exit_code(severities: Iterable[Severity], *, unknown: bool) -> int:
    worst = max((severity.rank for severity in severities), default=0)
    if worst == Severity.CRITICAL.rank:
        return CRITICAL
    return UNKNOWN if unknown else WARNING if worst else FINE


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

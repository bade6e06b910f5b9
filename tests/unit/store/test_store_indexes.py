"""No operation reads a whole table to find a few rows of it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, event

from fluence_watch.alerting.attempts import Attempts
from fluence_watch.alerting.journal import Entry, What
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.state import AccountState
from fluence_watch.alerting.telling import Notified
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.model.known import KnownVm
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.store import Store
from tests.stored import keep, tables

NOW = datetime(2025, 1, 1, tzinfo=UTC)

Statement = tuple[str, tuple[object, ...]]


@pytest.fixture
def statements() -> Iterator[list[Statement]]:
    """What is executed from now on."""
    found: list[Statement] = []

    def note(_: object, __: object, text: str, values: object, *more: object) -> None:
        if text.startswith(("SELECT", "INSERT", "UPDATE", "DELETE")):
            found.append((text, values[0] if isinstance(values, list) else values))  # type: ignore[arg-type] # one or many

    event.listen(Engine, "before_cursor_execute", note)
    yield found
    event.remove(Engine, "before_cursor_execute", note)


def alert(key: str) -> Alert:
    facts = PollFailing("unreachable", "no answer")
    fingerprint = Fingerprint("main", "poll_failing", "", key)
    return Alert(fingerprint, Severity.WARNING, State.FIRING, facts, NOW, NOW)


def state(*keys: str) -> AccountState:
    vms = [Vm(key, key, Status.ACTIVE, "ACTIVE") for key in keys]
    alerts = {alert(key).fingerprint: alert(key) for key in keys}
    return AccountState({vm.key: KnownVm(vm, NOW) for vm in vms}, alerts)


def test_every_operation_uses_an_index(store: Store, url: str, statements: list[Statement]) -> None:
    """Of accounts and receivers there are few: they may be read whole."""
    ended = replace(alert("b"), state=State.RESOLVED, ends_at=NOW)
    keep(store, "main", state("a", "b"))
    store.save_attempts("ops", Attempts(), {alert("b").episode: Notified(NOW, Severity.INFO)})
    keep(store, "main", state("a", "c"), [ended])
    store.load("main")
    store.settle([ended.episode])
    store.history("main")
    store.history()
    store.notes("main")
    store.save_attempts("ops", Attempts(), {}, [Entry(NOW, What.SENT, *ended.episode, "ops")])
    store.journal.of_alert(ended.episode)
    store.journal.of_subject("main", "a")
    store.journal.of_account("main", "a", NOW, NOW, most=5)
    store.journal.of_receivers(NOW, None, most=5)
    store.journal.alerts("main", "a")
    store.prune(NOW)
    seen = list(statements)

    with tables(url) as connection:
        plans = {
            text: [
                row.detail
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)
            ]
            for text, values in seen
        }
    big = ("vms", "alerts", "notified", "journal")
    whole = {
        text: plan
        for text, plan in plans.items()
        if any(f"SCAN {table}" == step for step in plan for table in big)
    }
    assert {} == whole
    assert 15 < len(plans)

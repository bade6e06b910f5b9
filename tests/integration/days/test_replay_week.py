"""A week of a simulated account: its record tells what the daemon's own decisions told."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from fluence_watch.alerting.lifecycle import Alerts, State
from fluence_watch.alerting.telling import Reason
from fluence_watch.app.decide import Decision, Policy, decide
from fluence_watch.app.poll import fetch
from fluence_watch.app.rehearsal.replay import replay
from fluence_watch.model.finding import Fingerprint
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import port
from fluence_watch.record.files import Bounds
from fluence_watch.record.wire import Seen
from fluence_watch.record.writing import Writer
from fluence_watch.settings import WatchSettings
from fluence_watch.store import Store
from tests.unit.app.ledger_account import BEGIN, DAY, HOUR, MINUTE, Account

_STEP = 10 * MINUTE
Told = tuple[datetime, Fingerprint, str]


def happenings(account: Account) -> dict[timedelta, Callable[[], object]]:
    """What happens in the week, and when."""
    world, ids = account.world, [machine.id for machine in account.world.listed()]
    return {
        6 * HOUR: lambda: world.open_port(ids[0], port(8080)),
        30 * HOUR: lambda: world.close_port(ids[0], port(8080)),
        40 * HOUR: lambda: world.set_price(ids[1], MicroUsdc(400_000)),
        52 * HOUR: lambda: world.vanish(ids[2]),
        70 * HOUR: lambda: world.bring_back(ids[2]),
        90 * HOUR: lambda: world.drain(ids[3]),
        130 * HOUR: lambda: world.deploy("fresh"),
    }


def turns(before: Alerts, decision: Decision) -> set[Told]:
    """The alerts that a poll made fire, and those that it resolved."""
    at = decision.after.last_poll_at
    assert at
    fired = {
        (at, key, Reason.FIRST)
        for key, alert in decision.after.alerts.items()
        if alert.state is State.FIRING
        if key not in before or before[key].state is not State.FIRING
    }
    resolved = (each for each in decision.ended if not each.quiet and each.starts_at)
    return fired | {(at, each.fingerprint, Reason.RESOLVED) for each in resolved}


async def test_a_week(policy: Policy, store: Store, tmp_path: Path) -> None:
    """Each alert that fired and each that resolved is told once, at that poll; nothing else is new."""
    account, told = Account(policy, store, "v2"), set[Told]()
    writer = Writer(tmp_path / "record", Bounds(90 * DAY, 2**30))
    waiting = happenings(account)
    while account.clock() < BEGIN + 7 * DAY:
        for at in [each for each in waiting if BEGIN + each <= account.clock()]:
            waiting.pop(at)()
        outcome = await fetch(account.client, policy, account.clock)
        writer.write(Seen(outcome))
        before = account.kept.state.alerts
        decision = account.kept.change(lambda state, seen=outcome: decide(state, seen, policy))
        told |= turns(before, decision)
        account.clock.set(account.clock() + _STEP)

    settings = WatchSettings.model_validate(
        {"accounts": [{"name": "main"}], "receivers": [{"name": "ops"}]}
    )
    found = replay(settings, tmp_path / "record")
    lines = [(each.at, line) for each in found.messages for line in each.lines]
    again = [(at, line.alert.fingerprint, line.reason) for at, line in lines]
    assert sorted(told) == sorted(
        each for each in again if each[2] in {Reason.FIRST, Reason.RESOLVED}
    )
    rules = {"port_drift", "price_changed", "vm_vanished", "vm_appeared", "billing_due"}
    assert rules <= {key.rule for _, key, _ in told}
    assert found.evaluated < found.polls / 2

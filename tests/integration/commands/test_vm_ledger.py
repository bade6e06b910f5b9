"""The ledger in `vm show`."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fluence_watch.alerting.state import AccountState, Change
from fluence_watch.cli.manage.vm_ledger import ledger_lines
from fluence_watch.model.accounting import Booking
from fluence_watch.model.known import KnownVm
from fluence_watch.model.ledger import Certainty, Entry, EntryKind
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Status, Vm
from fluence_watch.store import Store
from fluence_watch.views.ledger import ledger_view

# ruff: noqa: ANN401 - the fakes' classes are in conftest.py, which is not imported

Run = Callable[..., Any]
Configure = Callable[..., None]
NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def moved(vm: Vm, kind: EntryKind, amount: int, at: datetime, sure: Certainty) -> Entry:
    return Entry(vm.key, kind, MicroUsdc(amount), at, at, sure)


def test_the_ledger_of_a_vm(run: Run, configure: Configure, api: Any) -> None:
    """What it cost, and what moved last; of a VM that no watcher knows, that it is unknown."""
    now = datetime.now(UTC).replace(microsecond=0)  # the day may have turned since the import
    configure({"main": api.url})
    first, second, _ = api.world.machines.values()
    vm = Vm(first.id, first.name, Status.ACTIVE, "ACTIVE")
    known = {vm.key: KnownVm(vm, now - 40 * DAY)}
    entries = [
        moved(vm, EntryKind.OPENING, 9_000_000, now - 40 * DAY, Certainty.SPREAD),
        moved(vm, EntryKind.CHARGE, 300_000, now - 35 * DAY, Certainty.EXACT),
        moved(vm, EntryKind.CHARGE, 298_160, now, Certainty.EXACT),
        moved(vm, EntryKind.TOP_UP, 298_160, now, Certainty.SPREAD),
    ]
    state = AccountState(known, last_poll_at=now, last_good_at=now, counted_at=now - DAY)
    with Store.open("sqlite:///fluence-watch.db") as store:
        change = Change.between(AccountState(), state, booking=Booking(entries))
        store.commit("main", change, version=0)

    lines = [line.strip().split("  ", 1) for line in run("vm", "show", first.id).out.splitlines()]
    shown = {line[0]: line[1].strip() for line in lines[1:]}
    assert ("0.298160 USDC", "0.298160 USDC", "0.598160 USDC") == tuple(
        shown[f"charged {when}"] for when in ("today", "this month", "in all")
    )
    assert shown["metered"].startswith(f"counted until {now - DAY:%Y-%m-%d}")
    names = [line[0] for line in lines]
    begin = names.index("watched since") + 1
    assert ["top-up", "charge", "charge", "spent before"] == names[begin : begin + 4]
    assert shown["top-up"].startswith("0.298160 USDC, spread, ")

    answer = json.loads(run("vm", "show", first.id, "-o", "json").out)["ledger"]
    assert ("0.598160", "0.000000", "top_up") == (
        answer["total"], answer["estimated"], answer["entries"][0]["kind"],
    )  # fmt: skip
    assert "last poll" not in shown
    assert answer["as_of"] == now.isoformat().replace("+00:00", "Z")
    assert "unknown: no watcher on this machine has seen it" in run("vm", "show", second.id).out
    assert json.loads(run("vm", "show", second.id, "-o", "json").out)["ledger"] is None


@pytest.mark.parametrize(("ago", "old"), [(179, False), (181, True), (None, False)])
def test_how_old_a_ledger_is(ago: int | None, *, old: bool) -> None:
    """It is said once three polls are missing."""
    as_of = None if ago is None else NOW - timedelta(seconds=ago)
    ledger = ledger_view([], [], since=NOW - DAY, as_of=as_of, now=NOW)
    lines = dict(ledger_lines(ledger, NOW, timedelta(seconds=60)))
    assert old is ("last poll" in lines)
    assert not old or lines["last poll"].endswith(": what was charged since is unknown")

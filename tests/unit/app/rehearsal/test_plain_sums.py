"""Sums in memory are those of the store, as long as they say so."""

from contextlib import closing
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fluence_watch.alerting.state import AccountState
from fluence_watch.app.decide import decide
from fluence_watch.app.policies import policies
from fluence_watch.app.rehearsal.ledger import Ledger
from fluence_watch.app.rehearsal.plain_sums import PlainSums
from fluence_watch.model.billing import EPOCHS
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.snapshot import build_snapshot
from fluence_watch.model.spending import latest_hour
from fluence_watch.model.vm import Status, Vm
from fluence_watch.settings import WatchSettings
from tests.unit.app.rehearsal.lives import HOUR, NOW, PRICE

POLICY = policies(WatchSettings.model_validate({"accounts": [{"name": "main"}]})).accounts["main"]
DAY = timedelta(days=1)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    gaps=st.lists(st.sampled_from([HOUR, 3 * HOUR, 11 * HOUR, DAY, 3 * DAY]), max_size=25),
    offsets=st.lists(st.integers(1, 1440), min_size=1, max_size=4, unique=True),
    odd=st.none() | st.integers(0, 24),
)
def test_they_are_those_of_the_store(
    gaps: list[timedelta], offsets: list[int], odd: int | None
) -> None:
    """At each hour; a VM that is charged without a boundary ends that."""
    state, now, sums = AccountState(), NOW, PlainSums()
    with closing(Ledger()) as ledger:
        for number, gap in enumerate([HOUR, *gaps]):
            now += gap
            extra = 7 if number == odd else 0
            outcome = build_snapshot(
                "main", now, [_vm(m, now - NOW, extra) for m in offsets], billing=EPOCHS
            )
            decision = decide(state, outcome, POLICY)
            state = decision.after
            ledger.book("main", decision)
            sums.add(decision.booking)
            hour = latest_hour(now)
            if sums.is_plain:
                assert ledger.store.spending("main", hour, lambda _: False) == sums.spending(hour)
    assert sums.is_plain or odd is not None


def _vm(minute: int, since: timedelta, extra: int) -> Vm:
    """A VM that is charged at that minute of each day since the beginning."""
    first = NOW + timedelta(minutes=minute)
    count = max(0, (NOW + since - first) // DAY + 1)
    return Vm(
        f"vm-{minute}", None, Status.ACTIVE, "ACTIVE", PRICE, MicroUsdc(9 * PRICE),
        MicroUsdc(count * PRICE + extra), NOW - DAY, first + count * DAY,
    )  # fmt: skip

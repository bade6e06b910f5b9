"""An account that is metered, then prepaid, then metered again: no time is counted twice."""

from datetime import UTC, datetime, timedelta

from fluence_watch.model.accounting import Seen, poll_entries
from fluence_watch.model.billing import EPOCHS, METERED
from fluence_watch.model.known import KnownVm
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.snapshot import build_snapshot
from fluence_watch.model.vm import Status, Vm

NOON = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
VM = Vm("0xa", "web", Status.ACTIVE, "ACTIVE", price=MicroUsdc(300_000))


def test_the_days_between_are_not_metered() -> None:
    """After a prepaid poll nothing is counted until the next metered one."""
    known = {"0xa": KnownVm(VM, NOON)}
    counted_at: datetime | None = NOON
    for number, billing in enumerate((EPOCHS, METERED, METERED), start=1):
        at = NOON + number * DAY
        before = Seen(known, {}, at - DAY, counted_at)
        snapshot = build_snapshot("main", at, [VM], [])
        entries, counted_at = poll_entries(before, Seen(known, {}, at, None), snapshot, billing)
        spent = sum(entry.amount for entry in entries)
        assert spent == (24 * 300_000 if number == 3 else 0)

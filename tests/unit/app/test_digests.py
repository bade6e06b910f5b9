"""Digests that are sent when due: a real store, a clock that we move, receivers that are fakes."""

# ruff: noqa: ANN401 - the fakes are in conftest.py, which is not imported

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fluence_watch.alerting.slots import Cron, Progress
from fluence_watch.alerting.state import AccountState
from fluence_watch.app.digest_plan import DigestPlan
from fluence_watch.app.digests import Digests
from fluence_watch.errors import NotifyError, StoreError
from fluence_watch.model.billing import EPOCHS
from fluence_watch.simulator import SettableClock
from fluence_watch.store import Store
from tests.stored import keep

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SLOT = datetime(2026, 4, 17, 8, 0, tzinfo=UTC)  # a Friday; the clock stands at the noon before
KEY = "ops\n0 8 * * 1-5\nUTC"


@dataclass
class Counts:
    """What the metrics would count of the receiver `ops`, in order."""

    of: list[str] = field(default_factory=list)

    def add(self, what: str, receiver: str) -> None:
        """Count it."""
        self.of += [what] * (receiver == "ops")

    def delivered(self, receiver: str) -> None:
        """Accepted."""
        self.add("delivered", receiver)

    def failed(self, receiver: str) -> None:
        """Not accepted."""
        self.add("failed", receiver)

    def possible_duplicate(self, receiver: str) -> None:
        """Sent again."""
        self.add("possible duplicate", receiver)

    def given_up(self, receiver: str, alerts: int) -> None:
        """Not tried again."""
        self.add("given up" if alerts == 1 else f"{alerts} given up", receiver)

    def internal_error(self, where: str) -> None:
        """A fault of ours."""
        self.of.append(f"internal error: {where}")


Eventually = Callable[[Callable[[], object]], Awaitable[None]]


class Story:
    """A daemon that looks when we say, and can be killed and started again."""

    def __init__(self, store: Store, clock: SettableClock, channel: Any) -> None:
        self.store, self.clock, self.channel = store, clock, channel
        self.counts = Counts()
        keep(store, "main", AccountState(last_good_at=clock(), last_poll_at=clock()))
        self.plan = DigestPlan(KEY, Cron("0 8 * * 1-5"), 12 * HOUR, channel, {"main": EPOCHS}, ())
        self.start()

    def start(self) -> None:
        """Start, again perhaps: what is not stored is forgotten."""
        self.digests = Digests(self.store, self.counts, self.clock)
        self.digests.take_over({KEY: self.plan})

    async def at(self, moment: datetime) -> list[str]:
        """Look at that time. Returns the titles of what was accepted since the last look."""
        self.clock.advance(moment - self.clock())
        before = len(self.channel.sent)
        await self.digests.look()
        return [each.title for each in self.channel.sent[before:]]


@pytest.fixture
async def story(store: Store, clock: SettableClock, channel: Any) -> Story:
    made = Story(store, clock, channel)
    await made.digests.look()
    return made


ONE, LATE = ["[DIGEST] no costs known · main"], ["[DIGEST, late] no costs known · main"]


async def test_a_slot_is_sent_once(story: Story) -> None:
    """Over looks and restarts; the next one is another."""
    assert [] == await story.at(SLOT - MINUTE)
    assert ONE == await story.at(SLOT + timedelta(seconds=5))
    assert [] == await story.at(SLOT + MINUTE)
    story.start()
    assert [] == await story.at(SLOT + HOUR)
    assert ONE == await story.at(SLOT + 3 * DAY)
    assert ["delivered"] * 2 == story.counts.of
    assert Progress(SLOT + 3 * DAY, is_sent=True) == story.store.digests.progress()[KEY]


async def test_a_slot_that_passed_while_it_was_down_is_sent_late(story: Story) -> None:
    """Once, saying since when it was due."""
    story.start()
    assert LATE == await story.at(SLOT + 5 * HOUR)
    assert "It was due 08:00 UTC, 5 h ago." in story.channel.sent[-1].body
    assert [] == await story.at(SLOT + 6 * HOUR)


async def test_a_slot_that_passed_too_long_ago_is_skipped(story: Story) -> None:
    story.start()
    assert [] == await story.at(SLOT + 13 * HOUR)
    assert Progress(SLOT, is_sent=True) == story.store.digests.progress()[KEY]
    assert ONE == await story.at(SLOT + 3 * DAY)


async def test_of_several_slots_the_latest_alone_is_sent(story: Story) -> None:
    story.start()
    assert LATE == await story.at(SLOT + 5 * DAY + HOUR)
    assert [] == await story.at(SLOT + 5 * DAY + 2 * HOUR)


async def test_a_new_digest_sends_nothing_for_the_past(store: Store, clock: SettableClock, channel: Any) -> None:  # fmt: skip
    """It begins when it is taken over, even if the first look comes after a slot."""
    clock.advance(SLOT + HOUR - clock())
    story = Story(store, clock, channel)
    assert [] == await story.at(SLOT + HOUR + MINUTE)
    assert ONE == await story.at(SLOT + 3 * DAY)


async def test_a_digest_that_was_removed_begins_anew(story: Story) -> None:
    """What was stored of it is forgotten with it."""
    story.digests.take_over({})
    assert [] == await story.at(SLOT + MINUTE)
    assert {} == story.store.digests.progress()
    story.start()
    assert [] == await story.at(SLOT + HOUR)


async def test_a_clock_that_is_set_back_repeats_nothing(story: Story) -> None:
    assert ONE == await story.at(SLOT)
    assert [] == await story.at(SLOT - HOUR)
    assert [] == await story.at(SLOT)
    assert ONE == await story.at(SLOT + 3 * DAY)


async def test_a_clock_that_was_years_ahead_silences_nothing(story: Story) -> None:
    """What was stored then is not believed."""
    assert ONE == await story.at(SLOT + 3 * 364 * DAY)
    assert [] == await story.at(SLOT - HOUR)
    assert ONE == await story.at(SLOT)


async def test_a_receiver_that_fails_is_tried_again(story: Story) -> None:
    """With growing pauses, until it accepts; the digest then says that it is late."""
    story.channel.refuses = True
    assert [] == await story.at(SLOT)
    assert [] == await story.at(SLOT + timedelta(seconds=1))
    assert 1 == story.channel.tried
    for minute in range(1, 60):
        await story.at(SLOT + minute * MINUTE)
    assert 10 < story.channel.tried < 25
    story.channel.refuses = False
    assert LATE == await story.at(SLOT + 2 * HOUR)
    assert "possible duplicate" not in story.counts.of


async def test_what_no_one_accepts_is_given_up(story: Story) -> None:
    """After `catch_up`, and counted; the next slot is not the worse for it."""
    story.channel.refuses = True
    await story.at(SLOT)
    story.channel.refuses = False
    assert [] == await story.at(SLOT + 13 * HOUR)
    assert ["failed", "given up"] == story.counts.of
    assert ONE == await story.at(SLOT + 3 * DAY)


async def test_a_failing_slot_gives_way_to_the_next(story: Story) -> None:
    story.plan = replace(story.plan, catch_up=7 * DAY)
    story.start()
    story.channel.refuses = True
    await story.at(SLOT)
    story.channel.refuses = False
    assert ONE == await story.at(SLOT + 3 * DAY)
    assert ["failed", "given up", "delivered"] == story.counts.of


async def test_a_kill_in_the_middle_sends_it_again(story: Story, eventually: Eventually) -> None:
    """It may have arrived, so it counts as a possible duplicate; it is not lost."""
    story.channel.gate.clear()
    story.clock.advance(SLOT - story.clock())
    look = asyncio.create_task(story.digests.look())
    await eventually(lambda: story.channel.tried)
    look.cancel()
    await asyncio.wait([look])
    story.channel.gate.set()
    story.start()

    assert ONE == await story.at(SLOT + MINUTE)
    assert ["possible duplicate", "delivered"] == story.counts.of


async def test_a_timeout_may_repeat_it(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(_: object) -> None:
        raise NotifyError("no answer", may_have_arrived=True)

    with monkeypatch.context() as patched:
        patched.setattr(story.channel, "send", hangs)
        await story.at(SLOT)
    assert ONE == await story.at(SLOT + MINUTE)
    assert ["failed", "possible duplicate", "delivered"] == story.counts.of


class _Failing:
    """A store whose writes fail while `fails`; `after` lets so many succeed first."""

    def __init__(self, store: Store) -> None:
        self._store, self.fails, self.after = store, False, 0

    @property
    def digests(self) -> Any:
        """Itself stands for both parts."""
        return self

    def save(self, key: str, progress: Progress) -> None:
        """Write, or fail."""
        if self.fails and not self.after:
            raise StoreError("disk full")
        self.after -= self.fails
        self._store.digests.save(key, progress)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store if name == "load" else self._store.digests, name)


async def test_without_a_store_nothing_is_sent(story: Story) -> None:
    """What cannot be stored as begun would come again after a restart."""
    story.store = failing = _Failing(story.store)  # type: ignore[assignment] # a fake of it
    story.start()
    await story.at(SLOT - HOUR)
    failing.fails = True
    assert [] == await story.at(SLOT)
    failing.fails = False
    assert ONE == await story.at(SLOT + MINUTE)


async def test_what_is_sent_stays_sent_if_the_store_fails_after(story: Story) -> None:
    """It is stored later; a restart before that may send it again."""
    story.store = failing = _Failing(story.store)  # type: ignore[assignment] # a fake of it
    story.start()
    await story.at(SLOT - HOUR)
    failing.fails, failing.after = True, 1
    assert ONE == await story.at(SLOT)
    assert [] == await story.at(SLOT + MINUTE)
    failing.fails = False
    assert [] == await story.at(SLOT + 2 * MINUTE)
    assert Progress(SLOT, is_sent=True) == failing.progress()[KEY]


async def test_a_fault_of_ours_is_tried_again_and_disturbs_no_other(story: Story, make_channel: Callable[[str], Any]) -> None:  # fmt: skip
    other = make_channel("other")
    broken = replace(story.plan, cron=Cron("0 8 * * 1-5"), accounts=None)  # type: ignore[arg-type] # the fault
    story.digests.take_over({KEY: broken, "other": replace(story.plan, key="other", channel=other)})
    await story.at(SLOT - HOUR)
    assert [] == await story.at(SLOT)
    assert ONE == [each.title for each in other.sent]
    await story.at(SLOT + timedelta(seconds=1))
    assert 1 == story.counts.of.count("internal error: message")
    story.digests.take_over({KEY: story.plan})
    assert ONE == await story.at(SLOT + MINUTE)


async def test_one_that_hangs_holds_up_no_other(
    story: Story, make_channel: Callable[[str], Any], eventually: Eventually
) -> None:
    other = make_channel("other")
    story.digests.take_over({KEY: story.plan, "other": replace(story.plan, key="other", channel=other)})  # fmt: skip
    await story.at(SLOT - HOUR)
    story.channel.gate.clear()
    story.clock.advance(SLOT - story.clock())
    look = asyncio.create_task(story.digests.look())
    await eventually(lambda: other.sent)
    story.channel.gate.set()
    await look
    assert 1 == len(story.channel.sent)

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stamina
from stamina.instrumentation import get_on_retry_hooks, set_on_retry_hooks
from structlog.testing import capture_logs

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.state import AccountState
from fluence_watch.app.decide import Policy
from fluence_watch.app.polled import Polled
from fluence_watch.app.report import report
from fluence_watch.app.retries import note_retry, tallied
from fluence_watch.errors import ServerError
from fluence_watch.model.finding import Fingerprint, Severity, VmRef
from fluence_watch.model.snapshot import Outcome, PollFailure, Rejected, build_snapshot
from fluence_watch.rules.public_ip_changed import PublicIpChanged

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
WEB = VmRef("0xA1B2", "web-1", "FR-PAR-1")
FIRING = Alert(
    Fingerprint("main", "low_balance", "0xa1b2", "k"),
    Severity.CRITICAL,
    State.FIRING,
    PublicIpChanged(WEB, "a", "b"),
    active_at=NOW - timedelta(minutes=30),
    starts_at=NOW,
)
PENDING = replace(FIRING, state=State.PENDING, starts_at=None)
RESOLVED = replace(FIRING, state=State.RESOLVED, ends_at=NOW)
LIST = build_snapshot("main", NOW, [])


@pytest.fixture
def said(policy: Policy) -> Callable[..., list[tuple[str, str]]]:
    """The level and the event of each line about a poll."""

    def _said(
        outcome: Outcome = LIST,
        before: tuple[Alert, ...] = (),
        after: tuple[Alert, ...] = (),
        ended: tuple[Alert, ...] = (),
        *,
        changed: bool = False,
        **more: Any,  # noqa: ANN401 - as `Polled` takes it
    ) -> list[tuple[str, str]]:
        retries = more.pop("retries", {})
        state = AccountState(alerts={alert.fingerprint: alert for alert in after})
        polled = Polled(
            policy,
            outcome,
            state,
            seconds=0.1,
            before={alert.fingerprint: alert for alert in before},
            ended=ended,
            **more,
        )
        with capture_logs() as lines:
            report(polled, retries, changed=changed)
        return [(line["log_level"], line["event"]) for line in lines]

    return _said


@pytest.mark.parametrize(
    ("before", "after", "ended", "line"),
    [
        ((), (FIRING,), (), ("info", "alert fires")),
        ((PENDING,), (FIRING,), (), ("info", "alert fires")),
        ((FIRING,), (FIRING,), (), None),
        ((), (PENDING,), (), None),
        ((FIRING,), (), (RESOLVED,), ("info", "alert resolves")),
        ((FIRING,), (), (replace(RESOLVED, quiet=True),), ("debug", "alert resolves")),
        ((PENDING,), (), (replace(RESOLVED, starts_at=None),), None),
        (
            (FIRING,),
            (replace(FIRING, starts_at=NOW + timedelta(hours=1)),),
            (),
            ("info", "alert fires"),
        ),
    ],
)
def test_a_line_for_each_change(
    said: Callable[..., list[tuple[str, str]]],
    before: tuple[Alert, ...],
    after: tuple[Alert, ...],
    ended: tuple[Alert, ...],
    line: tuple[str, str] | None,
) -> None:
    """An alert that fires or resolves is one line; one that goes on, or never fired, is none."""
    expected = [("debug", "poll"), *([line] if line else [])]

    assert expected == said(before=before, after=after, ended=ended)


def test_what_was_not_committed_is_said_when_it_is(
    said: Callable[..., list[tuple[str, str]]],
) -> None:
    """The next poll decides the same again: only one of them may say so."""
    lines = said(after=(FIRING,), store_error="the disk is full")

    assert ["poll", "poll not committed: alerts wait until the store can be written"] == [
        event for _, event in lines
    ]


def test_an_ordinary_poll_is_quiet(said: Callable[..., list[tuple[str, str]]]) -> None:
    """A line a minute that says nothing new hides those that do."""
    odd = build_snapshot("main", NOW, [], [Rejected("[0]", "no id")])
    failed = PollFailure("main", NOW, "unreachable", "no answer")

    assert [("debug", "poll")] == said()
    assert [("info", "poll")] == said(changed=True)
    assert [("debug", "poll")] == said(odd)
    assert [("warning", "poll"), ("warning", "vm cannot be read")] == said(odd, changed=True)
    assert [("warning", "poll failed")] == said(failed)


def test_retries_are_one_line(said: Callable[..., list[tuple[str, str]]]) -> None:
    """However many there were."""
    lines = said(retries={"server_error": 3, "unreachable": 1})

    assert [("debug", "poll"), ("warning", "requests were tried again")] == lines


async def test_retries_are_tallied() -> None:
    """Each at debug, and counted by its reason for the poll that they belong to."""
    hooks = get_on_retry_hooks()
    set_on_retry_hooks([note_retry])
    try:
        with capture_logs() as lines, tallied() as counts:
            attempts = 0
            async for attempt in stamina.retry_context(
                ServerError, attempts=3, wait_initial=0, wait_jitter=0
            ):
                with attempt:
                    attempts += 1
                    if attempts < 3:
                        raise ServerError("the API failed (500)")
    finally:
        set_on_retry_hooks(hooks)

    assert {"server_error": 2} == counts
    assert 2 * [("debug", "request is tried again", "server_error")] == [
        (line["log_level"], line["event"], line["reason"]) for line in lines
    ]

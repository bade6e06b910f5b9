"""Whatever a receiver takes, it gets no more, and the worst first."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fluence_watch.alerting.grouping import Message, compose
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.telling import Line, Reason
from fluence_watch.app.wiring import RANKS
from fluence_watch.model.finding import Fingerprint, Severity, VmRef
from fluence_watch.notify.markup import BodyFormat
from fluence_watch.notify.render import (
    Rendered,
    render,
    render_plainly,
    render_test,
)
from fluence_watch.rules.low_balance import LowBalance
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.rules.price_changed import PriceChanged

NOW = datetime(2026, 4, 16, 17, 17, tzinfo=UTC)

Words = Callable[[Message, BodyFormat, int], Rendered]

WORDS: dict[str, Words] = {
    "whole": lambda message, fmt, longest: render(message, fmt, NOW, longest),
    "plain": render_plainly,
}


def alert(rule: str, facts: object, subject: str = "") -> Alert:
    where = Fingerprint("main", rule, subject)
    return Alert(where, Severity.CRITICAL, State.FIRING, facts, NOW, NOW)


def message(low: int, events: int, failing: int, name: str = "web](", missed: int = 0) -> Message:
    """So many alerts of each kind in one message."""
    vms = [VmRef(f"0x311edb{number:034x}", f"{name}-{number}", "FR-PAR-1") for number in range(99)]
    later = NOW + timedelta(minutes=42)
    alerts = [
        *(
            alert("low_balance", LowBalance(vm, 298_160, 0, 298_160, later, later), vm.id)
            for vm in vms[:low]
        ),
        *(
            alert("price_changed", PriceChanged(vm, 1, 2, 1, None, None), vm.id)
            for vm in vms[:events]
        ),
        *[alert("poll_failing", PollFailing("server_error", "x" * 900))] * failing,
    ]
    over = [
        replace(alert("low_balance", LowBalance(vm, 1, 0, 1, later, later), vm.id), ends_at=later)
        for vm in vms[:missed]
    ]
    lines = [Line(each, Reason.FIRST, NOW) for each in alerts]
    lines += [Line(each, Reason.MISSED, NOW) for each in over]
    return compose("ops", "main", lines, RANKS)


@settings(deadline=None)  # the first of a format loads its templates
@given(
    st.integers(0, 30),
    st.integers(0, 60),
    st.integers(0, 40),
    st.text(max_size=40),
    st.integers(40, 800),
    st.sampled_from(BodyFormat),
    st.sampled_from([*WORDS]),
)
@example(30, 60, 40, "](" * 20, 100, BodyFormat.MARKDOWN, "whole")
@example(30, 60, 40, "](" * 20, 100, BodyFormat.MAIL, "plain")
@example(1, 0, 0, "web", 160, BodyFormat.TEXT, "whole")
@example(0, 0, 40, "web", 160, BodyFormat.TEXT, "whole")
def test_no_message_is_longer_than_a_receiver_takes(
    low: int, events: int, missed: int, name: str, longest: int, fmt: BodyFormat, words: str
) -> None:
    """Title and body with the seam between them, and never without a body."""
    rendered = WORDS[words](message(low, events, 1, name, missed), fmt, longest)
    assert len(rendered.title) + 16 + len(rendered.body) <= longest
    assert rendered.title
    assert rendered.body


@pytest.mark.parametrize("longest", range(100, 701, 20))
@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("missed", [0, 30])
def test_what_is_left_out_is_counted(longest: int, words: str, missed: int) -> None:
    """Those that are named and those that are counted are all."""
    made = message(0, 60 - missed, 1, name="vm", missed=missed)
    body = WORDS[words](made, BodyFormat.TEXT, longest).body
    named = len(re.findall(r"^ *- (?!and )", body, flags=re.MULTILINE))
    counted = re.search(r"(\d+) (?:alerts|more)", body)
    assert counted
    assert 61 == named + int(counted[1])


def test_of_one_alert_the_title_says_it() -> None:
    """In a text message of 160 characters nothing of a body of 900 fits but the count."""
    rendered = render(message(1, 0, 0, name="db"), BodyFormat.TEXT, NOW, longest=160)
    assert rendered.title.startswith("CRITICAL db-0")
    assert "1 alert: 1 × low_balance" == " ".join(rendered.body.split())  # noqa: RUF001 - as it is shown


@pytest.mark.parametrize("fmt", BodyFormat)
def test_the_test_message_fits_too(fmt: BodyFormat) -> None:
    """Also where a name is long."""
    for longest in range(40, 400, 20):
        rendered = render_test("x" * 200, fmt, NOW, longest)
        assert len(rendered.title) + 16 + len(rendered.body) <= longest
        assert rendered.body

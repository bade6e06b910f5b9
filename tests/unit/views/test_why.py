"""The journal in plain words: the example of the manual, and the words of every reason."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fluence_watch.alerting.journal import FINAL, Details, Entry, What, WhyNot, WhyOver
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.matchers import parse_matchers
from fluence_watch.alerting.muting import Silence, Why
from fluence_watch.alerting.telling import Reason
from fluence_watch.cli.inspect.why_shown import alert_lines, vm_lines
from fluence_watch.model.finding import Fingerprint, Severity, VmRef
from fluence_watch.model.money import MicroUsdc
from fluence_watch.notify.render import brief
from fluence_watch.rules.low_balance import LowBalance
from fluence_watch.views.alert import alert_view
from fluence_watch.views.why import AlertWhy, VmWhy, answers, together
from fluence_watch.views.why_answers import summaries
from fluence_watch.views.why_words import Words

NOW = datetime(2026, 4, 16, 18, 0, tzinfo=UTC)
PAGE = Path(__file__).parents[3] / "docs" / "why.md"


def at(hour: int, minute: int = 0) -> datetime:
    return NOW.replace(hour=hour, minute=minute)


FACTS = LowBalance(
    VmRef("0x1E2Feb", "db-2"), MicroUsdc(298_160), MicroUsdc(100_000), MicroUsdc(298_160),
    at(20), at(20),
)  # fmt: skip
ALERT = Alert(
    Fingerprint("main", "low_balance", "0x1e2feb"), Severity.CRITICAL, State.RESOLVED, FACTS,
    active_at=at(12, 1), starts_at=at(12, 31), ends_at=at(17),
)  # fmt: skip
SILENCE = Silence("ab12cd34", parse_matchers("vm=db-2"), at(12), at(17, 30), "disk is moved", "ann")


def entry(when: datetime, what: What, receiver: str | None = None, **details: object) -> Entry:
    return Entry(when, what, *ALERT.episode, receiver, Details(**details))  # type: ignore[arg-type] # as each test says


OWN = [
    entry(
        at(12, 31), What.FIRING, severity=Severity.CRITICAL, facts=FACTS,
        settings={"min_epochs": "1", "for": "30m"},
    ),
    entry(at(12, 31), What.REFUSED, "ops", reason="first", text="answered 503"),
    entry(at(12, 31), What.SKIPPED, "mail", reason="match", by='datacenter="FR-PAR-1"'),
    entry(at(12, 31), What.WAITS, "pager", reason="silenced", by=SILENCE.id, text=SILENCE.comment, until=at(17, 30)),
    entry(at(12, 33), What.SENT, "ops", reason="first", number=4),
    entry(at(17), What.RESOLVED, reason="over"),
    entry(at(17), What.SENT, "ops", reason="resolved", number=1),
    entry(at(17), What.NEVER, "pager", reason="silenced", by=SILENCE.id, text=SILENCE.comment),
]  # fmt: skip
BESIDE = [
    Entry(at(11), What.FAILING, receiver="ops"),
    Entry(at(12, 33), What.WORKS, receiver="ops", details=Details(since=at(12, 31), number=4)),
    Entry(at(14), What.POLL_FAILED, Fingerprint("main", ""), details=Details("timeout", text="no answer")),
    Entry(at(14, 7), What.POLLED, Fingerprint("main", ""), details=Details("timeout", since=at(14))),
    Entry(at(15), What.FAILING, receiver="another"),
]  # fmt: skip
WORDS = Words(
    NOW,
    brief,
    {SILENCE.id: SILENCE},
    {"0xab": VmRef("0xAB", "web-1")},
)


def test_the_example_of_the_manual() -> None:
    """What the page shows is what the command prints."""
    steps = WORDS.steps(together(ALERT, OWN, BESIDE), ALERT)
    told = AlertWhy(alert_view(ALERT, NOW, brief), steps, summaries(answers(OWN).values(), WORDS))
    assert "\n".join(alert_lines(told, NOW)) in PAGE.read_text(encoding="utf-8")


def test_a_vm() -> None:
    """What is over, and nobody was notified of, is one line each, unless all is wanted."""
    told = AlertWhy(alert_view(ALERT, NOW, brief), WORDS.steps(OWN, ALERT), summaries(answers(OWN).values(), WORDS))  # fmt: skip
    never = summaries(answers(OWN[2:3] + OWN[7:]).values(), WORDS)
    nobody = replace(told, receivers=never)
    fires = replace(nobody, alert=replace(told.alert, state=State.FIRING, ended_at=None))
    assert [False, True, False] == [each.reached_nobody for each in (told, nobody, fires)]

    vm = VmWhy("main", "0x1E2Feb", "db-2", [fires, nobody, nobody, told], 1, [], [])
    short = "over 17:00 UTC, 1 h ago, and nobody was notified: reserve 0.100000 of 0.298160 USDC, funded until 20:00 UTC, in 3 h"
    assert [
        *alert_lines(fires, NOW), "",
        *2 * [f"{told.alert.heading}: {short}"], "why nobody was notified: fluence-watch why ID, or --all", "",
        *alert_lines(told, NOW), "",
        "1 more alert is left out: --all", "",
    ] == [*vm_lines(vm, NOW, whole=False)]  # fmt: skip
    whole = [line for each in vm.alerts for line in [*alert_lines(each, NOW), ""]]
    assert whole == [*vm_lines(vm, NOW, whole=True)][: len(whole)]


REASONS = {
    What.DUE: [*Reason],
    What.SENT: [*Reason],
    What.REFUSED: [*Reason],
    What.GIVEN_UP: [*Reason],
    What.SKIPPED: [WhyNot.MIN_SEVERITY, WhyNot.RULES, WhyNot.ACCOUNTS, WhyNot.MATCH, WhyNot.ABOUT_ITSELF],
    What.WAITS: [*Why, WhyNot.GROUPING, WhyNot.ESCALATE_AFTER],
    What.NEVER: [
        *Why, WhyNot.SEND_RESOLVED, WhyNot.QUIET, WhyNot.ADDED_LATER, WhyNot.GIVE_UP_AFTER,
        WhyNot.ESCALATE_AFTER, WhyNot.SUPERSEDED,
    ],
}  # fmt: skip


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize(
    ("what", "reason"), [(what, each) for what, reasons in REASONS.items() for each in reasons]
)
def test_every_reason_has_words(what: What, reason: str, *, first: bool) -> None:
    """As a step and as an answer, and nothing of a form shows. Names are data."""
    last = entry(at(13), what, "ops\x1b", reason=reason, by="\u202eby", text="te\nxt", until=at(19))
    known = [entry(at(12, 31), What.SENT, "ops\x1b", reason="first")] if first else []
    (summary,) = summaries(answers([*known, last]).values(), WORDS)
    for words in (WORDS.step(last).words, summary.words):
        assert words.startswith("ops: ")
        assert words.isprintable()
        assert "{" not in words
    assert (what in FINAL) is (what in {What.SENT, What.SKIPPED, What.NEVER, What.GIVEN_UP})


SEEN = "reserve 0.100000 of 0.298160 USDC, funded until 20:00 UTC, in 7 h"
DROPPED = "low_balance was seen for 1 h and did not fire, it was over before its `for`"
SAID: dict[What, tuple[dict[str, object], str]] = {
    What.FIRING: (
        {"severity": Severity.INFO, "facts": FACTS, "settings": {"for": "1h"}},
        f"fires (info): {SEEN}; settings: for = 1h; pending for 59 min",
    ),
    What.CHANGED: ({"severity": Severity.CRITICAL, "facts": FACTS}, f"is critical now: {SEEN}"),
    What.RESOLVED: ({"reason": "over"}, "is over; it fired for 29 min"),
    What.GONE: ({"reason": "gone"}, "over without a message: what it is about is gone"),
    What.DROPPED: (
        {"reason": "over", "since": at(12), "facts": FACTS, "number": 3, "first_at": at(9)},
        f"{DROPPED}: {SEEN}; the latest of 3 times since 09:00 UTC",
    ),
    What.MUTED: ({"by": "main topup_failed 0x1e2feb"}, "low_balance is muted: topup_failed says more"),
    What.UNMUTED: ({}, "low_balance is not muted any more"),
    What.ACKNOWLEDGED: (
        {"by": "ann", "text": "on it", "until": at(19)},
        "acknowledged by ann until 19:00 UTC: on it",
    ),
    What.UNACKNOWLEDGED: ({}, "not acknowledged any more"),
    What.POLL_FAILED: (
        {"reason": "timeout", "text": "no answer"},
        "polls fail (timeout), so nothing is judged: no answer",
    ),
    What.POLLED: ({"since": at(12)}, "polls succeed again, after 1 h"),
    What.INCOMPLETE: (
        {"text": "page 2 is missing"},
        "the list of VMs is not complete, so nobody is missing: page 2 is missing",
    ),
    What.COMPLETE: ({}, "the list of VMs is complete again"),
    What.GUARDED: (
        {"number": 9, "among": 10, "until": at(19)},
        "9 of 10 VMs left the list at once: the list is not trusted until 19:00 UTC (in 1 h)",
    ),
    What.UNGUARDED: ({}, "the list is trusted again"),
    What.UNREADABLE: ({}, "the VM cannot be read"),
    What.READABLE: ({}, "VMs can be read again"),
    What.DUE: ({"reason": "first"}, "due: it fires"),
    What.WAITS: (
        {"reason": "inhibited", "by": "main port_drift 0xab opened:7070/tcp", "until": at(17)},
        "waits: muted by port_drift of web-1 (0xAB), until 17:00 UTC",
    ),
    What.SKIPPED: ({"reason": "match", "by": 'vm="db"'}, 'not notified: its route takes vm="db" only'),
    What.SENT: ({"reason": "escalated", "by": "ops", "number": 2}, "notified: escalated from ops, at attempt 2"),
    What.REFUSED: ({"reason": "first", "text": "HTTP 503"}, "refused, retrying: HTTP 503"),
    What.GIVEN_UP: ({"reason": "first", "text": "HTTP 400"}, "refused for good: HTTP 400"),
    What.NEVER: (
        {"reason": "silenced", "by": "ab12cd34", "text": "disk is moved"},
        "not notified: silenced by ab12cd34 “disk is moved” by ann until it was over",
    ),
    What.FAILING: ({"text": "HTTP 503"}, "accepts nothing: HTTP 503"),
    What.WORKS: ({"since": at(12), "number": 4}, "accepts again, after 1 h, at attempt 4"),
}  # fmt: skip


def test_every_entry_has_words() -> None:
    """What a rule saw is told in the words of that time."""
    found = {what: WORDS.step(entry(at(13), what, **SAID[what][0]), ALERT).words for what in What}
    found[What.RESOLVED] = WORDS.step(entry(at(13), What.RESOLVED, reason="over"), ALERT).words
    assert {what: words for what, (_, words) in SAID.items()} == found


@pytest.mark.parametrize(
    ("what", "details", "since", "times"),
    [
        (What.FIRING, {"severity": Severity.INFO, "facts": FACTS}, None, 1),
        (What.SENT, {"reason": "first", "since": at(12)}, at(12), 1),
        (What.POLLED, {"since": at(12)}, at(12), 1),
        (What.WORKS, {"since": at(12), "number": 4}, at(12), 1),
        (What.GUARDED, {"since": at(12), "number": 9, "among": 10}, at(12), 1),
        (What.DROPPED, {"reason": "over", "since": at(12), "facts": FACTS}, at(12), 1),
        (
            What.DROPPED,
            {"reason": "over", "since": at(12), "facts": FACTS, "number": 3, "first_at": at(9)},
            at(9),
            3,
        ),
    ],
)
def test_since_when(
    what: What, details: dict[str, object], since: datetime | None, times: int
) -> None:
    """What it tells of lasted since then; several are told as one since the first of them."""
    step = WORDS.step(entry(at(13), what, **details))
    assert (since, times, None) == (step.since, step.times, step.reasons)


@pytest.mark.parametrize("over", WhyOver)
def test_every_end_has_words(over: WhyOver) -> None:
    """Of what fired, and of what did not."""
    assert "did not fire, " in WORDS.step(entry(at(13), What.DROPPED, reason=over)).words
    if over is not WhyOver.STARTED_OVER:
        assert "over" in WORDS.step(entry(at(13), What.GONE, reason=over)).words


@pytest.mark.parametrize(
    ("last", "step", "answer"),
    [
        (
            entry(at(13), What.NEVER, "ops", reason="send_resolved"),
            "ops: no resolved message: send_resolved = false",
            "ops: notified 12:31 UTC, no resolved message: send_resolved = false",
        ),
        (
            entry(at(13), What.WAITS, "ops", reason="inactive", until=at(19)),
            "ops: update held back: outside its active times, until 19:00 UTC (in 1 h)",
            "ops: notified 12:31 UTC, update held back: outside its active times, until 19:00 UTC (in 1 h)",
        ),
        (
            entry(at(13), What.DUE, "ops", reason="worse"),
            "ops: update due: it is worse",
            "ops: notified 12:31 UTC, update due: it is worse",
        ),
        (
            entry(at(13), What.SENT, "ops", reason="repeat"),
            "ops: notified: repeated",
            "ops: notified 12:31 UTC, last repeated 13:00 UTC",
        ),
    ],
)  # fmt: skip
def test_a_step_and_the_answer_agree(last: Entry, step: str, answer: str) -> None:
    """Of a receiver that was notified before."""
    entries = [entry(at(12, 31), What.SENT, "ops", reason="first"), last]
    assert step == WORDS.steps(entries)[-1].words
    assert [step] == [each.words for each in WORDS.steps(entries, most=1)]
    assert [answer] == [each.words for each in summaries(answers(entries).values(), WORDS)]

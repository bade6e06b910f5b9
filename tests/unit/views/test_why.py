"""The journal in plain words: the example of the manual, and the words of every reason."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from fluence_watch.alerting.journal import FINAL, Details, Entry, What, WhyNot
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.matchers import parse_matchers
from fluence_watch.alerting.muting import Silence, Why
from fluence_watch.alerting.telling import Reason
from fluence_watch.cli.inspect.why import alert_lines
from fluence_watch.model.finding import Fingerprint, Severity, VmRef
from fluence_watch.model.money import MicroUsdc
from fluence_watch.notify.render import brief
from fluence_watch.rules.low_balance import LowBalance
from fluence_watch.views.alert import alert_view
from fluence_watch.views.why import AlertWhy, answers, together
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
WORDS = Words(NOW, brief, {SILENCE.id: SILENCE})


def test_the_example_of_the_manual() -> None:
    """What the page shows is what the command prints."""
    steps = [WORDS.step(each, ALERT) for each in together(ALERT, OWN, BESIDE)]
    told = AlertWhy(alert_view(ALERT, NOW, brief), steps, summaries(answers(OWN).values(), WORDS))
    assert "\n".join(alert_lines(told, NOW)) in PAGE.read_text(encoding="utf-8")


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


@pytest.mark.parametrize("what", What)
def test_every_entry_has_words(what: What) -> None:
    """Whatever is missing of its details, but for the reason of what was sent."""
    words = WORDS.step(entry(at(13), what, reason="first")).words
    assert words

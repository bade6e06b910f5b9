from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.alerting.lifecycle import State, Timing, advance
from fluence_watch.model.finding import WATCHER, Absence, Fingerprint, Severity
from fluence_watch.model.silenced import Hidden, Silenced
from fluence_watch.rules import RULES, evaluate
from fluence_watch.rules.base import RuleSettings
from fluence_watch.rules.silence_ending import NAME, SilenceEnding
from fluence_watch.rules.situation import Situation

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
DEBT = Hidden("main", "debt")
THIS = Fingerprint(WATCHER, NAME, "silence:5115")


def settings(**changes: object) -> dict[str, RuleSettings]:
    given = {NAME: changes}
    return {rule.name: rule.settings.model_validate(given.get(rule.name, {})) for rule in RULES}


def silence(left: timedelta, lasts: timedelta, *alerts: Hidden) -> Silenced:
    ends = NOW + left
    return Silenced("5115", 'rule="debt"', ends - lasts, ends, "why", "ann", alerts)


def seen(silences: Sequence[Silenced] | None, now: datetime = NOW) -> Situation:
    return Situation(WATCHER, now, {}, {}, since={THIS: NOW}, silences=silences)


@pytest.mark.parametrize(
    ("left", "lasts", "alerts", "found"),
    [
        (24 * HOUR, 48 * HOUR, (DEBT,), [THIS]),
        (24 * HOUR + SECOND, 48 * HOUR, (DEBT,), []),
        (SECOND, 48 * HOUR, (DEBT,), [THIS]),
        (HOUR, 24 * HOUR + SECOND, (DEBT,), [THIS]),
        (HOUR, 24 * HOUR, (DEBT,), []),
        (HOUR, 2 * HOUR, (DEBT,), []),
        (HOUR, 48 * HOUR, (), []),
    ],
)
def test_which_silences_are_told(
    left: timedelta, lasts: timedelta, alerts: tuple[Hidden, ...], found: list[Fingerprint]
) -> None:
    """A long one that ends soon and hides something critical."""
    verdict = evaluate(seen([silence(left, lasts, *alerts)]), settings())
    assert found == list(verdict.findings)


def test_its_facts() -> None:
    """The first twenty alerts, and their number; relevant until the silence ends."""
    verdict = evaluate(seen([silence(HOUR, 48 * HOUR, *[DEBT] * 25)]), settings(severity="info"))
    (finding,) = verdict.findings.values()
    ends = NOW + HOUR
    facts = SilenceEnding("5115", 'rule="debt"', "why", "ann", ends, (DEBT,) * 20, 25)
    assert (facts, ends, Severity.INFO) == (
        finding.facts, finding.relevant_until, finding.severity
    )  # fmt: skip


@pytest.mark.parametrize(
    ("silences", "absence"),
    [(None, Absence.UNKNOWN), ([], Absence.GONE), ([silence(HOUR, 48 * HOUR)], Absence.OVER)],
)
def test_what_is_not_found(silences: Sequence[Silenced] | None, absence: Absence) -> None:
    """Unknown before silences are read, gone with the silence."""
    assert absence is evaluate(seen(silences), settings()).absence(THIS)


def test_another_lead_time() -> None:
    """It is also what counts as long."""
    found = evaluate(seen([silence(HOUR, 4 * HOUR, DEBT)]), settings(lead_time="3h"))
    assert {THIS} == found.findings.keys()


def test_it_is_told_once() -> None:
    """What it hides may come and go; it fires until the silence ends, and then ends quietly."""
    timings, alerts = {NAME: Timing(sends_resolved=False)}, {}
    for minute, hidden in enumerate([(DEBT,), (), (DEBT, DEBT), ()]):
        now = NOW + timedelta(minutes=minute)
        verdict = evaluate(seen([silence(HOUR, 48 * HOUR, *hidden)], now), settings())
        alerts, ended = advance(alerts, verdict, timings, now, NOW)
        assert [] == ended
        assert [(State.FIRING, NOW)] == [(a.state, a.active_at) for a in alerts.values()]
    _, ended = advance(alerts, evaluate(seen([]), settings()), timings, NOW + HOUR, NOW)
    assert [True] == [alert.quiet for alert in ended]

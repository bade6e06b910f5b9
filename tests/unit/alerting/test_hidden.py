"""The critical alerts that speak when a silence ends."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.alerting.hidden import silenced
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.matchers import parse_matchers
from fluence_watch.alerting.muting import Mutes, Silence
from fluence_watch.model.finding import WATCHER, Fingerprint, Severity, VmRef
from fluence_watch.model.silenced import Hidden
from fluence_watch.rules.vm_status import VmStatus

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
VM = VmRef("0xA1", "web")


def alert(rule: str = "low_balance", account: str = "main", **changes: object) -> Alert:
    facts = VmStatus(VM, None, "ACTIVE", None)  # type: ignore[arg-type] # a status is not needed
    made = Alert(
        Fingerprint(account, rule, "0xa1"), Severity.CRITICAL, State.FIRING, facts, NOW, NOW
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def silence(text: str, hours: float, name: str = "5115") -> Silence:
    return Silence(name, parse_matchers(text), NOW - HOUR, NOW + hours * HOUR, "why", "ann")


def hidden(*alerts: Alert, silences: tuple[Silence, ...]) -> dict[str, tuple[Hidden, ...]]:
    return {each.id: each.alerts for each in silenced(Mutes(silences), alerts, NOW)}


def test_what_a_silence_hides() -> None:
    """Of any account, each with its VM, in order; the silence is as it is written."""
    mutes = Mutes((silence("rule=~low_balance|debt", 2),))
    alerts = [alert(account="second"), alert("debt", facts=None), alert("runway")]
    (found,) = silenced(mutes, alerts, NOW)
    assert (Hidden("main", "debt"), Hidden("second", "low_balance", VM)) == found.alerts
    assert ('rule=~"low_balance|debt"', "why", "ann") == (
        found.matchers, found.comment, found.author
    )  # fmt: skip
    assert 3 * HOUR == found.lasts


@pytest.mark.parametrize(
    "changes",
    [
        {"severity": Severity.WARNING},
        {"state": State.PENDING, "starts_at": None},
        {"relevant_until": NOW + HOUR},
    ],
)
def test_what_does_not_speak(changes: dict[str, object]) -> None:
    """What is not critical, does not fire, or is over by then."""
    assert {"5115": ()} == hidden(alert(**changes), silences=(silence("vm=web", 2),))


def test_several_silences() -> None:
    """The last to end counts."""
    silences = silence("vm=web", 2), silence("vm=web", 3, "late")
    found = hidden(alert(), silences=silences)
    assert {"5115": (), "late": (Hidden("main", "low_balance", VM),)} == found


def test_what_another_alert_mutes() -> None:
    """It does not speak when the silence ends."""
    found = hidden(alert(), alert("vm_vanished"), silences=(silence("rule=low_balance", 2),))
    assert {"5115": ()} == found


def test_silences_that_are_not_in_force() -> None:
    """They hide nothing."""
    later = replace(silence("vm=web", 2), starts_at=NOW + HOUR)
    assert {} == hidden(alert(), silences=(later, silence("vm=web", 0, "over")))


def test_a_silence_does_not_mute_what_is_told_of_it() -> None:
    """Even if it matches everything; another one does."""
    of_it = replace(alert(), fingerprint=Fingerprint(WATCHER, "silence_ending", "silence:5115"))
    muted = Mutes((silence('rule!=""', 2),)).among([of_it])
    assert muted(of_it, NOW) is None
    other = Mutes((silence('rule!=""', 2, "other"),)).among([of_it])
    assert other(of_it, NOW) is not None

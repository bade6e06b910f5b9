"""Signed links: only what was signed is carried out, and only in time."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.alerting.links import (
    LASTS,
    Action,
    LinkError,
    Order,
    order,
    read_token,
    state_of,
    token,
)
from fluence_watch.alerting.matching import GIVE_UP_AFTER
from fluence_watch.model.finding import Severity

NOW = datetime(2026, 4, 16, 17, 17, 3, 5, tzinfo=UTC)
SECRET = "0123456789abcdef" * 2
ID = "00c0ffee00c0ffee"
PORTS = ("22/tcp", "443/tcp")
SECOND = timedelta(seconds=1)


def made(action: Action, now: datetime = NOW, ports: Iterable[str] = PORTS) -> Order:
    return order(action, ID, now, state_of(action, Severity.WARNING, 0, ports))


actions = st.sampled_from(Action)
texts = st.text(min_size=1, max_size=40)


@given(actions, texts, texts, st.lists(texts), st.integers(-(10**9), 10**10))
def test_what_is_signed_is_read(
    action: Action, alert_id: str, secret: str, ports: list[str], seconds: int
) -> None:
    """Whatever the alert, the ports and the time, until the link expires, and not after that."""
    now = NOW + timedelta(seconds=seconds)
    wanted = order(action, alert_id, now, state_of(action, Severity.INFO, 1, ports))
    given_token = token(wanted, secret)

    assert wanted == read_token(action, alert_id, given_token, secret, now)
    assert wanted == read_token(action, alert_id, given_token, secret, now + LASTS - SECOND)
    assert now - SECOND < wanted.signed_at <= now
    for later in (now + LASTS, now + 10 * LASTS):
        with pytest.raises(LinkError, match="expired"):
            read_token(action, alert_id, given_token, secret, later)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("changed", ["action", "alert", "secret", "no secret"])
def test_a_link_is_of_one_action_and_alert(action: Action, changed: str) -> None:
    """It cannot be used for another, and not with another secret or without one."""
    given_token = token(made(action), SECRET)
    other = next(each for each in Action if each is not action)
    asked_action = other if changed == "action" else action
    alert_id = "00c0ffee00c0ffef" if changed == "alert" else ID
    secret = {"secret": SECRET[::-1], "no secret": ""}.get(changed, SECRET)

    with pytest.raises(LinkError, match="not valid"):
        read_token(asked_action, alert_id, given_token, secret, NOW)


@given(actions, st.data())
def test_no_character_can_be_changed(action: Action, data: st.DataObject) -> None:
    """One that is changed, left out or added spoils the link: time, ports and signature."""
    given_token = token(made(action), SECRET)
    at = data.draw(st.integers(0, len(given_token) - 1))
    put = data.draw(st.text(alphabet="0123456789abcdef-ABCDEF_ \n\u0661\ud800", max_size=2))
    forged = given_token[:at] + put + given_token[at + data.draw(st.integers(0, 1)) :]
    if forged != given_token:
        with pytest.raises(LinkError, match="not valid"):
            read_token(action, ID, forged, SECRET, NOW)


@given(texts, texts, texts)
def test_anything_else_is_no_link(action: str, alert_id: str, given_token: str) -> None:
    """Whatever is asked, the answer is words."""
    with pytest.raises(LinkError, match="not valid"):
        read_token(action, alert_id, given_token, SECRET, NOW)


def test_ports_are_signed_exactly() -> None:
    """Other ports, or the same in another number, are another link."""
    tokens = {
        token(made(Action.ACCEPT_PORTS, ports=ports), SECRET)
        for ports in ((), PORTS, PORTS[::-1], ("22/tcp",), ("22/tcp443/tcp",))
    }

    assert 5 == len(tokens)


def test_silences_are_kept_as_long_as_links_last() -> None:
    """One that is forgotten earlier could be made again by the same link."""
    assert LASTS <= GIVE_UP_AFTER


def test_what_an_acknowledgement_is_of() -> None:
    """How bad the alert is; a silence is of whatever comes."""
    states = {state_of(Action.ACK, severity, step, ()) for severity in Severity for step in (0, 1)}

    assert 2 * len(Severity) == len(states)
    assert state_of(Action.SNOOZE, Severity.CRITICAL, 1, PORTS) == ""

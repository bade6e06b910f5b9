from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fluence_watch.alerting.active import ActiveTimes, parse_windows
from fluence_watch.alerting.escalation import Escalation
from fluence_watch.alerting.lifecycle import Timing
from fluence_watch.alerting.matching import Route
from fluence_watch.app.wiring import RANKS, Setup, connect, delivery, prepare
from fluence_watch.errors import ApiError, ConfigError, Problem
from fluence_watch.fluence import ClientConfig
from fluence_watch.metrics.own import OwnMetrics
from fluence_watch.model.finding import Severity
from fluence_watch.model.ports import SSH
from fluence_watch.rules import RULES
from fluence_watch.rules.situation import Expectation
from fluence_watch.settings import WatchSettings, load_settings
from fluence_watch.store import Store

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

Planned = Callable[..., Setup]


def test_every_setting_arrives_where_it_counts(planned: Planned) -> None:
    """An account's policy and its client say what the settings say."""
    made = planned(
        poll={"timeout": "7s", "max_body_mb": 3},
        accounts=[
            {
                "name": "prod",
                "api_key": "k",
                "auth": "bearer",
                "base_url": "https://h/api/",
                "epoch": "5m",
            }
        ],
        receivers=[
            {
                "name": "pager",
                "url": "json://localhost",
                "min_severity": "critical",
                "rules": ["low_*"],
                "accounts": ["prod"],
                "send_resolved": False,
                "repeat_interval": "4h",
                "group_wait": "1m",
                "group_interval": "5m",
                "active": ["Mon-Fri 08:00-18:00, Sat 10:00-14:00", "22:00-23:00"],
                "timezone": "Europe/Paris",
                "critical_at_once": False,
            }
        ],
        delivery={"give_up_after": "1d"},
        expect=[{"vm": "web-*", "ports": ["22/tcp"], "account": "prod"}],
    )
    policy = made.policies["prod"]

    assert {
        "prod": ClientConfig("k", "https://h/api", "v2", "bearer", 7.0, 3 * 2**20)
    } == made.clients
    assert [Expectation("web-*", (SSH,), "prod")] == list(policy.expectations)
    assert ("prod", 5 * MINUTE) == (policy.account, policy.epoch)
    assert {
        "pager": Route(
            "pager",
            Severity.CRITICAL,
            ("low_*",),
            ("prod",),
            send_resolved=False,
            repeat_interval=4 * HOUR,
            group_wait=MINUTE,
            group_interval=5 * MINUTE,
            give_up_after=24 * HOUR,
            active=ActiveTimes(
                parse_windows("Mon-Fri 08:00-18:00,Sat 10:00-14:00,22:00-23:00"), "Europe/Paris"
            ),
            critical_at_once=False,
        )
    } == made.routes
    assert ["pager"] == [receiver.name for receiver in made.receivers.values()]


def test_who_escalates_to_whom(planned: Planned) -> None:
    """Each receiver knows those before it, and theirs."""
    steps = [("ops", "30m", "pager"), ("night", "1h", "pager"), ("pager", "2h", "boss")]
    receivers = [
        {"name": name, "url": "json://h", "escalate_after": after, "escalate_to": to}
        for name, after, to in steps
    ]
    made = planned(receivers=[*receivers, {"name": "boss", "url": "json://h"}])
    before = (
        Escalation(made.routes["ops"], HOUR / 2),
        Escalation(made.routes["night"], HOUR),
    )
    boss = (Escalation(made.routes["pager"], 2 * HOUR, before),)
    assert {"ops": (), "night": (), "pager": before, "boss": boss} == made.escalations


def test_every_rule_has_its_settings_and_its_timing(planned: Planned) -> None:
    """`for` and `keep_firing_for` are the rule's own; whether its end is news is the rule's nature."""
    rules = {
        "port_drift": {"for": "3m", "keep_firing_for": "9m"},
        "billing_due": {"enabled": False},
    }
    policy = planned(rules=rules).policies["main"]

    assert [rule.name for rule in RULES] == list(policy.timings)
    assert Timing(3 * MINUTE, 9 * MINUTE) == policy.timings["port_drift"]
    assert Timing(30 * MINUTE) == policy.timings["low_balance"]
    assert Timing(sends_resolved=False) == policy.timings["billing_due"]
    assert not policy.rules["billing_due"].enabled


@pytest.mark.parametrize(("interval", "tolerance"), [("1m", HOUR), ("20m", HOUR), ("2h", 6 * HOUR)])
def test_slow_polling_is_no_outage(planned: Planned, interval: str, tolerance: timedelta) -> None:
    """What is pending must survive the time between two polls, however long that is."""
    policy = planned(poll={"interval": interval}).policies["main"]
    assert {tolerance} == {timing.outage_tolerance for timing in policy.timings.values()}


def test_all_that_cannot_be_made_is_told(
    settings: Callable[..., WatchSettings], tmp_path: Path
) -> None:
    """What only shows when the parts are made is told at once too, and shows no secret."""
    url_file = tmp_path / "url"
    url_file.write_text("json://localhost", encoding="utf-8")
    loaded = settings(
        accounts=[{"name": "a", "api_key": "two words"}, {"name": "b", "api_key": "schlüssel"}],
        receivers=[{"name": "ops", "url_file": str(url_file)}],
    )
    url_file.unlink()
    with pytest.raises(ConfigError) as caught:
        prepare(loaded)

    unfit = (
        "the API key is empty or has a blank, a control or a non-ASCII character: it cannot be "
        "sent in an HTTP header"
    )
    gone = f"cannot read the secret file {url_file}: No such file or directory"
    assert (
        Problem("accounts[0]", unfit),
        Problem("accounts[1]", unfit),
        Problem("receivers[0]", gone),
    ) == caught.value.problems


def test_what_cannot_be_made_has_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line of the file, or the variable."""
    file = tmp_path / "config.toml"
    file.write_text(
        'accounts = [{ api_key = "k" }]\n[templates]\ndir = "nowhere"\n', encoding="utf-8"
    )
    what = "templates.dir: cannot read the folder"
    with pytest.raises(ConfigError) as caught:
        prepare(load_settings(file))
    assert [f"{file}:3: {what} nowhere: No such file or directory"] == [
        str(each) for each in caught.value.problems
    ]

    monkeypatch.setenv("FLUENCE_WATCH_TEMPLATES__DIR", "elsewhere")
    with pytest.raises(ConfigError) as caught:
        prepare(load_settings(file))
    variable = "environment, FLUENCE_WATCH_TEMPLATES__DIR"
    assert [f"{variable}: {what} elsewhere: No such file or directory"] == [
        str(each) for each in caught.value.problems
    ]


async def test_requests_are_counted_where_there_are_metrics() -> None:
    """A client of the daemon counts each try; one of a command counts nothing."""
    own = OwnMetrics("1")
    config = ClientConfig("k", "http://127.0.0.1:1", timeout=0.2)
    for metrics in (own, None):
        async with connect("main", config, lambda: NOW, metrics) as client:
            with pytest.raises(ApiError):
                await client.list_vms()

    failures = own.registry.get_sample_value(
        "fluence_api_request_failures_total",
        {"account": "main", "endpoint": "list_vms", "reason": "unreachable"},
    )
    tries = own.registry.get_sample_value(
        "fluence_api_requests_total", {"account": "main", "endpoint": "list_vms"}
    )
    assert failures == tries
    assert tries


def test_the_way_to_a_receiver(planned: Planned, store: Store) -> None:
    """It knows the receiver, the store, who counts, the clock and how alerts are ordered."""
    made = planned()
    own = OwnMetrics("1")
    way = delivery(made.receivers["ops"], store, own, lambda: NOW)

    assert (made.receivers["ops"], store, own) == (way.channel, way.store, way.observer)
    assert (NOW, RANKS) == (way.now(), way.ranks)
    assert 0 <= way.jitter() < 1


def test_the_key_is_not_shown(planned: Planned) -> None:
    """A setup may be logged."""
    made = planned(accounts=[{"api_key": "S3cr3tK3y"}])
    assert "S3cr3tK3y" not in repr(made)

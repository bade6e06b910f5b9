from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.matchers import parse_matchers
from fluence_watch.alerting.muting import Acknowledgement, Mutes, Silence
from fluence_watch.alerting.state import AccountState
from fluence_watch.app.board import Board
from fluence_watch.app.decide import Policy, decide
from fluence_watch.app.polled import Polled
from fluence_watch.model.finding import WATCHER, Fingerprint, Severity
from fluence_watch.model.known import KnownVm
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import SSH, port
from fluence_watch.model.snapshot import Outcome, PollFailure, Rejected, build_snapshot
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.delivery_failing import DeliveryFailing
from fluence_watch.web.page import render_status
from fluence_watch.web.reports import ReceiverReport

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WEB = Vm(
    "0xA1", "web", Status.ACTIVE, "ACTIVE", MicroUsdc(298_160), MicroUsdc(900_000), ports=(SSH,)
)
DB = replace(WEB, id="0xB2", name="db")
FAILED = PollFailure("main", NOW, "server_error", "the API failed (503)")


@pytest.fixture
def board() -> Board:
    made = Board(lambda: NOW + MINUTE)
    made.expect({"main"})
    return made


@pytest.fixture
def polled(policy: Policy) -> Callable[..., Polled]:
    """What a poll of an account with such an outcome comes to."""

    def make(
        outcome: Outcome,
        before: AccountState | None = None,
        account: str = "main",
        store_error: str | None = None,
        month_to_date: MicroUsdc | None = None,
        charged: Mapping[str, MicroUsdc] | None = None,
    ) -> Polled:
        own = replace(policy, account=account)
        after = decide(before or AccountState(), outcome, own).after
        return Polled(
            own,
            outcome,
            after,
            seconds=0.25,
            store_error=store_error,
            month_to_date=month_to_date,
            charged=charged,
        )

    return make


def listed(*vms: Vm, rejected: tuple[Rejected, ...] = ()) -> Outcome:
    return build_snapshot("main", NOW, vms, rejected)


def samples(board: Board) -> dict[tuple[str, ...], float]:
    """What a scrape gives: the name and the values of the labels that tell series apart."""
    text = board.exposition.scrape().body.decode()
    told = ("account", "vm_name", "rule", "state", "direction", "status", "le")
    return {
        (
            sample.name,
            *(sample.labels[name] for name in told if name in sample.labels),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_good_poll_is_shown(board: Board, polled: Callable[..., Polled]) -> None:
    """Its VMs, its time, its own duration, and that the store was there."""
    board.publish(polled(listed(WEB, DB)))
    shown = samples(board)

    assert 1 == shown["fluence_up", "main"]
    assert 2 == shown["fluence_vms", "main", "active"]
    assert 0.29816 == shown["fluence_vm_price_per_epoch_usdc", "main", "web"]
    assert NOW.timestamp() == shown["fluence_last_successful_poll_timestamp_seconds", "main"]
    assert 1 == shown["fluence_poll_duration_seconds_count", "main"]
    assert 1 == shown["fluence_watch_store_up",]
    assert [] == board.unready()


def test_a_month(board: Board, polled: Callable[..., Polled]) -> None:
    """Fifteen charges are left in it; what is not known in full is not foretold."""
    web = replace(WEB, next_billing_at=NOW + MINUTE)
    name = "fluence_account_month_to_date_usdc", "main"
    ahead = "fluence_account_month_forecast_usdc", "main"
    spent = MicroUsdc(2_000_000)
    board.publish(polled(listed(web), month_to_date=spent))
    assert (2, 6.4724) == (samples(board)[name], samples(board)[ahead])

    for unknown in (
        listed(replace(web, price=None)),
        listed(web, rejected=(Rejected("data[0]", "no id"),)),
        replace(FAILED, taken_at=NOW + MINUTE),
    ):
        board.publish(polled(unknown, month_to_date=spent))
        assert 2 == samples(board)[name]
        assert ahead not in samples(board)
    board.publish(polled(listed(web)))
    assert not {name, ahead} & samples(board).keys()


def test_counters_never_go_back(
    board: Board, policy: Policy, polled: Callable[..., Polled]
) -> None:
    """They stay as they were over failed polls, a store that cannot be read, and internal errors."""
    of_vm, of_all = (
        ("fluence_vm_charged_usdc_total", "main", "web"),
        ("fluence_account_charged_usdc_total", "main"),
    )
    begun = decide(AccountState(), listed(WEB), policy).after
    charged = {WEB.key: MicroUsdc(5), "0xgone": MicroUsdc(2)}
    failed = replace(FAILED, taken_at=NOW + MINUTE)
    for each in (
        polled(failed, begun, charged=charged),  # the first after a start
        polled(listed(WEB), charged=charged),
        polled(failed, begun, charged=charged),
        polled(failed, begun, store_error="locked"),
        polled(listed(WEB), store_error="locked"),
    ):
        board.publish(each)
        assert (5e-6, 7e-6) == (samples(board)[of_vm], samples(board)[of_all])
    board.crashed("main", "poll", "boom")
    assert (5e-6, 7e-6) == (samples(board)[of_vm], samples(board)[of_all])


def test_a_failed_poll_keeps_what_was_seen(board: Board, polled: Callable[..., Polled]) -> None:
    """`fluence_up` says that it failed; the last list stays, and its time with it."""
    good = polled(listed(WEB))
    board.publish(good)
    board.publish(polled(replace(FAILED, taken_at=NOW + MINUTE), good.state))
    shown = samples(board)

    assert 0 == shown["fluence_up", "main"]
    assert 1 == shown["fluence_vms", "main", "active"]
    assert NOW.timestamp() == shown["fluence_last_successful_poll_timestamp_seconds", "main"]
    assert 1 == shown["fluence_watch_alerts", "main", "poll_failing", "pending"]
    assert "the API failed (503)" in board.status().accounts[0].error
    assert [] == board.unready()  # it does its work; it is the API that does not


def test_an_incomplete_list_is_not_up(board: Board, polled: Callable[..., Polled]) -> None:
    """What could not be read is counted, and the rest is shown."""
    board.publish(polled(listed(WEB, rejected=(Rejected("[1]", "no id"),))))
    shown = samples(board)

    assert (0, 1) == (shown["fluence_up", "main"], shown["fluence_rejected_vms", "main"])
    assert 1 == shown["fluence_vms", "main", "active"]
    assert 1 == board.status().accounts[0].overview.unread


def test_a_failed_first_poll_shows_what_the_store_remembers(
    board: Board, polled: Callable[..., Polled]
) -> None:
    """After a restart into an outage the VMs that were there are shown; those that were lost are not."""
    lost = KnownVm(DB, NOW, missing_polls=3, missing_since=NOW, missing_among=2)
    remembered = AccountState(
        {"0xa1": KnownVm(WEB, NOW, baseline=(port(80),)), "0xb2": lost}, last_good_at=NOW - MINUTE
    )
    board.publish(polled(FAILED, remembered))
    shown = samples(board)

    assert 0 == shown["fluence_up", "main"]
    assert 1 == shown["fluence_vms", "main", "active"]
    assert 1 == shown["fluence_vm_drifted_ports", "main", "web", "opened"]
    assert 1 == shown["fluence_vm_drifted_ports", "main", "web", "closed"]
    assert ("fluence_vm_open_ports", "main", "db") not in shown
    assert ("fluence_rejected_vms", "main") not in shown


def test_a_failed_first_poll_that_remembers_nothing(
    board: Board, polled: Callable[..., Polled]
) -> None:
    """Unknown is absent, not zero."""
    board.publish(polled(FAILED))
    shown = samples(board)

    assert 0 == shown["fluence_up", "main"]
    assert ("fluence_last_successful_poll_timestamp_seconds", "main") not in shown
    assert not [key for key in shown if key[0].startswith("fluence_vm")]


def test_drift_against_what_was_first_seen(board: Board, polled: Callable[..., Polled]) -> None:
    """The ports that are expected come from the settings or the first list, and reach the metric."""
    first = polled(listed(WEB))
    board.publish(first)
    assert 0 == samples(board)["fluence_vm_drifted_ports", "main", "web", "opened"]
    board.publish(polled(listed(replace(WEB, ports=(SSH, port(80)))), first.state))
    shown = samples(board)

    assert 1 == shown["fluence_vm_drifted_ports", "main", "web", "opened"]
    assert 0 == shown["fluence_vm_drifted_ports", "main", "web", "closed"]
    assert 1 == shown["fluence_watch_alerts", "main", "port_drift", "firing"]
    assert ["port_drift"] == [row.alert.rule for row in board.status().alerts]


def test_what_keeps_it_from_being_ready(board: Board, polled: Callable[..., Polled]) -> None:
    """Accounts not polled yet, polls that crashed, a store that fails; each until it is over."""
    board.expect({"main", "second"}, timedelta(seconds=7))
    assert 7 == board.status().reload_seconds
    assert [
        "account main: not polled yet",
        "account second: not polled yet",
    ] == board.unready()
    board.crashed("second", "poll", "ZeroDivisionError")
    board.publish(polled(listed(WEB), store_error="disk full"))
    assert [
        "account second: internal error: ZeroDivisionError",
        "disk full",
    ] == board.unready()
    assert 0 == samples(board)["fluence_watch_store_up",]
    board.publish(polled(listed(WEB), account="second"))
    board.publish(polled(listed(WEB)))
    assert [] == board.unready()
    assert 1 == samples(board)["fluence_watch_store_up",]


def test_an_account_that_is_gone_is_gone(board: Board, polled: Callable[..., Polled]) -> None:
    """Its series, its alerts and its trouble go at once, and a late poll does not bring them back."""
    good = polled(listed(WEB))
    board.publish(good)
    board.crashed("main", "poll", "KeyError")
    board.expect({"second"})
    board.publish(good)
    shown = samples(board)

    assert not [key for key in shown if "main" in key]
    assert ["account second: not polled yet"] == board.unready()
    assert ["second"] == [row.overview.account for row in board.status().accounts]


def test_silenced_alerts(board: Board, polled: Callable[..., Polled]) -> None:
    """They are counted as such, from when a silence is known to its end."""
    drift = polled(listed(replace(WEB, ports=(SSH, port(80)))), polled(listed(WEB)).state)
    board.publish(drift)
    counted = "fluence_watch_alerts", "main", "port_drift"
    silence = Silence("5115", parse_matchers("vm=web"), NOW, NOW + 2 * MINUTE, "why")
    later = replace(silence, id="later", starts_at=NOW + 3 * MINUTE, ends_at=NOW + 4 * MINUTE)
    board.muted_by(Mutes([silence, later]))
    shown = samples(board)
    assert (1, 1) == (shown[*counted, "silenced"], shown["fluence_watch_silences",])
    assert (*counted, "firing") not in shown
    board._clock = lambda: NOW + 2 * MINUTE
    board.publish(drift)
    board.publish_watcher(AccountState())
    shown = samples(board)
    assert (1, 0) == (shown[*counted, "firing"], shown["fluence_watch_silences",])


def test_an_acknowledged_alert_fires(board: Board, polled: Callable[..., Polled]) -> None:
    """Somebody takes care of it, and it is not over."""
    drift = polled(listed(replace(WEB, ports=(SSH, port(80)))), polled(listed(WEB)).state)
    board.publish(drift)
    (alert,) = drift.state.alerts.values()
    taken = Acknowledgement(NOW, NOW + 9 * MINUTE, alert.severity, alert.step)
    board.muted_by(Mutes(acknowledged={alert.episode: taken}))
    assert 1 == samples(board)["fluence_watch_alerts", "main", "port_drift", "firing"]


def test_an_alert_that_cannot_be_rendered_does_not_take_the_page_away(
    board: Board, polled: Callable[..., Polled]
) -> None:
    """It is listed, without its details."""
    good = polled(listed(replace(WEB, ports=(SSH, port(80)))), polled(listed(WEB)).state)
    odd = {f: replace(alert, facts="odd") for f, alert in good.state.alerts.items()}
    board.publish(replace(good, state=replace(good.state, alerts=odd)))

    (row,) = board.status().alerts
    assert "the details could not be rendered" in repr(row)


def test_accounts_that_are_missing_from_the_settings(board: Board) -> None:
    """They are named on the page, until they are forgotten or watched again."""
    board.absent({"old": NOW + MINUTE, "older": NOW})
    assert (("old", NOW + MINUTE), ("older", NOW)) == board.status().absent
    board.forgotten(["older"])
    assert (("old", NOW + MINUTE),) == board.status().absent
    assert "old</span> is missing from the settings" in render_status(board.status())
    board.absent({})
    assert () == board.status().absent


def test_before_the_first_poll(board: Board) -> None:
    """An account that is to be watched is on the page from the start, with nothing known of it."""
    (account,) = board.status().accounts

    assert ("main", None, None) == (
        account.overview.account,
        account.up,
        account.overview.vms,
    )
    assert not [key for key in samples(board) if "main" in key]


def test_since_when_a_receiver_fails_outlives_a_restart(board: Board) -> None:
    """The alert remembers what the process does not; a receiver without one is as reported."""
    facts = DeliveryFailing("ops", "HTTP 503", 2, NOW)
    about = Fingerprint(WATCHER, "delivery_failing", "ops")
    alert = Alert(about, Severity.CRITICAL, State.FIRING, facts, NOW - MINUTE, NOW)
    board.publish_watcher(AccountState(alerts={about: alert}))
    restarted, later = ReceiverReport("ops"), ReceiverReport("ops", None, NOW, "HTTP 500")
    works = ReceiverReport("chat", NOW)

    shown = board.status([restarted, later, works]).receivers
    assert [(NOW - MINUTE, "HTTP 503"), (NOW - MINUTE, "HTTP 500"), (None, "")] == [
        (each.failing_since, each.error) for each in shown
    ]


def test_readiness_names_the_accounts_that_fail(
    board: Board, polled: Callable[..., Polled]
) -> None:
    """Beside what is about the watcher itself, and only as long as the last poll failed."""
    refused = PollFailure("main", NOW, "unauthorized", "the API key is refused\x1b[31m (401)")
    board.publish(polled(refused))
    assert ["account main: the API key is refused (401)"] == board.remarks()
    assert [] == board.unready()
    board.publish(polled(listed(WEB)))
    assert [] == board.remarks()

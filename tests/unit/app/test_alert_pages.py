"""The pages of single alerts and what signed links do, through the app that the daemon serves."""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from html import unescape

import httpx
import pytest

from fluence_watch.alerting.attempts import Attempts, mark
from fluence_watch.alerting.journal import Details, Entry, What
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.links import Action, order, state_of, token
from fluence_watch.alerting.matchers import parse_matchers
from fluence_watch.alerting.muting import Acknowledgement, Silence
from fluence_watch.alerting.state import AccountState
from fluence_watch.app import link_actions
from fluence_watch.app.alert_pages import AlertPages
from fluence_watch.app.board import Board
from fluence_watch.app.site import site
from fluence_watch.app.wiring import Setup, prepare
from fluence_watch.errors import StoreError
from fluence_watch.model.finding import Fingerprint, Severity, VmRef
from fluence_watch.model.note import NoteAction
from fluence_watch.model.ports import parse_port
from fluence_watch.rules.account_low import AccountLow
from fluence_watch.rules.port_drift import Direction, PortDrift
from fluence_watch.settings import WatchSettings
from fluence_watch.simulator import SettableClock
from fluence_watch.store import Store
from tests.stored import keep
from tests.unit.app.conftest import NOW

SECRET = "a secret that is long enough to sign links with"
BASE = "https://watch.example.com/fw"
HOSTILE = "<script>alert(1)</script>\"'><img src=x> {{7*7}} \u202e"
OPEN = ("22/tcp", "8080/tcp")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def drift(name: str = "web-1", **changes: object) -> Alert:
    vm = VmRef("0xa1", name, "FR-PAR-1")
    facts = PortDrift(vm, "8080/tcp", Direction.OPENED, False, ("22/tcp",), OPEN)  # noqa: FBT003 - facts as they are
    about = Fingerprint("main", "port_drift", "0xa1", "opened:8080/tcp")
    return Alert(
        about, Severity.WARNING, State.FIRING, replace(facts, **changes), NOW - HOUR, NOW - HOUR
    )


def poor() -> Alert:
    facts = AccountLow(2_500_000, 1_015_000, None, NOW + DAY, 2)
    return Alert(
        Fingerprint("main", "account_low"), Severity.WARNING, State.FIRING, facts, NOW, NOW
    )


@pytest.fixture
def setup(settings: Callable[..., WatchSettings]) -> Setup:
    return prepare(settings(server={"external_url": BASE, "action_secret": SECRET}))


@pytest.fixture
async def client(
    store: Store, clock: SettableClock, setup: Setup
) -> AsyncIterator[httpx.AsyncClient]:
    board = Board(clock)

    async def reload() -> list[str]:
        return []

    app = site(board, list, reload, lambda: AlertPages(store, board, clock, setup))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://watch.test") as made:
        yield made


def stored(store: Store, *alerts: Alert, ended: tuple[Alert, ...] = ()) -> None:
    keep(store, "main", AccountState(alerts={each.fingerprint: each for each in alerts}), ended)


def over(alert: Alert) -> Alert:
    return replace(alert, state=State.RESOLVED, ends_at=NOW)


def page(alert: Alert) -> str:
    return f"/alerts/{mark(alert.episode)}"


def link(alert: Alert, action: Action, clock: SettableClock) -> str:
    state = state_of(action, alert.severity, alert.step, OPEN)
    signed = token(order(action, mark(alert.episode), clock(), state), SECRET)
    return f"{page(alert)}/{action}/{signed}"


def changed(store: Store) -> tuple[object, ...]:
    """All that a link may have changed."""
    return store.silences.all(), store.silences.acknowledged(), store.notes("main")


async def test_the_page_of_an_alert(client: httpx.AsyncClient, store: Store) -> None:
    """What, since when, its state, the VM, and the words of a message, while it fires and after."""
    stored(store, drift())
    answer = await client.get(page(drift()))

    assert 200 == answer.status_code
    assert (
        '<code class="command">fluence-watch vm ports restore 0xa1 --account main</code>'
        in answer.text
    )
    assert "- <" not in answer.text
    for said in ("firing", "warning", "port_drift", "web-1", "0xa1", "FR-PAR-1", "11:00 UTC, 1 h ago",
                 "8080/tcp is open and should not be", "vm ports restore 0xa1"):  # fmt: skip
        assert said in unescape(answer.text), said

    stored(store, ended=(over(drift()),))
    assert "resolved" in (await client.get(page(drift()))).text


async def test_the_page_says_why(client: httpx.AsyncClient, store: Store) -> None:
    """The chain of the alert, and the answer of each receiver. Names are data."""
    stored(store, drift())
    details = Details("match", HOSTILE)
    entries = [
        Entry(
            NOW - HOUR, What.FIRING, *drift().episode, details=Details(facts=drift(HOSTILE).facts)
        ),
        Entry(NOW - HOUR, What.SKIPPED, *drift().episode, HOSTILE, details),
        Entry(NOW, What.SENT, *drift().episode, "ops", Details("first")),
    ]
    store.save_attempts("ops", Attempts(), {}, entries)
    text = (await client.get(page(drift()))).text

    assert "<bdi>ops: notified 12:00:00 UTC</bdi>" in text
    assert "its route takes &lt;script&gt;alert(1)" in text
    assert "fires (None)" not in text
    assert not re.search("<script|<img|\u202e", text)


async def test_each_receiver_has_an_answer_on_the_page(
    client: httpx.AsyncClient, store: Store, setup: Setup
) -> None:
    """Also one of which nothing is written: it was added after the alert was over."""
    (receiver,) = setup.receivers
    stored(store, drift())
    assert f"<bdi>{receiver}: waits: it is not judged yet</bdi>" in await text_of(client)
    stored(store, ended=(over(drift()),))
    store.add_receivers([receiver], NOW + HOUR)
    answer = f"<bdi>{receiver}: not notified: it ended before the receiver was added</bdi>"
    assert answer in await text_of(client)


async def text_of(client: httpx.AsyncClient) -> str:
    return (await client.get(page(drift()))).text


async def test_an_alert_that_is_kept_back(
    client: httpx.AsyncClient, store: Store, clock: SettableClock
) -> None:
    """The page says by what, and until when."""
    stored(store, drift())
    taken = Acknowledgement(NOW, NOW + DAY, Severity.WARNING, 0, "ann")
    store.silences.acknowledge(drift().episode, taken)
    assert "firing, acknowledged by <bdi>ann</bdi> until" in (await client.get(page(drift()))).text
    store.silences.add(Silence("ab12", parse_matchers("vm=web-1"), NOW, NOW + HOUR))
    text = (await client.get(page(drift()))).text
    assert "firing, silenced by <bdi>ab12</bdi> until" in text
    assert "</time>, acknowledged by <bdi>ann</bdi> until" in text


@pytest.mark.parametrize("alert_id", ["0" * 16, "x", "%3Cscript%3E", "..%2F.."])
async def test_an_unknown_alert(client: httpx.AsyncClient, store: Store, alert_id: str) -> None:
    """The answer is a page that says so, and repeats nothing of what was asked."""
    stored(store, drift())
    answer = await client.get(f"/alerts/{alert_id}")

    assert 404 == answer.status_code
    assert "<script" not in answer.text
    if "%2F" not in alert_id:
        assert "There is no such alert" in answer.text


async def test_hostile_names_are_inert(
    client: httpx.AsyncClient, store: Store, clock: SettableClock
) -> None:
    """On the page, in what a link would do, and in the silence that it makes."""
    alert = drift(HOSTILE, vm=VmRef(HOSTILE, HOSTILE, HOSTILE))
    stored(store, alert)
    for path in (page(alert), *(link(alert, each, clock) for each in Action)):
        text = (await client.get(path)).text
        assert not re.search(r"<(script|img)", text)
        assert "\u202e" not in text
    assert 200 == (await client.post(link(alert, Action.SNOOZE, clock))).status_code
    (silence,) = store.silences.all()
    assert HOSTILE == silence.matchers[-1].value


@pytest.mark.parametrize("action", Action)
async def test_a_link_shows_then_acts_once(
    client: httpx.AsyncClient, store: Store, clock: SettableClock, action: Action
) -> None:
    """Whatever reads it changes nothing; the form does what it says, and a second time nothing."""
    stored(store, drift(), poor())
    path, before = link(drift(), action, clock), changed(store)
    for method in ("GET", "HEAD", "GET"):
        answer = await client.request(method, path)
        assert 200 == answer.status_code
        assert before == changed(store)
    assert '<form method="post"><button>' in answer.text
    assert "form-action 'self'" in answer.headers["content-security-policy"]

    done = await client.post(path, headers={"Origin": "null"})
    assert 200 == done.status_code
    assert "<form" not in done.text
    after = changed(store)
    assert before != after

    clock.advance(HOUR)
    for method in ("POST", "GET", "POST"):
        again = await client.request(method, path)
        assert (409, True) == (again.status_code, "Nothing was done" in again.text)
        assert after == changed(store)
    assert ([], {}, []) != after


async def test_what_each_action_leaves(
    client: httpx.AsyncClient, store: Store, clock: SettableClock
) -> None:
    """An acknowledgement, a silence of exactly this rule and VM, the note of `vm ports accept`."""
    stored(store, drift(), poor())
    for action in Action:
        assert 200 == (await client.post(link(drift(), action, clock))).status_code

    silences, acknowledged, notes = changed(store)
    taken = acknowledged[drift().episode]  # type: ignore[index] # see `changed`
    assert (NOW, NOW + DAY, "a link") == (taken.at, taken.until, taken.author)
    (silence,) = silences  # type: ignore[misc, attr-defined] # see `changed`
    assert 'rule="port_drift" account="main" vm_id="0xa1"' == " ".join(map(str, silence.matchers))
    assert (NOW, NOW + DAY) == (silence.starts_at, silence.ends_at)
    (note,) = notes  # type: ignore[misc, attr-defined] # see `changed`
    assert (NoteAction.ACCEPTED, "0xa1", tuple(map(parse_port, OPEN))) == (
        note.action, note.subject, note.ports,
    )  # fmt: skip


async def test_an_acknowledgement_that_was_withdrawn_stays_so(
    client: httpx.AsyncClient, store: Store, clock: SettableClock
) -> None:
    """The same link does not bring it back; one of a later message does."""
    stored(store, drift())
    path = link(drift(), Action.ACK, clock)
    await client.post(path)
    clock.advance(HOUR)
    store.silences.withdraw(drift().episode, clock())

    assert 409 == (await client.post(path)).status_code
    assert not store.silences.acknowledged()[drift().episode].holds(drift(), clock())
    clock.advance(HOUR)
    assert 200 == (await client.post(link(drift(), Action.ACK, clock))).status_code
    assert store.silences.acknowledged()[drift().episode].holds(drift(), clock())


@pytest.mark.parametrize(
    ("action", "now_stored", "why"),
    [
        *((action, over(drift()), "The alert is over") for action in Action),
        *((action, replace(drift(), clear_since=NOW), "The alert is over") for action in Action),
        (Action.ACK, replace(drift(), severity=Severity.CRITICAL), "worse or milder"),
        (Action.ACK, replace(drift(), step=1), "worse or milder"),
        (Action.ACCEPT_PORTS, drift(actual=(*OPEN, "9/udp")), "Other ports are open now"),
        (Action.ACCEPT_PORTS, drift(configured=True), "[[expect]]"),
    ],
)
async def test_an_alert_that_is_over_or_has_changed(
    client: httpx.AsyncClient, store: Store, clock: SettableClock,
    action: Action, now_stored: Alert, why: str,
) -> None:  # fmt: skip
    """The link says so, and does nothing."""
    stored(store, drift())
    path = link(drift(), action, clock)
    ended = (now_stored,) if now_stored.ends_at else ()
    stored(store, *(() if ended else (now_stored,)), ended=ended)
    before = changed(store)
    for method in ("GET", "POST"):
        answer = await client.request(method, path)
        assert 409 == answer.status_code
        assert why in answer.text
        assert "<form" not in answer.text
    assert before == changed(store)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (
            replace(drift(), severity=Severity.CRITICAL),
            "The alert is worse now: critical, 8080/tcp is open and should not be",
        ),
        (over(drift()), "The alert is over."),
    ],
)
def test_an_alert_that_changes_under_a_link(
    store: Store, clock: SettableClock, found: Alert, why: str
) -> None:
    """A poll commits between reading and writing: the page names what it is now."""
    read, ended = drift(), (found,) if found.ends_at else ()
    stored(store, *(() if ended else (found,)), ended=ended)
    state = state_of(Action.ACK, read.severity, read.step, OPEN)
    signed = order(Action.ACK, mark(read.episode), clock(), state)
    answer = link_actions.answer(store, read, signed, clock(), do=True)
    assert (409, "Nothing was done") == (answer.code, answer.title)
    assert why in answer.text
    assert {} == store.silences.acknowledged()


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_link_that_is_not_valid(
    client: httpx.AsyncClient, store: Store, clock: SettableClock, action: Action, method: str
) -> None:
    """Forged, expired or of another alert: 403 with words, and nothing happens."""
    stored(store, drift(), poor())
    path, before = link(drift(), action, clock), changed(store)
    other = next(each for each in Action if each is not action)
    forged = [
        path[:-1] + ("0" if path[-1] != "0" else "1"),
        path.replace(f"/{action}/", f"/{other}/"),
        path.replace(mark(drift().episode), mark(poor().episode)),
        path.replace(f"/{action}/", "/unknown/"),
        f"{page(drift())}/{action}/x",
    ]
    for each in forged:
        answer = await client.request(method, each)
        assert (403, True) == (answer.status_code, "not valid" in answer.text)
    clock.advance(timedelta(days=7))
    answer = await client.request(method, path)
    assert (403, True) == (answer.status_code, "expired" in answer.text)
    assert before == changed(store)


async def test_without_a_secret_no_link_is_valid(
    client: httpx.AsyncClient, store: Store, clock: SettableClock, setup: Setup
) -> None:
    """Nor is one that was signed with none."""
    stored(store, drift())
    setup.settings.server.__dict__["action_secret"] = None
    signed = token(order(Action.ACK, mark(drift().episode), clock()), "")

    assert 403 == (await client.post(f"{page(drift())}/ack/{signed}")).status_code


async def test_pages_leak_nothing(
    client: httpx.AsyncClient, store: Store, clock: SettableClock
) -> None:
    """No referrer, no copy in a cache, nothing for other sites, no script, no secret."""
    stored(store, drift())
    for path in (page(drift()), link(drift(), Action.ACK, clock), f"{page(drift())}/ack/x"):
        for method in ("GET", "POST", "OPTIONS"):
            headers = {"Origin": "https://evil.example"}
            answer = await client.request(method, path, headers=headers)
            assert "no-referrer" == answer.headers["referrer-policy"]
            assert "no-store" == answer.headers["cache-control"]
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert "access-control-allow-origin" not in answer.headers
            assert "set-cookie" not in answer.headers
            assert SECRET not in answer.text


async def test_a_store_that_fails(
    client: httpx.AsyncClient, store: Store, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says that nothing was done, and why."""

    def fail(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(store, "alert", fail)
    for answer in (
        await client.get(page(drift())),
        await client.post(link(drift(), Action.ACK, clock)),
    ):
        assert (503, "nothing was done: the disk is full\n") == (answer.status_code, answer.text)


def test_the_secret_is_not_shown(setup: Setup) -> None:
    """Not in the representation of the settings and of the parts that have it."""
    assert SECRET not in f"{setup!r} {setup.words!r}"

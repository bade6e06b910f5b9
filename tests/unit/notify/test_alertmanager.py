"""Alerts as Alertmanager's API takes them, against `tests/golden/alertmanager.json`; and its members.

`REWRITE_GOLDEN=1 pytest tests/unit/notify` writes the file anew; the difference is reviewed like code.
"""

import json
import os
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from fluence_watch.alerting.attempts import mark
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.posting import Posting
from fluence_watch.app.wiring import RANKS
from fluence_watch.errors import NotifyError
from fluence_watch.model.finding import WATCHER, Fingerprint, Severity, VmRef
from fluence_watch.notify.alertmanager.cluster import Cluster, Member, make_cluster
from fluence_watch.notify.alertmanager.holdings import Holdings
from fluence_watch.notify.alertmanager.payload import Payload, Payloads, alert_labels, alert_name
from fluence_watch.notify.render import Rendered
from fluence_watch.rules import RULES
from fluence_watch.rules.delivery_failing import DeliveryFailing
from fluence_watch.rules.low_balance import LowBalance
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.rules.price_changed import PriceChanged

GOLDEN = Path(__file__).parents[2] / "golden" / "alertmanager.json"
NOW = datetime(2026, 4, 16, 17, 17, tzinfo=UTC)
HOUR = timedelta(hours=1)
FAR = NOW + timedelta(days=7)
WEB = VmRef("0xweb-1", "web-1", "FR-PAR-1")
HOSTILE = VmRef("0xbad", "<!channel> \u202e@everyone\n`", "FR\x1b[31m-PAR-1")


def low(vm: VmRef = WEB, severity: Severity = Severity.CRITICAL) -> Alert:
    """A VM with a low balance."""
    facts = LowBalance(vm, 298_160, 100_000, 298_160, NOW + HOUR, NOW + HOUR)
    about = Fingerprint("main", "low_balance", vm.id)
    return Alert(about, severity, State.FIRING, facts, NOW - HOUR, NOW - HOUR / 2)


def other(rule: str, facts: object, account: str = "main", subject: str = "") -> Alert:
    """An alert of a rule that fires."""
    about = Fingerprint(account, rule, subject)
    return Alert(about, Severity.WARNING, State.FIRING, facts, NOW - HOUR, NOW - HOUR)


OVER = replace(low(), state=State.RESOLVED, ends_at=NOW)
CHANGED = PriceChanged(WEB, 298_160, 400_000, 101_840, Decimal("34.2"), None)
FAILING = DeliveryFailing("ops", "error=500", 2, NOW - HOUR)
POSTINGS = (
    Posting(low(), FAR),
    Posting(low(HOSTILE), FAR),
    Posting(OVER, NOW, over=True),
    Posting(replace(OVER, quiet=True), NOW, over=True),
    Posting(low(), NOW, over=True),
    Posting(other("price_changed", CHANGED, subject="0xweb-1"), NOW + HOUR, event=True),
    Posting(other("poll_failing", PollFailing("timeout", "no answer in 10 s")), FAR),
    Posting(other("delivery_failing", FAILING, WATCHER, "ops"), FAR),
)


@pytest.fixture
def payloads() -> Payloads:
    return Payloads("am", RANKS, {"instance": "eu-1"}, pytest.fail)


def made(payloads: Payloads, posting: Posting) -> Payload:
    """The payload of one posting, of a desk that has made none yet."""
    return replace(payloads, _made={}).of([posting], NOW)[0]


def test_payloads_are_as_in_the_golden_file(payloads: Payloads) -> None:
    """What fires, names with markup, what is over, what is gone, an event, accounts, the watcher."""
    found = [made(payloads, each) for each in POSTINGS]
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("REWRITE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")

    assert GOLDEN.read_text(encoding="utf-8") == text


def test_where_an_alert_has_a_page(payloads: Payloads) -> None:
    """Alertmanager leads there, if the address is known."""
    posting = POSTINGS[0]
    linked = made(replace(payloads, base="https://watch.example.com"), posting)
    assert linked == {
        **made(payloads, posting),
        "generatorURL": f"https://watch.example.com/alerts/{mark(posting.episode)}",
    }


@pytest.mark.parametrize("rule", [rule.name for rule in RULES])
def test_alert_names_are_those_of_the_rules_for_prometheus(rule: str) -> None:
    """One word in camel case, with the prefix of the project's rules."""
    assert alert_name(rule).startswith("Fluence")
    assert rule.replace("_", "") == alert_name(rule).removeprefix("Fluence").lower()


@pytest.mark.parametrize(
    "about",
    [
        Fingerprint("main", "port_drift", "0xweb-1", "opened:80/tcp"),
        Fingerprint("main", "port_drift", "0xweb-1", "opened:81/tcp"),
        Fingerprint("other", "port_drift", "0xweb-1", "opened:80/tcp"),
        Fingerprint("main", "vm_status", "0xweb-1", "opened:80/tcp"),
    ],
)
def test_alerts_that_differ_have_labels_that_differ(about: Fingerprint) -> None:
    """In Alertmanager the same labels are the same alert."""
    base = replace(low(), fingerprint=Fingerprint("main", "port_drift", "0xweb-1"))

    assert alert_labels(base, {}) != alert_labels(replace(base, fingerprint=about), {})


def test_what_is_not_about_a_vm_has_its_subject_as_a_label() -> None:
    """A receiver, a budget, a disk."""
    labels = alert_labels(other("delivery_failing", FAILING, WATCHER, "ops"), {"a": "b"})

    assert ("ops", "fluence-watch", "b") == (labels["subject"], labels["account"], labels["a"])


def test_words_are_made_anew_when_they_are_old(payloads: Payloads) -> None:
    """All members share them; times in them are told as of the post."""
    posting = Posting(low(), FAR)
    (first,) = payloads.of([posting], NOW)
    (again,) = payloads.of([posting], NOW + timedelta(seconds=1))
    (later,) = payloads.of([posting], NOW + timedelta(minutes=5))
    payloads.keep_only([])

    assert first is again
    assert first is not payloads.of([posting], NOW)[0]
    assert "(in 1 h)" in first["annotations"]["summary"]
    assert "(in 55 min)" in later["annotations"]["summary"]


def test_an_alert_that_cannot_be_rendered_is_named() -> None:
    """In plain words, and counted: it must not keep the others back."""
    broken: list[bool] = []
    payloads = Payloads("am", RANKS, {}, lambda: broken.append(True))
    (found,) = payloads.of([Posting(replace(low(), facts="no template"), FAR)], NOW)

    assert "[FIRING:1] low_balance · main" == found["annotations"]["summary"]
    assert [True] == broken


# ---- what a member holds


def pair(payloads: Payloads, posting: Posting) -> tuple[Posting, Payload]:
    return posting, made(payloads, posting)


def test_other_labels_end_the_alert_with_those_before(payloads: Payloads) -> None:
    """Until a member has accepted that; the former severity may come back before."""
    held, warned = Holdings(), pair(payloads, Posting(low(severity=Severity.WARNING), FAR))
    critical = pair(payloads, Posting(low(), FAR))
    assert [] == held.endings([warned], NOW)
    held.accepted([warned], [])
    (ending,) = held.endings([critical], NOW)

    assert warned[1]["labels"] == ending["labels"]
    assert NOW - timedelta(minutes=15) == datetime.fromisoformat(ending["endsAt"])
    assert [ending] == held.endings([critical], NOW)  # was not accepted
    assert [] == held.endings([warned], NOW)  # holds again
    held.accepted([critical], [])
    held.leave(critical[0].episode, NOW)
    (ending,) = held.endings([], NOW)
    held.accepted([], [ending])
    assert ([], []) == (held.endings([], NOW), held.episodes)


def test_a_later_episode_with_the_same_labels_is_not_ended(payloads: Payloads) -> None:
    """That one took the place of the other before it was over for us."""
    held, first = Holdings(), pair(payloads, Posting(low(), FAR))
    later = pair(payloads, Posting(replace(low(), active_at=NOW), FAR))
    held.accepted([first, later], [])
    held.leave(first[0].episode, NOW)

    assert [] == held.endings([], NOW)


def test_what_has_ended_by_itself_is_not_ended_again(payloads: Payloads) -> None:
    """An event has an end from the beginning."""
    held, event = Holdings(), pair(payloads, Posting(low(), NOW + HOUR))
    held.accepted([event], [])
    held.leave(event[0].episode, NOW + HOUR)

    assert [] == held.endings([], NOW + HOUR)


# ---- the members


NOTHING = httpx.ByteStream(b"")
Answer = Callable[[httpx.Request], httpx.Response]


def member(answer: Answer, url: str = "https://watch:s%40cret@am-1:9093/am/") -> Member:
    """An Alertmanager that answers so."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return Member(url, tls, httpx.MockTransport(answer))


async def test_a_post_goes_below_the_prefix_with_the_password() -> None:
    """And only there: what is shown is the address."""
    seen: list[httpx.Request] = []
    one = member(lambda request: seen.append(request) or httpx.Response(200))  # type: ignore[func-returns-value] # a lambda
    await one.post([{"labels": {}, "annotations": {}}])
    await one.aclose()

    assert ["https://am-1:9093/am/api/v2/alerts"] == [str(each.url) for each in seen]
    assert "Basic d2F0Y2g6c0BjcmV0" == seen[0].headers["Authorization"]
    assert "https://am-1:9093/am" == one.shown
    assert "cret" not in repr(one)
    assert "cret" not in repr(Cluster("am", (one,)))


@pytest.mark.parametrize(
    ("answer", "error", "permanent"),
    [
        (httpx.Response(400, stream=httpx.ByteStream(b'"bad\n start"')), 'answered 400: "bad start"', True),
        (httpx.Response(401, stream=httpx.ByteStream(b"not s@cret")), "answered 401: not ***", True),
        (httpx.Response(302, headers={"Location": "http://evil"}, stream=NOTHING), "answered 302", False),
        (httpx.Response(429, stream=NOTHING), "answered 429", False),
        (httpx.Response(503, stream=httpx.ByteStream(b"x" * 9999)), "answered 503: " + "x" * 199 + "…", False),
        (httpx.ConnectError("[Errno 111] refused"), "cannot be reached: [Errno 111] refused", False),
        (httpx.ReadTimeout(""), "cannot be reached: ReadTimeout", False),
    ],
)  # fmt: skip
async def test_what_a_member_does_not_accept(
    answer: httpx.Response | Exception, error: str, *, permanent: bool
) -> None:
    """With its address, and without the password."""

    def respond(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(NotifyError) as raised:
        await member(respond).post([])

    assert (f"https://am-1:9093/am {error}", permanent) == (
        str(raised.value),
        raised.value.permanent,
    )


async def test_a_test_goes_to_each_member() -> None:
    """Who fails is named, and the others have it."""
    seen: list[httpx.Request] = []
    good = member(lambda request: seen.append(request) or httpx.Response(200))  # type: ignore[func-returns-value] # a lambda
    bad = member(lambda _: httpx.Response(500, stream=NOTHING), "http://am-2:9093")
    with pytest.raises(NotifyError, match=r"^http://am-2:9093 answered 500$"):
        await Cluster("am", (bad, good), {"a": "b"}).send(Rendered("a test", "of all", "info"))

    (alert,) = json.loads(seen[0].content)
    assert {"a": "b", "alertname": "FluenceWatchTest", "severity": "info"} == alert["labels"]
    assert {"summary": "a test", "description": "of all"} == alert["annotations"]


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_cannot_be_used(tmp_path: Path, content: str | None) -> None:
    """Is an error that names it."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(NotifyError, match=f"cannot use the CA file {file}: (No such|there is no)"):
        make_cluster("am", ["https://am"], file)

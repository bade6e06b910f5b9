import re
from base64 import b64encode
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256

import pytest

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.matchers import parse_matchers
from fluence_watch.alerting.muting import Acknowledgement, Maintenance, Mutes, Silence
from fluence_watch.alerting.slots import Cron
from fluence_watch.model.account import AccountBalance
from fluence_watch.model.billing import METERED
from fluence_watch.model.debt import Removal
from fluence_watch.model.finding import Fingerprint, Severity, ref
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import Port
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.snapshot import Rejected
from fluence_watch.model.text import counted
from fluence_watch.model.vm import Datacenter, Status, Vm
from fluence_watch.notify.render import brief
from fluence_watch.rules.low_balance import LowBalance
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.web.page import render_status
from fluence_watch.web.query import read_query
from fluence_watch.web.status import (
    MOST_ALERTS,
    MOST_RESOURCES,
    MOST_VMS,
    AccountReport,
    ReceiverReport,
    build_status,
)
from fluence_watch.web.style import STYLE_HASH

HOUR = timedelta(hours=1)


@pytest.fixture
def web(now: datetime) -> Vm:
    return Vm(
        id="0xa1b2c3d4e5f6",
        name="web-1",
        status=Status.ACTIVE,
        status_word="ACTIVE",
        price=MicroUsdc(298_160),
        reserved=MicroUsdc(298_160),
        next_billing_at=now + HOUR,
        datacenter=Datacenter("FR", "PAR", 1),
        public_ip="203.0.113.7",
        ports=(Port(22, 22, "tcp"),),
    )


def account(*vms: Vm, now: datetime) -> AccountReport:
    return AccountReport("main", up=True, last_good_at=now, vms={vm.key: vm for vm in vms})


def alert(vm: Vm, now: datetime, severity: Severity = Severity.CRITICAL, key: str = "") -> Alert:
    facts = LowBalance(ref(vm), vm.price, vm.reserved, MicroUsdc(500_000), None, now + HOUR)
    fingerprint = Fingerprint("main", "low_balance", vm.key, key)
    return Alert(fingerprint, severity, State.FIRING, facts, now - 2 * HOUR, now - HOUR)


def text_of(html: str) -> str:
    """The page without its tags, white space folded; entities stay as they are."""
    body = html[html.index("<body") :]
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def test_all_is_well(web: Vm, now: datetime) -> None:
    """A quiet fleet says so, and shows each number with its meaning."""
    view = build_status([account(web, now=now)], [], now, brief)
    text = text_of(render_status(view))

    assert ("ok", "All is well") == (view.level, view.headline)
    assert "web-1 0xa1b2c3 main FR-PAR-1 active 0.298160 0.298160" in text
    assert "in 1 d 1 h 2025-06-02 18:17 UTC in 1 h 18:17 UTC 22/tcp 203.0.113.7" in text


def test_unknown_is_said(now: datetime) -> None:
    """What the API does not tell is unknown on the page, never 0."""
    bare = Vm(id="0xb2", name=None, status=Status.UNKNOWN, status_word="")
    text = text_of(render_status(build_status([account(bare, now=now)], [], now, brief)))

    assert "(no name) 0xb2 main unknown" + " unknown" * 7 in text
    assert "at least 0.000000" in text


@pytest.mark.parametrize(
    ("reports", "level", "headline"),
    [
        ((), "unknown", "No account is configured"),
        ((None,), "unknown", "Nothing fires; 1 of 1 account not polled yet"),
        ((True, None), "unknown", "Nothing fires; 1 of 2 accounts not polled yet"),
        ((True, False), "unknown", "Nothing fires, but 1 of 2 accounts cannot be read in full"),
        ((True, True), "ok", "All is well"),
    ],
)
def test_quiet_is_not_always_well(
    reports: tuple[bool | None, ...], level: str, headline: str, now: datetime
) -> None:
    """Nothing fires, but who cannot see must not say that all is well."""
    view = build_status(
        [AccountReport(f"a{i}", up) for i, up in enumerate(reports)], [], now, brief
    )

    assert (level, headline) == (view.level, view.headline)


def test_an_element_that_cannot_be_read_is_not_well(web: Vm, now: datetime) -> None:
    """A VM that nobody could read is shown with where and why."""
    unread = Rejected("[3].pricePerEpoch", "<b>not</b> a number\x07", "0xdead")
    view = build_status([replace(account(web, now=now), rejected=(unread,))], [], now, brief)
    html = render_status(view)

    assert ("unknown", "Nothing fires, but 1 element cannot be read") == (view.level, view.headline)
    assert "[3].pricePerEpoch" in html
    assert "&lt;b&gt;not&lt;/b&gt; a number<" in html


def test_what_fires_is_shown_worst_first(web: Vm, now: datetime) -> None:
    """The headline counts the worst; what is silenced comes last and counts for nothing."""
    others = [replace(web, id=f"0x{i}", name=f"vm-{i}") for i in range(3)]
    failing = Fingerprint("main", "poll_failing")
    alerts = [
        alert(others[0], now, Severity.INFO),
        alert(others[1], now, Severity.CRITICAL),
        alert(others[2], now, Severity.WARNING),
        Alert(failing, Severity.CRITICAL, State.FIRING, PollFailing("server_error", "502"), now),
        replace(alert(web, now), state=State.PENDING),
    ]
    silence = Silence("5115", parse_matchers("rule=poll_failing"), now, now + HOUR)
    mutes = Mutes([silence], inhibits=())
    view = build_status([account(web, *others, now=now)], alerts, now, brief, mutes=mutes)

    assert ["vm-1", "vm-2", "vm-0", None] == [row.alert.vm_name for row in view.alerts]
    assert [False, False, False, True] == [row.silenced for row in view.alerts]
    assert ("critical", "3 alerts fire, 1 critical") == (view.level, view.headline)
    assert 1 == view.pending


def test_what_keeps_alerts_back(web: Vm, now: datetime) -> None:
    """By what, until when, and why; an acknowledged alert is loud all the same."""
    firing = [alert(web, now, key=key) for key in ("a", "b")]
    taken = Acknowledgement(now, now + HOUR, Severity.CRITICAL, 0, "ann", "new <disks>")
    silence = Silence("5115", parse_matchers("vm=web-1"), now, now + HOUR, "moved")
    nightly = Maintenance("nightly", silence.matchers, Cron("0 17 * * *"), 2 * HOUR)
    failing = Fingerprint("main", "poll_failing")
    fails = Alert(
        failing, Severity.CRITICAL, State.FIRING, PollFailing("server_error", "502"), now, now
    )
    warning = replace(firing[0], severity=Severity.WARNING)

    def shown(mutes: Mutes, *alerts: Alert) -> tuple[str, str]:
        view = build_status([account(web, now=now)], alerts, now, brief, mutes=mutes)
        return view.headline, text_of(render_status(view))

    headline, text = shown(Mutes([silence]), firing[0])
    assert "All is well but for 1 silenced alert" == headline
    assert "silenced by 5115 until 18:17 UTC, in 1 h: moved" in text
    headline, text = shown(Mutes(maintenance=[nightly]), firing[0])
    assert "All is well but for 1 silenced alert" == headline
    assert "maintenance nightly until 19:00 UTC, in 1 h 43 min" in text
    headline, text = shown(Mutes(), warning, fails)
    assert "1 critical alert fires" == headline
    assert "inhibited by main poll_failing" in text
    headline, text = shown(Mutes(acknowledged={firing[0].episode: taken}), *firing)
    assert "2 alerts fire, 2 critical" == headline
    assert "acknowledged by ann until 18:17 UTC, in 1 h: new &lt;disks&gt;" in text


@pytest.mark.parametrize(
    ("match", "names", "says"),
    [
        ((), ["db", "web-1"], None),
        (('vm=~"web-.*"',), ["web-1"], "1 of 2 firing alerts match vm=~&#34;web-.*&#34; ."),
        (("vm=db", "severity!=info"), ["db"], "match vm=db, severity!=info ."),
        (("vm=none",), [], "0 of 2 firing alerts match vm=none . Show all"),
        (("<b>",), ["db", "web-1"], "is no matcher"),
    ],
)
def test_alerts_that_match(
    web: Vm, now: datetime, match: tuple[str, ...], names: list[str], says: str | None
) -> None:
    """They alone are listed; the headline is that of all, and an error hides nothing."""
    db = replace(web, id="0xdb", name="db")
    alerts = [alert(web, now), alert(db, now)]
    query = read_query(match)
    view = build_status([account(web, db, now=now)], alerts, now, brief, query=query)
    text = text_of(render_status(view))

    assert names == sorted(row.alert.vm_name or "" for row in view.alerts)
    assert "2 alerts fire, 2 critical" == view.headline
    assert says in text if says else "match" not in text
    assert "<b>" not in render_status(view).split("<h2>Firing</h2>")[1]


def test_an_alert_says_what_and_since_when(web: Vm, now: datetime) -> None:
    """One line tells the number, the deadline and the age."""
    text = text_of(
        render_status(build_status([account(web, now=now)], [alert(web, now)], now, brief))
    )

    assert "1 critical alert fires" in text
    assert "critical low_balance web-1 0xa1b2c3 reserve 0.298160 of 0.500000 USDC" in text
    assert "funded until 18:17 UTC, in 1 h main 1 h ago 16:17 UTC" in text


def test_vms_are_sorted_by_urgency(web: Vm, now: datetime) -> None:
    """What fires, what runs dry soonest, what is unknown, what costs nothing, what has ended."""
    vms = {
        "ended": replace(web, status=Status.TERMINATED),
        "free": replace(web, price=MicroUsdc(0)),
        "unknown": replace(web, reserved=None),
        "later": replace(web, reserved=MicroUsdc(9_000_000)),
        "soon": web,
        "warns": replace(web, reserved=MicroUsdc(99_000_000)),
    }
    named = {name: replace(vm, name=name, id=f"0x{name}") for name, vm in vms.items()}
    alerts = [alert(named["warns"], now, Severity.WARNING), alert(named["warns"], now, key="2")]
    view = build_status([account(*named.values(), now=now)], alerts, now, brief)

    assert ["warns", "soon", "later", "unknown", "free", "ended"] == [
        row.vm.vm_name for row in view.vms
    ]
    assert Severity.CRITICAL is view.vms[0].severity


def test_the_page_is_bounded(web: Vm, now: datetime) -> None:
    """Ten thousand VMs make a page of the most urgent and a count of the rest."""
    vms = [replace(web, id=f"0x{i}", reserved=MicroUsdc(i * 298_160)) for i in range(500, 0, -1)]
    view = build_status([account(*vms, now=now)], [alert(vm, now) for vm in vms], now, brief)
    text = text_of(render_status(view))

    assert (MOST_VMS, 500 - MOST_VMS) == (len(view.vms), view.more_vms)
    assert (MOST_ALERTS, 500 - MOST_ALERTS) == (len(view.alerts), view.more_alerts)
    assert "and 300 more VMs" in text
    assert "and 400 more" in text


def test_burn(web: Vm, now: datetime) -> None:
    """A day of hours costs twenty-four prices; an unknown price makes it more."""
    hourly = replace(account(web, now=now), billing=METERED)
    shown = build_status([hourly], [], now, brief).accounts[0].overview
    assert (24 * Decimal("0.298160"), 0) == (shown.burn_per_day, shown.unpriced)

    bare = replace(web, id="0xb2", price=None)
    shown = build_status([account(web, bare, now=now)], [], now, brief).accounts[0].overview
    assert (Decimal("0.298160"), 1) == (shown.burn_per_day, shown.unpriced)


def test_an_account_that_is_metered(web: Vm, now: datetime) -> None:
    """Disks and public IPs are there, those of no use first; no VM has a reserve; a debt is marked."""
    disk = Resource(Kind.DISK, "d1", "data", "ready", MicroUsdc(1_000), (web.key,), None, 10**11)
    idle = replace(disk, id="d2", name="old", attached_to=())
    gone = replace(idle, id="d3", name="gone", status_word="removed")
    gpu = Resource(
        Kind.GPU_CONTAINER, "g1", "trainer", "ACTIVE", MicroUsdc(1_220_000),
        reserved=MicroUsdc(0), next_billing_at=now + HOUR, gpu="1 x a100", is_running=False,
    )  # fmt: skip
    address = Resource(Kind.PUBLIC_IP, "i1", None, "ready", None, ("0xgone",), address="192.0.2.7")
    report = replace(
        account(replace(web, reserved=None, next_billing_at=None), now=now),
        billing=METERED,
        balance=AccountBalance(MicroUsdc(0), overage=MicroUsdc(1_500_000)),
        resources={each.key: each for each in (disk, gone, address, idle, gpu)},
    )
    view = build_status([report], [], now, brief)
    text = text_of(render_status(view))

    assert ["old", None, "trainer", "data", "gone"] == [row.resource.name for row in view.resources]
    assert "disk old d2 main ready 100 GB no VM 0.024000 unknown" in text  # a price is unknown
    assert (
        "GPU container trainer g1 main ACTIVE 1 x a100 not started 29.280000 in 1 h 18:17 UTC"
        in text
    )
    assert "public IP (no name) i1 main ready 192.0.2.7 0xgone unknown unknown" in text
    assert "disk data d1 main ready 100 GB web-1 (0xa1b2c3) 0.024000" in text
    assert "0.298160 an hour none unknown every second" in text
    assert "0.000000 1.500000 owed" in text

    removal = Removal(now, now + HOUR, now + 2 * HOUR)
    known = replace(report, resources={disk.key: disk}, removal=removal)
    (vm,) = build_status([known], [], now, brief).vms
    (row,) = build_status([known], [], now, brief).resources
    assert (now + HOUR, now + 2 * HOUR) == (vm.vm.funded_until, row.resource.funded_until)


def test_what_is_not_known_of_an_account(web: Vm, now: datetime) -> None:
    """Lists that are not complete are named, with the reason; sums are at least so much."""
    report = replace(
        account(web, now=now),
        billing=METERED,
        unlisted=frozenset({Kind.DISK}),
        unknown={"disks": "the API refused the request (403): storage:read"},
    )
    view = build_status([report], [], now, brief)
    text = text_of(render_status(view))

    assert ("unknown", "Nothing fires, but disks are not known in full") == (
        view.level,
        view.headline,
    )
    assert "disks: the API refused the request (403): storage:read" in text
    assert "at least 7.155840" in text


def test_the_resources_are_bounded(web: Vm, now: datetime) -> None:
    """The most urgent, and a count of the rest."""
    disk = Resource(Kind.DISK, "d", "data", "ready", MicroUsdc(1_000))
    disks = [replace(disk, id=f"d{number}") for number in range(MOST_RESOURCES + 7)]
    report = replace(
        account(web, now=now), billing=METERED, resources={each.key: each for each in disks}
    )
    view = build_status([report], [], now, brief)

    assert (MOST_RESOURCES, 7) == (len(view.resources), view.more_resources)
    assert "and 7 more" in text_of(render_status(view))


def test_the_balance_is_shown_where_it_is_known(web: Vm, now: datetime) -> None:
    """In USDC, in the row of the account; elsewhere it is unknown."""
    rich = replace(account(web, now=now), balance=AccountBalance(MicroUsdc(12_500_000)))

    assert "Balance USDC" in (text := text_of(render_status(build_status([rich], [], now, brief))))
    assert "1 12.500000 0.298160 nothing" in text
    bare = build_status([account(web, now=now)], [], now, brief)
    assert "1 unknown 0.298160 nothing" in text_of(render_status(bare))


def test_a_failed_account_says_why_and_since_when(web: Vm, now: datetime) -> None:
    """The last good list stays on the page, with its age."""
    report = replace(
        account(web, now=now - HOUR), up=False, error="server_error: <h1>502</h1>\x1b[2J"
    )
    text = text_of(render_status(build_status([report], [], now, brief)))

    assert "main failed server_error: &lt;h1&gt;502&lt;/h1&gt; 1 h ago 16:17 UTC 1" in text


@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "&amp;", "'"],
)
def test_a_name_is_text(web: Vm, now: datetime, name: str) -> None:
    """Whoever names a VM writes no markup, in the table of VMs or of alerts."""
    vm = replace(web, name=name, id=name)
    html = render_status(build_status([account(vm, now=now)], [alert(vm, now)], now, brief))

    assert "<script" not in html
    assert "<img" not in html
    assert "49" not in text_of(html)
    assert f'title="{_escaped(name)}"' in html


def _escaped(text: str) -> str:
    for raw, entity in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ('"', "&#34;"),
        ("'", "&#39;"),
    ):
        text = text.replace(raw, entity)
    return text


def test_the_policy_allows_the_style_of_the_page(now: datetime) -> None:
    """The hash is that of the style element, to the byte."""
    html = render_status(build_status([], [], now, brief))
    style = html[html.index("<style>") + 7 : html.index("</style>")]

    assert f"sha256-{b64encode(sha256(style.encode()).digest()).decode()}" == STYLE_HASH
    assert 1 == html.count("<style")
    assert 0 == html.count(' style="')


def test_counted() -> None:
    """One is not many."""
    assert ["0 VMs", "1 VM", "2 entries"] == [
        counted(0, "VM"),
        counted(1, "VM"),
        counted(2, "entry", "entries"),
    ]


@pytest.mark.parametrize(("interval", "seconds"), [(0.2, 1), (2, 2), (60, 60), (1.5, 2)])
def test_the_page_reloads_as_often_as_accounts_are_polled(
    now: datetime, interval: float, seconds: int
) -> None:
    """At most once a second, and the foot of the page says how often."""
    view = build_status([], [], now, brief, reload_after=timedelta(seconds=interval))
    html = render_status(view)

    assert f'<meta http-equiv="refresh" content="{seconds}">' in html
    assert f"this page reloads every {seconds} s" in html


def test_every_receiver_is_shown(web: Vm, now: datetime) -> None:
    """One that works, one that fails and why, one that was not notified yet; none is said too."""
    minute = timedelta(minutes=1)
    fails = ReceiverReport("ops", now - HOUR, now - 5 * minute, "<b>HTTP 503</b>", 2, now - HOUR)
    receivers = [ReceiverReport("chat", now - 3 * minute), fails, ReceiverReport("mail")]
    fleet = [account(web, now=now)]
    text = text_of(render_status(build_status(fleet, [], now, brief, receivers=receivers)))

    assert "chat works 3 min ago 17:14 UTC nothing" in text
    assert "ops failing since 5 min ago 17:12 UTC &lt;b&gt;HTTP 503&lt;/b&gt; 1 h ago" in text
    assert "2 messages the oldest 1 h ago" in text
    for at, words in ((now + 2 * minute, "17:19:00 UTC, in 2 min"), (now - minute, "now")):
        shown = build_status(fleet, [], now, brief, receivers=[replace(fails, next_try_at=at)])
        assert f"the oldest 1 h ago next try {words}" in text_of(render_status(shown))
    assert "mail not notified yet none yet nothing" in text
    alone = text_of(render_status(build_status(fleet, [], now, brief)))
    assert "none: nobody is notified" in alone

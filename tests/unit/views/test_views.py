import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from fluence_watch.alerting.attempts import mark
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.muting import Mute, Why
from fluence_watch.model.account import AccountBalance
from fluence_watch.model.billing import HOUR, METERED
from fluence_watch.model.finding import Fingerprint, Severity, ref
from fluence_watch.model.funding import FOREVER
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import Port
from fluence_watch.model.vm import Datacenter, Status, Vm
from fluence_watch.notify.render import brief
from fluence_watch.rules.low_balance import LowBalance
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.views.account import account_overview
from fluence_watch.views.alert import alert_view, finding_view
from fluence_watch.views.as_json import as_json
from fluence_watch.views.vm import vm_title, vm_view

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
WEB = Vm(
    id="0xA1b2c3d4e5f6",
    name="web-1",
    status=Status.SMALL_BALANCE,
    status_word="SmallBalance",
    price=MicroUsdc(298_160),
    reserved=MicroUsdc(300_000),
    spent=MicroUsdc(0),
    created_at=NOW - DAY,
    next_billing_at=NOW + HOUR,
    datacenter=Datacenter("FR", "PAR", 1, 4),
    public_ip="203.0.113.7",
    ports=(Port(22, 22, "tcp"), Port(8000, 8100, "udp")),
    os_image="ubuntu",
    vcpus=2,
    memory_bytes=4 * 2**30,
    storage_bytes=25 * 2**30,
)
BARE = Vm(id="0xb2", name=None, status=Status.UNKNOWN, status_word="")


def test_a_vm() -> None:
    """Under one name a thing: amounts as strings of decimals, times as RFC 3339."""
    assert {
        "account": "main",
        "vm_id": "0xA1b2c3d4e5f6",
        "vm_name": "web-1",
        "status": "small_balance",
        "status_word": "SmallBalance",
        "billed": True,
        "datacenter": "FR-PAR-1",
        "tier": 4,
        "public_ip": "203.0.113.7",
        "ports": ["22/tcp", "8000-8100/udp"],
        "os_image": "ubuntu",
        "vcpus": 2,
        "memory_bytes": 4294967296,
        "storage_bytes": 26843545600,
        "created_at": "2026-04-15T12:00:00Z",
        "epoch_seconds": 86400,
        "price_per_epoch": "0.298160",
        "reserved": "0.300000",
        "spent": "0.000000",
        "next_billing_at": "2026-04-16T13:00:00Z",
        "funded_until": "2026-04-17T13:00:00Z",
        "burn_per_day": "0.298160",
        "to_month_end": "4.472400",
    } == json.loads(json.dumps(as_json(vm_view("main", WEB, NOW))))


def test_what_is_unknown_of_a_vm() -> None:
    """It is null: never zero, never an empty text."""
    shown = as_json(vm_view("main", BARE, NOW, METERED))

    assert isinstance(shown, dict)
    assert {"account", "vm_id", "status", "status_word", "billed", "epoch_seconds"} == {
        key for key, value in shown.items() if value is not None
    }


def test_how_long_a_vm_is_funded() -> None:
    """One that costs nothing is funded forever, one that has ended is not."""
    free = replace(WEB, price=MicroUsdc(0))
    assert FOREVER == vm_view("main", free, NOW).funded_until
    assert '"forever"' == json.dumps(as_json(FOREVER))
    assert None is vm_view("main", replace(WEB, status=Status.TERMINATED), NOW).funded_until


def test_a_day_in_json() -> None:
    """A day is no time."""
    assert {"from": "2026-04-16", "at": "2026-04-16T12:00:00Z"} == as_json(
        {"from": NOW.date(), "at": NOW}
    )


def test_titles() -> None:
    """The name with the first characters of the id, harmless and bounded."""
    assert "web-1 (0xA1b2c3)" == vm_view("main", WEB, NOW).title
    assert "0xb2" == vm_view("main", BARE, NOW).title
    assert "a b (0x1)" == vm_title("0x1", "a\n\x1b\u202eb")
    assert 40 + len(" (0x1)") == len(vm_title("0x1", "x" * 99))


FACTS = LowBalance(ref(WEB), WEB.price, WEB.reserved, MicroUsdc(500_000), None, NOW + HOUR)
LOW = Fingerprint("main", "low_balance", WEB.key)


def test_an_alert() -> None:
    """What `alerts` and the status page share; the words come from outside."""
    alert = Alert(LOW, Severity.CRITICAL, State.FIRING, FACTS, NOW - HOUR, NOW - HOUR / 2)

    assert {
        "severity": "critical",
        "rule": "low_balance",
        "account": "main",
        "vm_id": "0xA1b2c3d4e5f6",
        "vm_name": "web-1",
        "what": "LowBalance as of 12:00",
        "state": "firing",
        "since": "2026-04-16T11:00:00Z",
        "fired_at": "2026-04-16T11:30:00Z",
        "ended_at": None,
        "id": mark(alert.episode),
        "muted": {
            "why": "silenced",
            "by": "5115",
            "until": "2026-04-16T13:00:00Z",
            "comment": "new disks",
        },
    } == as_json(
        alert_view(
            alert,
            NOW,
            lambda facts, now: f"{type(facts).__name__} as of {now:%H:%M}",
            Mute(Why.SILENCED, "5115", NOW + HOUR, "new disks"),
        )
    )
    assert alert_view(alert, NOW, brief).muted is None


def test_an_alert_that_is_over() -> None:
    """Its words are those of its end: what was ahead then may have come otherwise."""
    over = Alert(LOW, Severity.CRITICAL, State.RESOLVED, FACTS, NOW - HOUR, NOW, ends_at=NOW)

    told = alert_view(over, NOW + HOUR, lambda _, now: f"as of {now:%H:%M}")

    assert ("as of 12:00", NOW) == (told.what, told.ended_at)


def test_a_finding() -> None:
    """An alert without its history; one about the account has no VM."""
    found = finding_view(LOW, Severity.CRITICAL, FACTS, NOW, brief)
    failing = finding_view(
        Fingerprint("main", "poll_failing"), Severity.CRITICAL, PollFailing("x", "503"), NOW, brief
    )

    assert ["severity", "rule", "account", "vm_id", "vm_name", "what"] == list(
        as_json(found)  # type: ignore[arg-type] # it is an object
    )
    assert ("web-1 (0xA1b2c3)", "") == (found.title, failing.title)
    assert (None, None) == (failing.vm_id, failing.vm_name)


def test_an_account() -> None:
    """Its balance and how long that lasts, beside what its VMs cost."""
    ended = replace(WEB, id="0x2", status=Status.TERMINATED)
    money = AccountBalance(MicroUsdc(2_981_600), overage=MicroUsdc(0))

    assert {
        "account": "main",
        "vms": 2,
        "unread": 0,
        "disks": None,
        "public_ips": None,
        "gpus": None,
        "unlisted": [],
        "balance": "2.981600",
        "overage": "0.000000",
        "funded_until": "2026-04-26T12:00:00Z",
        "vms_removed_at": None,
        "disks_removed_at": None,
        "first_vm_out": "2026-04-17T13:00:00Z",
        "burn_per_day": "0.298160",
        "to_month_end": "4.472400",
        "unpriced": 0,
        "vms_unknown": 0,
        "first_vm": vm_title(WEB.id, WEB.name),
    } == as_json(account_overview("main", [WEB, ended], NOW, balance=money))


@pytest.mark.parametrize(
    ("vms", "unread", "incomplete"), [([WEB], 1, 0), ([WEB], 0, 1), ([WEB, BARE], 0, 0)]
)
def test_how_long_a_balance_lasts_for_what_is_not_known(
    vms: list[Vm], unread: int, incomplete: int
) -> None:
    """Nobody knows, while the balance itself is known."""
    money = AccountBalance(MicroUsdc(1))
    shown = account_overview(
        "main", vms, NOW, balance=money, unread=unread, complete=not incomplete
    )

    assert (Decimal("0.000001"), None) == (shown.balance, shown.funded_until)


def test_an_account_that_was_never_read() -> None:
    """All is unknown; an account without VMs costs nothing."""
    shown = as_json(account_overview("main", None, NOW))
    assert isinstance(shown, dict)
    assert {"account": "main", "unread": 0, "unlisted": []} == {
        k: v for k, v in shown.items() if v is not None
    }
    assert Decimal(0) == account_overview("main", [], NOW).burn_per_day


def test_what_json_does_not_have() -> None:
    """A value without a rule is an error, not a guess: a float is no amount."""
    with pytest.raises(TypeError, match="float has no form in JSON"):
        as_json({"price": [0.1]})

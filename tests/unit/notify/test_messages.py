"""Every message as people get it, against the files in `tests/golden/messages/`.

After a wording was changed on purpose, `REWRITE_GOLDEN=1 pytest tests/unit/notify` writes the
files anew; the difference is then reviewed like code.
"""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from fluence_watch.alerting.escalation import Escalated
from fluence_watch.alerting.grouping import Message, compose
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.telling import Line, Reason
from fluence_watch.app.wiring import RANKS
from fluence_watch.errors import NotifyError
from fluence_watch.model.budget import Spender
from fluence_watch.model.finding import WATCHER, Fingerprint, Severity, VmRef
from fluence_watch.model.known import Cause
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, ResourceRef
from fluence_watch.model.silenced import Hidden
from fluence_watch.model.spending import ThingSpending
from fluence_watch.model.vm import Status
from fluence_watch.notify.links import Links
from fluence_watch.notify.markup import BodyFormat
from fluence_watch.notify.render import (
    Rendered,
    render,
    render_plainly,
    render_test,
)
from fluence_watch.notify.words import words
from fluence_watch.rules import FACTS
from fluence_watch.rules.account_low import AccountLow
from fluence_watch.rules.bill_mismatch import BillMismatch, Charged, KindBill
from fluence_watch.rules.billing_due import BillingDue
from fluence_watch.rules.budget import BudgetForecast, BudgetSpent
from fluence_watch.rules.debt import Debt
from fluence_watch.rules.delivery_failing import DeliveryFailing, DeliveryRefused
from fluence_watch.rules.funds_exhausted_soon import FundsExhaustedSoon
from fluence_watch.rules.gpu_reserve import GpuReserve
from fluence_watch.rules.gpu_status import GpuNotStarted, GpuOver
from fluence_watch.rules.idle_resource import IdleResource
from fluence_watch.rules.locked_funds import LockedFunds
from fluence_watch.rules.low_balance import LowBalance
from fluence_watch.rules.overpriced import Overpriced
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.rules.port_drift import Direction, PortDrift
from fluence_watch.rules.price_changed import PriceChanged, ResourcePriceChanged
from fluence_watch.rules.public_ip_changed import PublicIpChanged
from fluence_watch.rules.runway import Runway
from fluence_watch.rules.silence_ending import SilenceEnding
from fluence_watch.rules.spend_anomaly import SpendAnomaly
from fluence_watch.rules.ssh_key_drift import KeyChange, SshKeyDrift
from fluence_watch.rules.topup_failed import ShortVms, TopupFailed
from fluence_watch.rules.unexpected_charge import UnexpectedCharge
from fluence_watch.rules.vm_appeared import VmAppeared
from fluence_watch.rules.vm_status import VmStatus
from fluence_watch.rules.vm_unreadable import MoneyUnknown, VmUnreadable
from fluence_watch.rules.vm_vanished import (
    FleetVanished,
    ResourcesVanished,
    ResourceVanished,
    VmVanished,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "messages"
SUFFIXES = {
    BodyFormat.PLAIN: "plain.txt",
    BodyFormat.TEXT: "txt",
    BodyFormat.MARKDOWN: "md",
    BodyFormat.HTML: "html",
    BodyFormat.MAIL: "mail.html",
    BodyFormat.PAGE: "page.html",
}
FEW = {  # of which the words are those of another format
    BodyFormat.PLAIN: ("hostile", "linked"),
    BodyFormat.PAGE: ("hostile", "port_drift", "mixed"),
    BodyFormat.MAIL: (
        "linked",
        "mixed",
        "port_drift",
        "hostile",
        "missed",
        "back_after_a_week",
        "test",
    ),
}
NOW = datetime(2026, 4, 16, 17, 17, tzinfo=UTC)
FIRED = NOW - timedelta(minutes=57)
DUE = NOW + timedelta(minutes=42)
DAY = NOW.date()
PRICE = 298_160
CRITICAL, WARNING, INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO

HOSTILE = "<!channel> @everyone <@42> <http://x|y> [a](b) `x` **b** _i_ \x1b[31m\u202e\u200b{{7*7}} &amp;\r\n"


def vm(number: int = 1, name: str | None = None) -> VmRef:
    return VmRef(f"0x311edb{number:034x}", name or f"web-{number}", "FR-PAR-1")


def fires(rule: str, facts: object, severity: Severity = CRITICAL, key: str = "") -> Alert:
    ref = getattr(facts, "vm", None)
    fingerprint = Fingerprint("main", rule, ref.id if ref else "", key)
    due = getattr(facts, "due_at", None)
    return Alert(fingerprint, severity, State.FIRING, facts, FIRED, FIRED, relevant_until=due)


def ended(alert: Alert) -> Alert:
    return replace(alert, state=State.RESOLVED, ends_at=NOW)


def message(*alerts: Alert, reason: Reason = Reason.FIRST) -> Message:
    """A message for this reason; of what is over, that it resolved."""
    return composed(lines(*alerts, reason=reason))


def lines(*alerts: Alert, reason: Reason = Reason.FIRST) -> list[Line]:
    over = Reason.MISSED if reason is Reason.MISSED else Reason.RESOLVED
    return [Line(a, over if a.state is State.RESOLVED else reason, NOW) for a in alerts]


def escalated(*alerts: Alert, told_at: datetime | None) -> list[Line]:
    """Lines about alerts that web-team did not acknowledge."""
    of = Escalated("web-team", told_at)
    return [Line(alert, Reason.ESCALATED, NOW, of) for alert in alerts]


def composed(of: list[Line]) -> Message:
    return compose("ops", of[0].alert.fingerprint.account, of, RANKS)


def low(number: int = 1, **changes: object) -> Alert:
    facts = LowBalance(vm(number), PRICE, 100_000, PRICE, DUE, DUE)
    return fires("low_balance", replace(facts, **changes))


def unfilled(number: int = 1, **changes: object) -> Alert:
    ends = NOW + timedelta(hours=23, minutes=3, seconds=7)
    facts = TopupFailed(
        vm(number), PRICE, 100_000, 198_160, 8_844_800, ends - timedelta(days=1), ends,
        25 * 2**30, "203.0.113.7",
    )  # fmt: skip
    return fires("topup_failed", replace(facts, **changes))


def vanished(**changes: object) -> Alert:
    seen, until = NOW - timedelta(minutes=2), NOW + timedelta(hours=28)
    facts = VmVanished(
        vm(), seen, "203.0.113.7", "active", 100_000, 2_345_678, until, ports=("22/tcp", "443/tcp")
    )
    return fires("vm_vanished", replace(facts, **changes))


def status(number: int, state: Status, word: str, reserved: int | None = 298_160) -> Alert:
    severity = CRITICAL if state is Status.TERMINATED else WARNING
    return fires("vm_status", VmStatus(vm(number), state, word, reserved), severity, state)


def moved(number: int = 1, **changes: object) -> Alert:
    facts = PublicIpChanged(vm(number), "203.0.113.7", "203.0.113.8")
    return fires("public_ip_changed", replace(facts, **changes), INFO, NOW.isoformat())


def priced(number: int, new: int, percent: str | None, old: int = PRICE) -> Alert:
    until = DUE if new else None
    change = Decimal(percent) if percent else None
    facts = PriceChanged(vm(number), old, new, new - old, change, until)
    return fires("price_changed", facts, WARNING, NOW.isoformat())


def of_metered(alert: Alert) -> Alert:
    """The same in an account that pays every second: nothing is reserved."""
    facts: Any = alert.facts
    none = {"funded_until": None} if hasattr(facts, "funded_until") else {"reserved": None}
    return replace(alert, facts=replace(facts, **none, metered=True))


def key(direction: KeyChange, name: str = "laptop", **changes: object) -> Alert:
    facts = SshKeyDrift(direction, name, f"SHA256:{name}", "ssh-ed25519", "me@home")
    return fires("ssh_key_drift", replace(facts, **changes), WARNING, f"{direction}:{name}")


def poor(**changes: object) -> Alert:
    dry = NOW + timedelta(days=2, hours=11)
    facts = replace(AccountLow(2_500_000, 1_015_000, Decimal("2.4"), dry, 2), **changes)
    return fires("account_low", facts, WARNING if facts.balance > 0 else CRITICAL)


def ending(severity: Severity = WARNING, **changes: object) -> Alert:
    dry = NOW + timedelta(days=2, hours=11)
    account = Runway(2_500_000, 1_015_000, Decimal("2.4"), dry)
    first_ends_at = dry + timedelta(hours=13)
    facts = FundsExhaustedSoon(dry, vm(), first_ends_at, 0, 27_950_000, account)
    return fires("funds_exhausted_soon", replace(facts, **changes), severity)


def fleet() -> Alert:
    until = NOW + timedelta(hours=6)
    facts = FleetVanished(48, 50, NOW - timedelta(minutes=2), (vm(1), vm(2)), until)
    return fires("vm_vanished", facts, key="fleet")


def drift(port: str, direction: Direction, number: int = 1) -> Alert:
    severity = CRITICAL if port == "22/tcp" else WARNING
    closable = (port,) if direction is Direction.OPENED else ()
    lists = (("22/tcp",), ("443/tcp", "8080/tcp"), closable)
    facts = PortDrift(vm(number), port, direction, number > 1, *lists)
    return fires("port_drift", facts, severity, f"{direction}:{port}")


def due(
    number: int, minutes: float, price: int | None = PRICE, reserved: int | None = PRICE
) -> Alert:
    at = NOW + timedelta(minutes=minutes, seconds=40 if minutes == 2 else 0)
    facts = BillingDue(vm(number), price, at, reserved)
    return fires("billing_due", facts, INFO, at.isoformat())


def failing(reason: str, text: str = "HTTP 401: invalid key") -> Alert:
    return fires("poll_failing", PollFailing(reason, text))


def unreadable(number: int, where: str = ".pricePerEpoch") -> Alert:
    facts = VmUnreadable(vm(number), where, "Expected `int`, got `<b>`")
    return fires("vm_unreadable", facts, WARNING)


def unpriced(number: int, *unknown: str) -> Alert:
    return fires("vm_unreadable", MoneyUnknown(vm(number), unknown), WARNING, "money")


def idle(kind: Kind, name: str | None = "data", per_month: int | None = 288_000_000) -> Alert:
    detail = "2000 GB" if kind is Kind.DISK else "203.0.113.9"
    thing = ResourceRef(kind, "0b5c1e77-8a1c-4a4e-9d6c-6f1f8e2a9b10", name, detail)
    alert = fires("idle_resource", IdleResource(thing, per_month), WARNING)
    return replace(alert, fingerprint=Fingerprint("main", "idle_resource", f"{kind}:{thing.id}"))


def billed(miss: int = 2_280_000) -> Alert:
    day, hours = date(2025, 5, 31), Decimal(24)
    kinds = (
        KindBill("disk", 9_600_000 + miss, 9_600_000, 9_600_000),
        KindBill("vm", 480_000, 400_000, 480_000),
        KindBill("other", 700_000, 0, None),
    )
    odd = (
        Charged("disk", "d165a65b-8a1c", "archive", hours, 9_600_000 + miss, 9_600_000),
        Charged("subnet", "0b5c1e77-8a1c", HOSTILE, Decimal("1.5"), 700_000, None),
    )
    charged = sum(each.charged for each in kinds)
    facts = BillMismatch(
        day, charged, 10_000_000, 10_080_000, miss, 2, kinds, odd if miss > 0 else ()
    )
    return fires("bill_mismatch", facts, WARNING)


def lost(kind: Kind, *, attached: bool = True, in_debt: bool = False) -> Alert:
    thing = idle(kind).facts.resource
    since = NOW - timedelta(minutes=2)
    facts = ResourceVanished(thing, since - timedelta(minutes=1), since, attached, in_debt)
    alert = fires("vm_vanished", facts)
    return replace(alert, fingerprint=Fingerprint("main", "vm_vanished", f"{kind}:{thing.id}"))


def lost_list() -> Alert:
    some, until = (idle(Kind.DISK).facts.resource,), NOW + timedelta(hours=6)
    facts = ResourcesVanished(Kind.DISK, 14, 16, NOW - timedelta(minutes=2), some, until)
    return fires("vm_vanished", facts, key="disks")


def dearer(kind: Kind, old: int, new: int) -> Alert:
    thing = idle(kind).facts.resource
    percent = Decimal(100 * (new - old)) / old
    facts = ResourcePriceChanged(
        thing, old, new, new - old, percent.quantize(Decimal("0.1")), 720 * new
    )
    alert = fires("price_changed", facts, WARNING, NOW.isoformat())
    return replace(alert, fingerprint=Fingerprint("main", "price_changed", f"{kind}:{thing.id}"))


def overpriced(**changes: object) -> Alert:
    facts = Overpriced(
        vm(), None, 1_200_000, 900_000, "FR-PAR-1", is_elsewhere=False, saving=9_000_000
    )
    alert = fires("overpriced", replace(facts, **changes), INFO)
    thing = alert.facts.resource
    subject = f"{thing.kind}:{thing.id}" if thing else alert.fingerprint.subject
    return replace(alert, fingerprint=Fingerprint("main", "overpriced", subject))


def miscounted(number: int, boundaries: int, charged: int, **changes: object) -> Alert:
    """One whose charge does not fit what the boundaries cost."""
    cost = boundaries * PRICE
    facts = UnexpectedCharge(vm(number), FIRED, boundaries, cost, cost, charged, PRICE)
    return fires("unexpected_charge", replace(facts, **changes), WARNING, FIRED.isoformat())


def appeared(number: int = 1, **changes: object) -> Alert:
    ports, made_at = ("22/tcp", "443/tcp"), FIRED - timedelta(seconds=40)
    facts = VmAppeared(vm(number), PRICE, PRICE, made_at, DUE, ports, "203.0.113.7")
    return fires("vm_appeared", replace(facts, **changes), WARNING, FIRED.isoformat())


def locked(number: int = 1) -> Alert:
    return fires("locked_funds", LockedFunds(vm(number), 298_160), WARNING)


GPU = ResourceRef(Kind.GPU_CONTAINER, "b54672e2-0a8b-490f", "trainer", "1 x a100")


def starving(**changes: object) -> Alert:
    facts = GpuReserve(GPU, 1_220_000, 1_220_000, 1_220_000, DUE)
    return of_gpu("gpu_reserve", replace(facts, **changes))


def of_gpu(rule: str, facts: object, severity: Severity = CRITICAL, key: str = "") -> Alert:
    alert = fires(rule, facts, severity)
    return replace(alert, fingerprint=Fingerprint("main", rule, f"gpu_container:{GPU.id}", key))


NOT_STARTED = of_gpu("gpu_status", GpuNotStarted(GPU, 29_280_000), WARNING, "not_started")
GPU_ENDED = of_gpu("gpu_status", GpuOver(GPU, "ended", FIRED, 26_800_000), WARNING, "ended")
GPU_FAILED = of_gpu(
    "gpu_status",
    GpuOver(ResourceRef(Kind.GPU_VM, "05cdd5fc", None), "failed", FIRED, None),
    WARNING,
    "failed",
)


def indebted(**changes: object) -> Alert:
    vms_at, disks_at = NOW + timedelta(hours=50), NOW + timedelta(days=12)
    facts = Debt(4_500_000, 9_840_000, vms_at, disks_at, 1, 2, 2, to_add=299_700_000)
    return fires("debt", replace(facts, **changes))


def budgeted(spent: int, facts: type[BudgetSpent] = BudgetSpent, **changes: object) -> Alert:
    """A budget of 100 USDC on the 16th of April, of which so much is spent."""
    largest = tuple(
        Spender("main", key, kind, name, MicroUsdc(amount))
        for key, kind, name, amount in (
            ("0x311edb01", "vm", "train-1", 31_200_000),
            ("disk:d165a65b-8a1c", "disk", None, 9_600_000),
            ("0x311edb02", "vm", HOSTILE, 1_200_000),
        )
    )
    limit, ends_at = MicroUsdc(100_000_000), datetime(2026, 5, 1, tzinfo=UTC)
    forecast = MicroUsdc(2 * spent)
    known = facts(
        "team", limit, MicroUsdc(spent), spent // 10**6, forecast, largest, ends_at, **changes
    )
    alert = fires("budget", known, CRITICAL if spent >= limit else WARNING)
    key = "2026-04 of 100.000000"
    return replace(alert, fingerprint=Fingerprint(WATCHER, "budget", "budget:team", key))


REACHED = NOW.replace(day=25, minute=0)
HALF = budgeted(52_500_000, reached_at=REACHED)
COMING = budgeted(52_500_000, BudgetForecast, reached_at=REACHED)


def odd_spending() -> Alert:
    things = (
        ThingSpending("0x311edb01", "vm", "train-1", MicroUsdc(31_200_000), MicroUsdc(0), DAY),
        ThingSpending("disk:d165a65b", "disk", None, MicroUsdc(9_600_000), MicroUsdc(4_800_000)),
        ThingSpending("0x311edb02", "vm", HOSTILE, MicroUsdc(1_200_000), MicroUsdc(0), DAY),
    )
    spent, usual = MicroUsdc(62_500_000), MicroUsdc(21_000_000)
    return fires("spend_anomaly", SpendAnomaly(DAY, 9, spent, usual, 28, things), WARNING)


def refusing(receiver: str = "chat", **changes: object) -> Alert:
    facts = DeliveryFailing(receiver, "HTTP 503: try later", 2, NOW - timedelta(minutes=59))
    alert = fires("delivery_failing", replace(facts, **changes))
    return replace(alert, fingerprint=Fingerprint(WATCHER, "delivery_failing", receiver))


def silence_ends(*alerts: Hidden, comment: str = "new disks on Friday", number: int = 0) -> Alert:
    number, until = number or len(alerts), NOW + timedelta(hours=23, minutes=12)
    facts = SilenceEnding(
        "c0ffee00", 'vm_name=~"web-.*"', comment, "ann", until, alerts, number
    )  # fmt: skip
    alert = fires("silence_ending", facts, WARNING)
    fingerprint = Fingerprint(WATCHER, "silence_ending", "silence:c0ffee00")
    return replace(alert, fingerprint=fingerprint, active_at=NOW, relevant_until=until)


HIDDEN = Hidden("main", "low_balance", vm()), Hidden("second", "debt")


def refused() -> Alert:
    alerts = tuple(f"main low_balance 0x311edb{number}" for number in range(5))
    alert = fires("delivery_failing", DeliveryRefused("ops", alerts, 7))
    fingerprint = Fingerprint(WATCHER, "delivery_failing", "ops", "refused")
    return replace(alert, fingerprint=fingerprint)


SIGNED = Links("https://watch.example.com/fw", "s" * 32)
REFUSED = refused()
ODD = replace(low(), fingerprint=Fingerprint("main", "low_balance", HOSTILE))
OPENED = [drift("8080/tcp", Direction.OPENED), drift("443/tcp", Direction.OPENED)]
CLOSED = drift("22/tcp", Direction.CLOSED, 2)
UNKNOWN = low(3, reserved=None, needed=None, next_billing_at=None, funded_until=None)
BROKE = low(2, funded_until=NOW - timedelta(hours=1), status="InsufficientFunds")
UNFILLED = [
    unfilled(2, reserved=0, missing=PRICE, status="InsufficientFunds", disk_bytes=None),
    unfilled(3, ends_at=NOW - timedelta(seconds=30), public_ip=None, for_month=None),
    unfilled(4, ends_at=None),
]
SHORT = ShortVms(
    4, MicroUsdc(3_561_000), MicroUsdc(106_830_000), NOW + timedelta(hours=9, seconds=3)
)
UNFILLED_TOGETHER = [
    unfilled(together=SHORT),
    unfilled(2, together=replace(SHORT, for_month=None), ends_at=NOW - timedelta(seconds=30)),
]
ALONE = ending(account=None, alone=2, to_add=17_293_280, until=DUE, first_ends_at=DUE)
SPENT = ending(
    CRITICAL,
    account=Runway(0, 1_015_000, Decimal(0), NOW, days_left=0),
    until=NOW, first_ends_at=DUE, to_add=30_450_000,
)  # fmt: skip
ENDING_METERED = ending(
    first=None,
    first_ends_at=None,
    account=Runway(
        2_500_000, 1_015_000, Decimal("2.4"), NOW + timedelta(days=2, hours=11), 1, 1, ("disks",),
        metered=True, vms_at=NOW + timedelta(days=5), disks_at=NOW + timedelta(days=15),
    ),
)  # fmt: skip
OWING = ending(
    CRITICAL, until=None, first=None, first_ends_at=None, to_add=4_500_000,
    account=Runway(-4_500_000, 0, Decimal(0), None, metered=True),
)  # fmt: skip
LAPSED = vanished(funded_until=NOW - timedelta(hours=1), cause=Cause.FUNDS)
DELETED = vanished(cause=Cause.USER)
MYSTERY = vanished(spent=None, reserved=None, funded_until=None)
TERMINATING = vanished(
    cause=Cause.PROVIDER, status="terminating", public_ip=None, ports=None, funded_until=None
)
STATES = [
    status(1, Status.TERMINATED, "Terminated"),
    status(2, Status.TERMINATED, "terminated", None),
    status(3, Status.STOPPED, "Stopped"),
    status(4, Status.FAILED, "failed", None),
    status(5, Status.SUSPENDING, "suspending"),
]
PRICES = [priced(1, 350_000, "17.4"), priced(2, 0, "-100.0"), priced(3, PRICE, None, 0)]
KEYS = [key(KeyChange.ADDED), key(KeyChange.REMOVED, name="old", algorithm=None, comment=None)]
DRY = poor(balance=-1, days=Decimal("0.0"), dry_at=NOW, days_left=None, uncounted=2)
DEBT = poor(balance=-4_500_000, burn_per_day=0, days=Decimal(0), dry_at=None, days_left=None)
NO_RESERVE: dict[str, Any] = {
    "metered": True, "reserved": None, "spent": None, "funded_until": None,
}  # fmt: skip
METERED = poor(
    metered=True,
    vms_at=NOW + timedelta(days=5),
    disks_at=NOW + timedelta(days=15),
    uncounted=1,
    days_left=1,
)
METERED_DRY = poor(
    balance=0, days=Decimal(0), dry_at=NOW, days_left=0, metered=True, unlisted=("disks",),
    vms_at=NOW + timedelta(days=3), disks_at=NOW + timedelta(days=13),
)  # fmt: skip
IDLE = [idle(Kind.DISK), idle(Kind.PUBLIC_IP, None), idle(Kind.DISK, HOSTILE, None)]
OVERPRICED = [
    overpriced(),
    overpriced(
        vm=None, resource=idle(Kind.DISK).facts.resource, place=None, is_elsewhere=True,
        per_day=9_600_000, asked=4_800_000, saving=144_000_000,
    ),
    overpriced(vm=None, resource=GPU, place=HOSTILE, is_elsewhere=True),
    overpriced(vm=None, resource=idle(Kind.PUBLIC_IP, None).facts.resource),
]  # fmt: skip
MISCOUNTED = [
    miscounted(1, 1, 2 * PRICE),
    miscounted(2, 1, 0),
    miscounted(3, 0, PRICE),
    miscounted(4, 3, 2 * PRICE),
    miscounted(5, 1, 310_000, low=PRICE, high=300_000),
    miscounted(6, 0, -PRICE),
]
APPEARED = [
    appeared(),
    appeared(
        2, price=None, spent=None, created_at=None, next_billing_at=None, ports=None, public_ip=None
    ),
    appeared(3, spent=None, next_billing_at=None, ports=(), metered=True),
]
MANY = [low(number) for number in range(200)] + [
    drift("1/tcp", Direction.OPENED, n) for n in range(300)
]
WEEK = [  # 500 alerts fired and ended while the receiver was away, 40 still fire
    *lines(*(low(number) for number in range(40))),
    *lines(
        *(
            replace(
                ended(drift(f"{port}/tcp", Direction.OPENED)), ends_at=NOW - timedelta(minutes=3)
            )
            for port in range(1, 501)
        ),
        reason=Reason.MISSED,
    ),
]
AWAY = composed(WEEK)
NASTY_VM = VmRef(HOSTILE, HOSTILE * 50, HOSTILE)
NASTY = [
    low(4, vm=NASTY_VM, status=HOSTILE),
    fires("vm_status", VmStatus(NASTY_VM, Status.STOPPED, HOSTILE, None), WARNING),
    moved(vm=NASTY_VM, old=HOSTILE, new=HOSTILE * 9),
    key(
        KeyChange.ADDED,
        HOSTILE,
        fingerprint="'; rm -rf / #" + HOSTILE,
        algorithm=HOSTILE,
        comment=HOSTILE * 9,
    ),
    key(KeyChange.REMOVED, "\u200b", fingerprint=""),
    failing("refused", HOSTILE * 100),
]

CASES: dict[str, Callable[[BodyFormat], Rendered]] = {
    name: lambda fmt, made=made: render(made, fmt, NOW)
    for name, made in {
        "low_balance": message(low(), BROKE, UNKNOWN),
        "low_balance_repeated": message(low(), reason=Reason.REPEAT),
        "low_balance_worse": message(low(reserved=0), reason=Reason.WORSE),
        "low_balance_resolved": message(ended(low())),
        "topup_failed": message(unfilled(), *UNFILLED),
        "topup_failed_together": message(*UNFILLED_TOGETHER),
        "topup_failed_worse": message(
            unfilled(ends_at=NOW + timedelta(minutes=42, seconds=7)), reason=Reason.WORSE
        ),
        "topup_failed_resolved": message(ended(unfilled())),
        "funds_exhausted_soon": message(ending()),
        "funds_exhausted_soon_alone": message(ALONE),
        "funds_exhausted_soon_dry": message(SPENT, reason=Reason.WORSE),
        "funds_exhausted_soon_metered": message(ENDING_METERED),
        "funds_exhausted_soon_debt": message(OWING),
        "funds_exhausted_soon_resolved": message(ended(ending())),
        "vm_vanished": message(vanished()),
        "vm_vanished_unfunded": message(LAPSED),
        "vm_vanished_deleted": message(DELETED),
        "vm_vanished_unknown": message(MYSTERY),
        "vm_vanished_resolved": message(ended(vanished())),
        "vm_vanished_terminating": message(TERMINATING),
        "vm_vanished_metered": message(
            vanished(**NO_RESERVE), vanished(**NO_RESERVE, cause=Cause.PROVIDER, vm=vm(2))
        ),
        "vm_vanished_metered_debt": message(vanished(**NO_RESERVE, cause=Cause.FUNDS)),
        "fleet_vanished": message(fleet()),
        "fleet_vanished_resolved": message(ended(fleet())),
        "port_drift": message(*OPENED, CLOSED),
        "port_drift_resolved": message(*map(ended, OPENED)),
        "vm_status": message(*STATES),
        "vm_status_metered": message(*map(of_metered, STATES)),
        "vm_status_resolved": message(ended(STATES[2]), ended(STATES[4])),
        "public_ip_changed": message(moved()),
        "unexpected_charge": message(*MISCOUNTED),
        "unexpected_charge_one": message(MISCOUNTED[0]),
        "vm_appeared": message(*APPEARED),
        "vm_appeared_again": message(
            appeared(returned=True, created_at=NOW - timedelta(days=90), spent=90 * PRICE)
        ),
        "locked_funds": message(locked(), locked(2)),
        "locked_funds_resolved": message(ended(locked())),
        "price_changed": message(*PRICES),
        "price_changed_metered": message(*map(of_metered, PRICES)),
        "price_changed_resources": message(
            dearer(Kind.DISK, 400_000, 500_000), dearer(Kind.PUBLIC_IP, 4_000, 2_000)
        ),
        "vm_vanished_resources": message(
            lost(Kind.DISK), lost(Kind.PUBLIC_IP, attached=False), lost(Kind.DISK, in_debt=True)
        ),
        "vm_vanished_resources_resolved": message(ended(lost(Kind.DISK))),
        "vm_vanished_list": message(lost_list()),
        "vm_vanished_list_resolved": message(ended(lost_list())),
        "bill_mismatch": message(billed()),
        "bill_mismatch_short": message(billed(-1_000_000)),
        "bill_mismatch_resolved": message(ended(billed())),
        "budget": message(HALF),
        "budget_calm": message(
            replace(budgeted(50_000_000), facts=replace(HALF.facts, forecast=None, reached_at=None))
        ),
        "budget_worse": message(budgeted(100_000_000), reason=Reason.WORSE),
        "budget_exceeded": message(budgeted(130_000_001), reason=Reason.WORSE),
        "budget_forecast": message(COMING),
        "budget_forecast_least": message(
            replace(COMING, facts=replace(COMING.facts, is_least=True))
        ),
        "budget_forecast_late": message(budgeted(130_000_001, BudgetForecast)),
        "budget_both": message(HALF, replace(COMING, fingerprint=HALF.fingerprint)),
        "budget_resolved": message(ended(HALF), ended(COMING)),
        "spend_anomaly": message(odd_spending()),
        "spend_anomaly_resolved": message(ended(odd_spending())),
        "ssh_key_drift": message(*KEYS),
        "account_low": message(poor()),
        "account_low_dry": message(DRY),
        "account_low_debt": message(DEBT),
        "account_low_resolved": message(ended(poor())),
        "account_low_metered": message(METERED),
        "account_low_metered_dry": message(METERED_DRY),
        "idle_resource": message(*IDLE),
        "idle_resource_resolved": message(ended(IDLE[0])),
        "overpriced": message(*OVERPRICED),
        "overpriced_resolved": message(*map(ended, OVERPRICED[:2])),
        "gpu_reserve": message(starving(), starving(reserved=100_000, missing=2_340_000)),
        "gpu_reserve_worse": message(starving(reserved=0), reason=Reason.WORSE),
        "gpu_reserve_resolved": message(ended(starving())),
        "gpu_status": message(NOT_STARTED, GPU_ENDED, GPU_FAILED),
        "gpu_status_resolved": message(ended(NOT_STARTED)),
        "debt": message(indebted()),
        "debt_late": message(indebted(vms_at=NOW, uncounted=True), reason=Reason.WORSE),
        "debt_of_deleted": message(
            indebted(burn_per_day=0, vms=0, public_ips=0, disks=0, to_add=4_500_000)
        ),
        "debt_of_missing": message(indebted(gpus=1, missing=2)),
        "debt_resolved": message(ended(indebted())),
        "events_resolved": message(
            *map(ended, [moved(), PRICES[0], KEYS[0], MISCOUNTED[0], APPEARED[0]])
        ),
        "billing_due": message(due(1, -7 + 42), due(2, 40), due(3, 42, None)),
        "billing_due_apart": message(due(1, 0.45), due(2, 1.15), due(3, 1.15)),
        "billing_due_one": message(due(1, 42)),
        "billing_due_soon": message(due(1, 2)),
        "billing_due_unfunded": message(due(1, 42, reserved=100_000)),
        "poll_failing": message(failing("unauthorized")),
        "poll_failing_unreadable": message(
            failing("unreadable", "2 VMs: [0].price: <b>; [1]: bad")
        ),
        "vm_unreadable": message(unreadable(1), unreadable(2, "")),
        "vm_unreadable_resolved": message(ended(unreadable(1))),
        "money_unknown": message(unpriced(1, "price"), unpriced(2, "reserve", "next charge")),
        "money_unknown_resolved": message(ended(unpriced(1, "price"))),
        "poll_failing_internal": message(failing("internal_error", "KeyError in rules/low.py:3")),
        "poll_failing_overdue": message(failing("overdue", "no poll has ended for 3 min")),
        "poll_failing_resolved": message(ended(failing("unauthorized"))),
        "delivery_failing": message(refusing()),
        "delivery_failing_several": message(refusing(error=HOSTILE), refusing("pager", waiting=1)),
        "delivery_failing_idle": message(refusing(waiting=0, oldest_at=None)),
        "delivery_failing_resolved": message(ended(refusing())),
        "delivery_refused": message(REFUSED),
        "delivery_refused_resolved": message(ended(REFUSED)),
        "silence_ending": message(silence_ends(*HIDDEN)),
        "silence_ending_many": message(silence_ends(*HIDDEN, comment=HOSTILE, number=22)),
        "silence_ending_bare": message(silence_ends(*HIDDEN[:1], comment="")),
        "silence_ending_resolved": message(ended(silence_ends(*HIDDEN))),
        "missed": composed(
            [
                *lines(low(), CLOSED),
                *lines(*map(ended, OPENED), due(1, -7), ended(STATES[0]), reason=Reason.MISSED),
                *lines(ended(refusing()), ended(poor()), ended(fleet()), reason=Reason.MISSED),
                *lines(*map(ended, [MISCOUNTED[0], APPEARED[0], locked()]), reason=Reason.MISSED),
            ]
        ),
        "missed_alone": message(ended(vanished()), ended(failing("refused")), reason=Reason.MISSED),
        "back_after_a_week": AWAY,
        "escalated": composed(
            [
                *escalated(low(), *OPENED, told_at=FIRED),
                *escalated(due(1, 42), told_at=None),
                *lines(CLOSED),
            ]
        ),
        "mixed": message(low(), CLOSED, due(1, 42), ended(vanished())),
        "many": message(*MANY),
        "hostile": message(*NASTY),
        "linked": SIGNED.on(message(low(), *OPENED, idle(Kind.DISK), ended(vanished())), NOW),
        "linked_alone": Links("https://watch.example.com/fw").on(message(low()), NOW),
        "linked_missed": SIGNED.on(message(ended(low()), reason=Reason.MISSED), NOW),
    }.items()
} | {
    "plainest": lambda fmt: render_plainly(
        message(ODD, low(), ended(drift("80/tcp", Direction.OPENED))), fmt
    ),
    "test": lambda fmt: render_test("ops", fmt, NOW),
}


GOLDENS = [
    (case, fmt) for case in CASES for fmt in BodyFormat if fmt not in FEW or case in FEW[fmt]
]


@pytest.mark.parametrize(("case", "fmt"), GOLDENS)
def test_message_reads_as_its_golden_file(case: str, fmt: BodyFormat) -> None:
    """Title, type and body are exactly those of the file."""
    made = CASES[case](fmt)
    actual = f"{made.title}\n({made.kind})\n\n{made.body}\n"
    path = GOLDEN / f"{case}.{SUFFIXES[fmt]}"
    if os.environ.get("REWRITE_GOLDEN"):
        path.write_text(actual, encoding="utf-8")

    assert path.read_text(encoding="utf-8") == actual


def test_no_golden_file_is_left_over() -> None:
    """Every file belongs to a case."""
    expected = {f"{case}.{SUFFIXES[fmt]}" for case, fmt in GOLDENS}

    assert expected == {path.name for path in GOLDEN.iterdir()}


def test_every_type_of_facts_has_a_template_and_no_template_is_stray() -> None:
    """A new rule cannot forget its words."""
    templates = {path.name for path in (files("fluence_watch.notify") / "templates").iterdir()}

    assert {f"{facts}.jinja" for facts in FACTS} == {
        name for name in templates if not name.startswith("_")
    }


@pytest.mark.parametrize("facts", FACTS)
def test_every_template_can_say_all_that_is_asked_of_it(facts: str) -> None:
    """A new rule cannot forget its title."""
    module = words(BodyFormat.TEXT).get_template(f"{facts}.jinja").make_module({"now": NOW})

    assert all(
        callable(getattr(module, macro, None))
        for macro in ("fires", "resolved", "title", "missed", "brief")
    )


TITLES = {
    "WARNING account main spends more than usual: 62.500000 USDC today, not 21.000000": message(
        odd_spending()
    ),
    "WARNING budget team: 52 % of 100.000000 USDC is spent": message(HALF),
    "CRITICAL budget team: all of 100.000000 USDC is spent": message(budgeted(100_000_000)),
    "WARNING budget team: 2026-04 comes to 105.000000 USDC of 100.000000 USDC": message(COMING),
    "CRITICAL web-1 ends 17:59 UTC (in 42 min): top up 0.20 USDC": message(low()),
    "CRITICAL web-2 is out of funds: top up 0.20 USDC": message(BROKE),
    "CRITICAL web-3 has a low reserve: top up the account": message(UNKNOWN),
    "RESOLVED web-1 has enough reserve again": message(ended(low())),
    "CRITICAL web-1 ends 2026-04-17 16:20:07 UTC (in 23 h 3 min): top up 0.20 USDC": message(
        unfilled()
    ),
    "CRITICAL web-2 was not topped up: top up 3.57 USDC for 4 VMs now": message(
        UNFILLED_TOGETHER[1]
    ),
    "CRITICAL web-4 was not topped up: top up 0.20 USDC now": message(UNFILLED[2]),
    "RESOLVED web-1 is topped up again": message(ended(unfilled())),
    "WARNING account main has money until 2026-04-19 04:17 UTC (in 2 d 11 h): add 27.95 USDC": message(
        ending()
    ),
    "CRITICAL account main is out of funds: add 4.50 USDC": message(OWING),
    "RESOLVED account main has enough money again": message(ended(ending())),
    "WARNING account main runs out of funds 2026-04-19 04:17 UTC (in 2 d 11 h): 2.500000 USDC left": message(
        poor()
    ),
    "CRITICAL account main is out of funds: top it up now": message(DRY),
    "RESOLVED account main has enough for its VMs again": message(ended(poor())),
    "CRITICAL web-1 is missing since 16:20 UTC: cause unknown": message(vanished()),
    "CRITICAL web-1 is missing since 16:20 UTC: ran out of funds": message(LAPSED),
    "CRITICAL web-1 is missing since 16:20 UTC: was being terminated": message(TERMINATING),
    "RESOLVED web-1 is in the list again": message(ended(vanished())),
    "CRITICAL 48 of 50 VMs of account main left the list in the same poll": message(fleet()),
    "RESOLVED the list of VMs of account main is trusted again": message(ended(fleet())),
    "CRITICAL web-2: 22/tcp is closed and should be open": message(CLOSED),
    "RESOLVED web-2: 22/tcp is as expected again": message(ended(CLOSED)),
    "WARNING web-1: 8080/tcp is open and should not be": message(OPENED[0]),
    "RESOLVED web-1: 8080/tcp is as expected again": message(ended(OPENED[0])),
    "CRITICAL web-1 was terminated": message(STATES[0]),
    "WARNING web-3 is stopped": message(STATES[2]),
    "RESOLVED web-3 is active again": message(ended(STATES[2])),
    "WARNING SSH key laptop was added to account main": message(KEYS[0]),
    "WARNING SSH key old was removed from account main": message(KEYS[1]),
    "WARNING web-1 was charged 0.596320 USDC instead of 0.298160 USDC": message(MISCOUNTED[0]),
    "WARNING web-2 was not charged at all": message(MISCOUNTED[1]),
    "WARNING web-3 was charged 0.298160 USDC without a boundary": message(MISCOUNTED[2]),
    "WARNING web-1 is new in account main: 0.298160 USDC an epoch": message(appeared()),
    "WARNING web-2 is new in account main": message(APPEARED[1]),
    "WARNING web-1 has ended and keeps 0.298160 USDC": message(locked()),
    "RESOLVED web-1 no longer keeps money": message(ended(locked())),
    "WARNING web-1 costs 0.350000 USDC an epoch, was 0.298160": message(PRICES[0]),
    "INFO web-1 has the address 203.0.113.8, was 203.0.113.7": message(moved()),
    "INFO web-1 is charged 17:59 UTC (in 42 min): 0.298160 USDC": message(due(1, 42)),
    "INFO web-1 would cost 9.000000 USDC less in 30 days at the same place": message(overpriced()),
    "INFO disk data (0b5c1e77) would cost 144.000000 USDC less in 30 days in another place": message(
        OVERPRICED[1]
    ),
    "RESOLVED web-1 no longer costs much more than the market asks": message(ended(overpriced())),
    "INFO web-1 is charged 17:59 UTC (in 42 min)": message(due(1, 42, None)),
    "CRITICAL account main cannot be polled: rate limited": message(failing("rate_limited")),
    "CRITICAL account main has an incomplete list of VMs": message(failing("incomplete")),
    "RESOLVED account main is polled again": message(ended(failing("refused"))),
    "CRITICAL web-1 is missing since 16:20 UTC: cause unknown (1 resolved)": message(
        vanished(), ended(low(2))
    ),
    "[FIRING:2] port_drift · main": message(*OPENED),
    "[FIRING:2] low_balance, port_drift · main": message(low(), CLOSED, ended(vanished())),
    "[RESOLVED:2] port_drift · main": message(*map(ended, OPENED)),
    "[MISSED:1] port_drift · main": message(ended(CLOSED), reason=Reason.MISSED),
    "CRITICAL web-1 ends 17:59 UTC (in 42 min): top up 0.30 USDC (worse)": message(
        low(reserved=0), reason=Reason.WORSE
    ),
    "CRITICAL web-1 ends 17:59 UTC (in 42 min): top up 0.20 USDC (escalated)": composed(
        escalated(low(), told_at=FIRED)
    ),
    "CRITICAL receiver ops refuses 7 alerts": message(REFUSED),
}


@pytest.mark.parametrize("title", TITLES)
def test_title_says_the_one_thing_itself(title: str) -> None:
    """Of several it says the rules and how many, for what they are is below."""
    assert title == render(TITLES[title], BodyFormat.TEXT, NOW).title


@pytest.mark.parametrize(
    "reason",
    [
        "unauthorized", "unreachable", "rate_limited", "server_error", "refused",
        "unexpected_payload", "body_too_large", "incomplete", "error",
    ],
)  # fmt: skip
def test_every_reason_of_a_failing_poll_is_told_what_to_do(reason: str) -> None:
    """Whatever the API does, there is advice."""
    body = render(message(failing(reason)), BodyFormat.TEXT, NOW).body

    assert any(word in body for word in ("Check", "Raise", "watch the VMs"))


def test_facts_without_words_are_an_error_of_delivery() -> None:
    """A fact that no template knows does not look like a message."""
    with pytest.raises(NotifyError, match="no words for str"):
        render(message(fires("odd", "facts")), BodyFormat.TEXT, NOW)


def test_facts_that_lack_what_the_words_need_are_an_error_of_delivery() -> None:
    """Facts stored by another version do not become half a message."""
    lacking = type("LowBalance", (), {"vm": vm()})()
    with pytest.raises(NotifyError, match="do not fit"):
        render(message(fires("low_balance", lacking)), BodyFormat.TEXT, NOW)


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (timedelta(0), "Since 16:20:00 UTC, just now."),
        (timedelta(minutes=75), "Since 16:20 UTC, 1 h 15 min ago."),
        (timedelta(hours=8), "Since 2026-04-16 16:20 UTC, 8 h ago."),
        (timedelta(seconds=-30), "Since 16:20:00 UTC, in 30 s."),
    ],
)
def test_times_have_their_distance_from_now(later: timedelta, expected: str) -> None:
    """The date is there when it is not today's."""
    assert expected in render(message(low()), BodyFormat.TEXT, FIRED + later).body


def test_a_problem_of_seconds_lasted_seconds() -> None:
    """Its beginning and end are told apart, however long ago it was."""
    brief = replace(low(), state=State.RESOLVED, ends_at=FIRED + timedelta(seconds=5))
    body = render(message(brief), BodyFormat.TEXT, NOW).body
    assert "It was low for 5 s (16:20:00 to 16:20:05 UTC)." in " ".join(body.split())


@pytest.mark.parametrize("fmt", BodyFormat)
@pytest.mark.parametrize("longest", [600, 1000, 2000, 4096])
def test_long_message_is_cut_between_items_to_what_a_service_takes(
    fmt: BodyFormat, longest: int
) -> None:
    """The worst stay, and what is left out is counted."""
    if fmt is BodyFormat.MAIL:
        longest += 4_000  # for the frame; services that deliver mail take 32,768
    if fmt is BodyFormat.PAGE:
        longest += 600  # for the tags; no page is cut
    made = render(message(*MANY), fmt, NOW, longest=longest)
    shown = made.body.count("has a low reserve")
    of_drift = made.body.count("is open and should not be")

    assert len(made.title) + len(made.body) <= longest
    assert shown >= 1
    assert longest < 1000 or of_drift == 1  # each rule at least once, be it in brief
    assert f"… and {500 - shown - of_drift} more" in made.body


def _words(body: str) -> set[str]:
    return {*re.sub(r"<[^>]*>", " ", body).split()}


@pytest.mark.parametrize("fmt", [f for f in BodyFormat if f is not BodyFormat.MAIL])
@pytest.mark.parametrize("longest", [300, 600, 1000, 2000, 4096, 30_000])
def test_links_take_the_place_of_nothing(fmt: BodyFormat, longest: int) -> None:
    """They are left out where a message would be too long; all else stays as it is without them."""
    for alerts in ([low()], MANY):
        usual = render(message(*alerts), fmt, NOW, longest=longest)
        made = render(SIGNED.on(message(*alerts), NOW), fmt, NOW, longest=longest)
        assert len(made.title) + len(made.body) <= longest
        assert usual.title == made.title
        assert not _words(usual.body) - _words(made.body)
        assert longest < 30_000 or "/ack/" in made.body


REPRICED = [priced(number, 310_000, "4.0") for number in range(1, 61)]


@pytest.mark.parametrize("fmt", BodyFormat)
@pytest.mark.parametrize("longest", [None, 14_000, 10_000])
def test_what_is_told_once_is_never_only_counted(fmt: BodyFormat, longest: int | None) -> None:
    """Of more events than a message has room for, the others are told in brief; none is left out."""
    if fmt is BodyFormat.MAIL:
        longest = None  # what takes mail takes far more
    made = render(message(vanished(), *REPRICED), fmt, NOW, longest=longest)
    assert longest is None or len(made.title) + len(made.body) <= longest
    assert all(re.search(rf"\bweb-{number}\b", made.body) for number in range(1, 61))
    assert "more:" not in made.body
    assert made.body.index("vm_vanished") < made.body.index("price_changed")


def test_what_no_service_takes() -> None:
    """Then the count is told, and where the rest can be read."""
    made = render(message(vanished(), *REPRICED), BodyFormat.TEXT, NOW, longest=2_000)
    assert len(made.title) + len(made.body) <= 2_000
    assert re.search(r"… and \d+ more:\s+\d+ . price_changed", made.body)
    assert (
        "You are notified of these once; fluence-watch alerts --resolved lists them." in made.body
    )


def test_what_was_missed_in_a_week_is_a_screen() -> None:
    """What fires comes first, the worst in full; of what is over, the worst five are named."""
    body = render(AWAY, BodyFormat.TEXT, NOW).body

    assert 3 == body.count("has a low reserve")
    assert 7 == body.count("low_balance web-")
    assert 5 == body.count("resolved 17:14 UTC")
    assert "30 × low_balance" in body  # noqa: RUF001 - as it is shown
    assert len(body.splitlines()) < 50
    assert "495 × port_drift missed" in body  # noqa: RUF001 - as it is shown
    assert body.index("low_balance") < body.index("could be notified") < body.index("more:")


def test_title_has_one_line_and_a_bound() -> None:
    """It becomes a mail header."""
    alert = failing("refused")
    fingerprint = alert.fingerprint._replace(account="a\r\nBcc: x@y " * 100)
    made = message(replace(alert, fingerprint=fingerprint))
    title = render(made, BodyFormat.HTML, NOW).title

    assert title.isprintable()
    assert len(title) == 150


def test_title_names_three_rules_at_most() -> None:
    """Four rules would hide the account."""
    made = message(low(), vanished(), OPENED[0], due(1, 42))

    assert render(made, BodyFormat.TEXT, NOW).title == (
        "[FIRING:4] vm_vanished, low_balance, port_drift, … · main"
    )


def test_several_resolved_are_counted() -> None:
    """One is not: the word says it."""
    made = message(ended(low()), ended(vanished()))

    assert (
        render(made, BodyFormat.TEXT, NOW).title == "[RESOLVED:2] vm_vanished, low_balance · main"
    )

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from fluence_watch.model.finding import VmRef
from fluence_watch.model.known import Cause
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, ResourceRef
from fluence_watch.model.vm import Status
from fluence_watch.notify.render import brief
from fluence_watch.rules.account_low import AccountLow
from fluence_watch.rules.bill_mismatch import BillMismatch
from fluence_watch.rules.billing_due import BillingDue
from fluence_watch.rules.budget import BudgetForecast, BudgetSpent
from fluence_watch.rules.delivery_failing import DeliveryFailing
from fluence_watch.rules.funds_exhausted_soon import FundsExhaustedSoon
from fluence_watch.rules.low_balance import LowBalance
from fluence_watch.rules.overpriced import Overpriced
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.rules.port_drift import Direction, PortDrift
from fluence_watch.rules.price_changed import PriceChanged, ResourcePriceChanged
from fluence_watch.rules.public_ip_changed import PublicIpChanged
from fluence_watch.rules.runway import Runway
from fluence_watch.rules.spend_anomaly import SpendAnomaly
from fluence_watch.rules.ssh_key_drift import KeyChange, SshKeyDrift
from fluence_watch.rules.topup_failed import TopupFailed
from fluence_watch.rules.vm_status import VmStatus
from fluence_watch.rules.vm_unreadable import VmUnreadable
from fluence_watch.rules.vm_vanished import (
    FleetVanished,
    ResourcesVanished,
    ResourceVanished,
    VmVanished,
)

VM = VmRef("0xa1", "web-1")
DISK = ResourceRef(Kind.DISK, "0x0b", "data", "2000 GB")
NOW = datetime.fromisoformat("2025-06-01T17:17:00+00:00")
USDC = MicroUsdc(1_000_000)
PRICE = MicroUsdc(298_160)
SOON = NOW + timedelta(minutes=42)


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        (LowBalance(VM, PRICE, None, None, None, None), "reserve unknown of unknown USDC"),
        (
            LowBalance(VM, PRICE, MicroUsdc(5), PRICE, None, SOON),
            "reserve 0.000005 of 0.298160 USDC, funded until 17:59 UTC, in 42 min",
        ),
        (
            LowBalance(VM, PRICE, None, None, None, None, "Small\u200bBalance"),
            "the API reports SmallBalance",
        ),
        (
            TopupFailed(VM, PRICE, MicroUsdc(5), MicroUsdc(298_155), None, NOW, SOON),
            "not topped up: reserve 0.000005 of 0.298160 USDC, paid until 17:59:00 UTC, in 42 min",
        ),
        (
            FundsExhaustedSoon(SOON, VM, SOON, 1, MicroUsdc(1), None),
            "money until 17:59 UTC, in 42 min; first web-1 is paid until 17:59 UTC, in 42 min",
        ),
        (
            FundsExhaustedSoon(
                None, None, None, 0, MicroUsdc(1), Runway(MicroUsdc(0), PRICE, Decimal(0), None)
            ),
            "no money left; balance 0.000000 USDC, 0.298160 a day",
        ),
        (VmVanished(VM, None, None, "ACTIVE", None, None, None), "not in the list"),
        (
            VmVanished(VM, NOW - timedelta(hours=2), None, "ACTIVE", None, None, None),
            "not in the list; last seen 15:17 UTC, 2 h ago",
        ),
        (
            VmVanished(VM, None, None, "ACTIVE", None, None, None, Cause.FUNDS),
            "not in the list, ran out of funds",
        ),
        (
            VmVanished(VM, None, None, "terminating", None, None, None, Cause.PROVIDER),
            "not in the list, was being terminated",
        ),
        (
            VmVanished(VM, None, None, "ACTIVE", None, None, None, Cause.USER),
            "not in the list, deleted",
        ),
        (
            ResourceVanished(DISK, NOW - timedelta(hours=2), NOW, attached=True),
            "disk data (0x0b) is not in its list; last seen 15:17 UTC, 2 h ago",
        ),
        (
            ResourcesVanished(Kind.PUBLIC_IP, 7, 9, None, ()),
            "7 of 9 public IPs left their list in one poll",
        ),
        (
            ResourcePriceChanged(
                DISK, PRICE, MicroUsdc(350_000), MicroUsdc(51_840), Decimal("17.4"), MicroUsdc(1)
            ),
            "price of disk data (0x0b) changed from 0.298160 to 0.350000 USDC an hour (+0.051840 USDC, +17.4 %)",
        ),
        (
            BillMismatch(
                date(2025, 5, 31), PRICE, MicroUsdc(0), MicroUsdc(0), MicroUsdc(-5), 2, kinds=()
            ),
            "charged 0.298160 USDC on 2025-05-31, 0.000005 less than expected",
        ),
        (
            Overpriced(VM, None, PRICE, MicroUsdc(250_000), "FR-PAR-1", False, MicroUsdc(9)),  # noqa: FBT003 - facts as they are
            "costs 0.298160 a day, the market asks 0.250000 USDC at the same place",
        ),
        (
            Overpriced(None, DISK, PRICE, MicroUsdc(250_000), "PL\u200b-WAW-1", True, MicroUsdc(9)),  # noqa: FBT003 - facts as they are
            "disk data (0x0b) costs 0.298160 a day, the market asks 0.250000 USDC in PL-WAW-1",
        ),
        (
            Overpriced(None, DISK, PRICE, MicroUsdc(0), None, True, MicroUsdc(9)),  # noqa: FBT003 - facts as they are
            "disk data (0x0b) costs 0.298160 a day, the market asks 0.000000 USDC in another place",
        ),
        (
            BudgetSpent("team", USDC, PRICE, 29, None, (), SOON),
            "budget team: 0.298160 of 1.000000 USDC spent, 29 %",
        ),
        (
            BudgetForecast("team", USDC, PRICE, 29, None, (), SOON),
            "budget team: what the month comes to is unknown",
        ),
        (
            BudgetForecast("team", USDC, PRICE, 29, MicroUsdc(1_500_000), (), SOON),
            "budget team: the month comes to 1.500000 of 1.000000 USDC",
        ),
        (
            SpendAnomaly(date(2025, 5, 31), 9, USDC, PRICE, 28, ()),
            "1.000000 USDC spent on 2025-05-31 by 09:00 UTC, 0.298160 is usual",
        ),
        (FleetVanished(7, 9, None, ()), "7 of 9 VMs left the list in one poll"),
        (
            PortDrift(VM, "8080/tcp", Direction.OPENED, True, (), ()),  # noqa: FBT003 - facts as they are
            "8080/tcp is open and should not be",
        ),
        (
            PortDrift(VM, "22/tcp", Direction.CLOSED, False, (), ()),  # noqa: FBT003 - facts as they are
            "22/tcp is closed and should be open",
        ),
        (BillingDue(VM, PRICE, SOON), "0.298160 USDC charged at 17:59 UTC, in 42 min"),
        (BillingDue(VM, None, SOON), "the next epoch charged at 17:59 UTC, in 42 min"),
        (VmStatus(VM, Status.STOPPED, "Stopped", PRICE), "stopped"),
        (
            VmStatus(VM, Status.TERMINATED, "x", PRICE),
            "terminated; 0.298160 USDC locked until it is deleted",
        ),
        (
            VmStatus(VM, Status.TERMINATED, "x", None),
            "terminated; its reserve locked until it is deleted",
        ),
        (
            PublicIpChanged(VM, "1.2.3.4", "5.6.7.8\x1b[2J"),
            "address changed from 1.2.3.4 to 5.6.7.8",
        ),
        (
            PriceChanged(VM, PRICE, MicroUsdc(350_000), MicroUsdc(51_840), Decimal("17.4"), None),
            "price changed from 0.298160 to 0.350000 USDC an epoch (+0.051840 USDC, +17.4 %)",
        ),
        (
            SshKeyDrift(KeyChange.ADDED, "lap\ntop", "SHA256:x", None, None),
            "SSH key lap top was added",
        ),
        (
            SshKeyDrift(KeyChange.REMOVED, "\u200b", "SHA256:x", None, None),
            "SSH key SHA256:x was removed",
        ),
        (
            AccountLow(MicroUsdc(2_500_000), MicroUsdc(1_015_000), Decimal("2.4"), None),
            "2.500000 USDC left at 1.015000 a day, enough for 2.4 days",
        ),
        (
            AccountLow(MicroUsdc(-4_500_000), MicroUsdc(0), Decimal(0), None),
            "balance -4.500000 USDC, nothing left to pay for",
        ),
        (VmUnreadable(VM, ".ports", "a\nb"), "cannot be read at .ports: a b"),
        (VmUnreadable(VM, "", "a"), "cannot be read: a"),
        (PollFailing("server_error", "502\nBad"), "server error: 502 Bad"),
        (
            DeliveryFailing("ops", "503\nBad", 1, NOW),
            "receiver ops does not accept messages: 1 message waits, the oldest since 17:17 UTC; it says: 503 Bad",
        ),
    ],
)
def test_brief(facts: object, line: str) -> None:
    """Each is one line with its number and its time."""
    assert line == brief(facts, NOW)

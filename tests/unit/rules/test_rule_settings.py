from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fluence_watch.model.money import LARGEST, MicroUsdc
from fluence_watch.rules import RULES
from fluence_watch.rules.account_low import AccountLowSettings
from fluence_watch.rules.base import RuleSettings
from fluence_watch.rules.billing_due import BillingDueSettings
from fluence_watch.rules.low_balance import LowBalanceSettings
from fluence_watch.rules.vm_vanished import VmVanishedSettings


def refusal(settings: type[RuleSettings], **given_by_user: object) -> str:
    with pytest.raises(ValidationError) as caught:
        settings.model_validate(given_by_user)
    (error,) = caught.value.errors()
    return f"{'.'.join(map(str, error['loc']))}: {error['msg']}"


def test_the_defaults_are_those_of_the_contract() -> None:
    """What users get who configure nothing."""
    defaults = {
        rule.name: rule.settings().model_dump(
            mode="json", by_alias=True, exclude={"keep_firing_for", "forget_after"}
        )
        for rule in RULES
    }
    calm = {"enabled": True, "for": "0s"}
    warning = calm | {"severity": "warning"}
    low = {"severity": "critical", "min_epochs": "1", "min_usdc": "0", "for": "30m"}
    assert {
        "debt": calm | {"severity": "critical"},
        "bill_mismatch": warning | {"min_percent": "1", "min_usdc": "0.1", "days": 2},
        "idle_resource": calm | {"severity": "warning", "for": "24h"},
        "overpriced": calm
        | {
            "enabled": False,
            "severity": "info",
            "min_percent": "10",
            "min_usdc": "1",
            "elsewhere": False,
        },
        "budget": warning | {"for": "1h"},
        "spend_anomaly": warning
        | {"deviations": "4", "min_usdc": "1", "min_percent": "50", "min_days": 7},
        "gpu_reserve": calm | {"severity": "critical", "for": "10m"},
        "gpu_status": calm | {"severity": "warning", "for": "15m"},
        "low_balance": calm | low,
        "funds_exhausted_soon": warning | {"warn": "3d", "critical": "24h", "for": "30m"},
        "topup_failed": calm | {"severity": "critical", "for": "15m"},
        "vm_vanished": calm | {"severity": "critical", "confirm_polls": 2, "suspect_for": "6h"},
        "account_low": calm | {"severity": "warning", "min_days": "3", "for": "30m"},
        "vm_status": warning,
        "vm_appeared": warning,
        "locked_funds": warning | {"for": "24h", "min_usdc": "0.01"},
        "unexpected_charge": warning | {"for": "15m"},
        "port_drift": warning,
        "ssh_key_drift": warning,
        "price_changed": warning,
        "public_ip_changed": calm | {"severity": "info"},
        "billing_due": calm | {"severity": "info", "lead_time": "1h"},
        "vm_unreadable": warning | {"for": "10m"},
        "poll_failing": calm | {"severity": "critical", "for": "10m"},
        "delivery_failing": calm | {"severity": "critical", "for": "15m"},
        "silence_ending": warning | {"lead_time": "24h"},
    } == defaults


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        ("0.5", 500_000),
        (2, 2_000_000),
        (Decimal("0.298160"), 298_160),
        (Decimal("1E+2"), 100_000_000),
        (0, 0),
    ],
)
def test_amounts(value: object, amount: int) -> None:
    """USDC come as a text, a whole number or an exact decimal."""
    assert amount == LowBalanceSettings.model_validate({"min_usdc": value}).min_usdc


@pytest.mark.parametrize("value", [0.5, True, "-1", -1, "1 USDC", Decimal("NaN"), None])
def test_values_that_are_no_amount(value: object) -> None:
    """A float is not exact, and a reserve is never asked to be negative."""
    assert refusal(LowBalanceSettings, min_usdc=value).startswith("min_usdc: ")


@pytest.mark.parametrize("value", [90, "90", 1.5, True, None, "-5m"])
def test_values_that_are_no_duration(value: object) -> None:
    """A number without a unit is refused, and the text says how to write one."""
    assert 'write "90s"' in refusal(LowBalanceSettings, **{"for": value})


@pytest.mark.parametrize(
    ("settings", "key", "value"),
    [
        (LowBalanceSettings, "min_epochs", -1),
        (LowBalanceSettings, "min_epochs", "NaN"),
        (AccountLowSettings, "min_days", -1),
        (AccountLowSettings, "min_days", 3651),
        (AccountLowSettings, "min_days", "Infinity"),
        (LowBalanceSettings, "severity", "fatal"),
        (LowBalanceSettings, "min_epoch", 1),
        (VmVanishedSettings, "confirm_polls", 0),
        (BillingDueSettings, "lead_time", "0s"),
        (BillingDueSettings, "lead_time", "31d"),
    ],
)
def test_values_out_of_bounds(settings: type[RuleSettings], key: str, value: object) -> None:
    """Each is refused under its key, and so is a key that there is not."""
    assert refusal(settings, **{key: value}).startswith(f"{key}: ")


@given(st.timedeltas(timedelta(0), timedelta(days=3650)), st.integers(0, LARGEST))
def test_what_is_shown_is_read_back(hold: timedelta, amount: int) -> None:
    """The effective settings can be pasted into a file and mean the same."""
    settings = LowBalanceSettings(hold=hold, min_usdc=Decimal(amount).scaleb(-6))
    assert MicroUsdc(amount) == settings.min_usdc
    shown = settings.model_dump(by_alias=True)
    assert settings == LowBalanceSettings.model_validate(shown)

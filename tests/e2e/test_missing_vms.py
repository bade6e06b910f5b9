"""VMs that leave the list: for want of money, on purpose, or by a mistake of the API."""

# ruff: noqa: ANN401 - the parts' classes are in conftest.py, which is not imported

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

Eventually = Callable[..., Any]
Wait = Callable[[int], None]

POLLS = "fluence_poll_duration_seconds_count"
LOST = "is no longer in the list of VMs"
FLEET = "left the list in the same poll"


@pytest.fixture
def polled(daemon: Any, eventually: Eventually) -> Wait:
    """A function that waits for so many polls."""

    def wait(times: int) -> None:
        polls = daemon.metric(POLLS)
        eventually(lambda: daemon.metric(POLLS) >= polls + times, f"{times} more polls")

    return wait


def reserves(fluence: Any) -> set[bool]:
    """Whether VMs can pay their next charge."""
    return {machine.reserved >= machine.price for machine in fluence.world.machines.values()}


def test_a_fleet_that_runs_out_of_money(
    fluence: Any,
    receiver: Any,
    daemon: Any,
    configure: Callable[..., Path],
    polled: Wait,
    eventually: Eventually,
) -> None:
    """Eight VMs end at once as their charge cannot be paid: that is what is told, in one message."""
    configure({f"rules.{name}": {"enabled": False} for name in ("low_balance", "topup_failed")})
    daemon.start().ready()
    fluence.do("drain")
    fluence.do("set-boundary", seconds=0.2)
    eventually(lambda: reserves(fluence) == {False}, "the reserves are spent")
    fluence.do("set-boundary", seconds=2)
    eventually(lambda: receiver.accepted, "the loss is told")
    polled(5)

    (post,) = receiver.accepted
    assert [8, 8] == [post.body.count(LOST), post.body.count("It ran out of funds")]
    assert FLEET not in post.body


def test_a_fleet_that_is_deleted_in_the_console(
    fluence: Any,
    receiver: Any,
    daemon: Any,
    configure: Callable[..., Path],
    polled: Wait,
    eventually: Eventually,
) -> None:
    """The list is doubted for a while; then every VM is reported as gone, once and in one message."""
    configure(
        {
            "rules.vm_vanished": {"suspect_for": "6s"},
            "receivers": [{"name": "ops", "url": receiver.url, "repeat_interval": "500ms"}],
        }
    )
    daemon.start().ready()
    fluence.do("delete")
    eventually(lambda: len(receiver.accepted) == 2, "the doubt and the loss are told")
    polled(8)

    doubt, loss = receiver.accepted
    assert FLEET in doubt.body
    assert 8 == loss.body.count(LOST)
    assert 8 == daemon.metric("fluence_watch_alerts", rule="vm_vanished", state="firing")


def test_a_short_list_is_no_money(
    fluence: Any,
    receiver: Any,
    daemon: Any,
    configure: Callable[..., Path],
    polled: Wait,
    eventually: Eventually,
) -> None:
    """A balance that is too low for eight VMs is no better while one of them is missing."""
    machines = list(fluence.world.machines.values())
    vm, burn = machines[0], sum(machine.price for machine in machines)
    min_days = fluence.world.balance / (burn - Fraction(vm.price, 2))
    configure(
        {
            "rules.account_low": {"min_days": f"{float(min_days):.4f}", "for": "0s"},
            "rules.vm_vanished": {"confirm_polls": 15},
            "accounts": [
                {
                    "name": "main",
                    "api_key": "t0p-secret-key",
                    "base_url": fluence.url,
                    "dialect": "cloud",
                }
            ],
        }
    )
    daemon.start().ready()
    eventually(lambda: receiver.accepted, "the low balance is told")
    fluence.do("vanish", vm=vm.name)
    polled(5)
    fluence.do("bring-back", vm=vm.name)
    polled(5)
    assert 1 == len(receiver.accepted)

    fluence.do("vanish", vm=vm.name)
    eventually(lambda: len(receiver.accepted) == 2, "the loss is told")
    low, lost = receiver.accepted
    assert "has a balance of" in low.body
    assert LOST in lost.body
    assert "is enough again" in lost.body


def test_changes_behind_what_is_unknown(
    fluence: Any, receiver: Any, daemon: Any, polled: Wait, eventually: Eventually
) -> None:
    """Address and price are null for some polls, and other ones after that: both are told."""
    daemon.start().ready()
    before = fluence.world.find("web-1")
    fluence.do("faults", kind="null-fields", times=100_000)
    polled(3)
    fluence.do("set-address", vm="web-1", address="203.0.113.9")
    fluence.do("set-price", vm="web-1", price=before.price - 1)
    polled(3)
    assert [] == receiver.accepted

    fluence.mend()
    eventually(lambda: receiver.accepted, "the changes are told")
    polled(3)
    (post,) = receiver.accepted
    assert f"changed from {before.public_ip} to 203.0.113.9" in post.body
    assert "-0.000001 USDC" in post.body

"""`costs` through the command line, from the ledger of a store."""

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fluence_watch.alerting.state import AccountState, Change
from fluence_watch.cli.inspect.cost_sums import forecast_lines
from fluence_watch.cli.inspect.costs import _cell
from fluence_watch.model.accounting import Booking
from fluence_watch.model.known import KnownVm
from fluence_watch.model.ledger import Certainty, Entry, EntryKind
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Status, Vm
from fluence_watch.store import Store
from fluence_watch.views.month import MonthForecast

Run = Callable[..., Any]
NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
ZERO = Decimal("0.000000")
MONTH = MonthForecast("2026-04", ZERO, ZERO, ZERO, 1, 0, 0, NOW, None, ())
JUNE = datetime(2025, 6, 30, 12, 0, tzinfo=UTC)


def charge(key: str, at: datetime, amount: int, certainty: Certainty = Certainty.EXACT) -> Entry:
    return Entry(key, EntryKind.CHARGE, MicroUsdc(amount), at, at, certainty)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings with a store that has some costs of June and May 2025, and of today."""
    store, now = tmp_path / "store.db", datetime.now(UTC)  # a test may run long after the import
    path = tmp_path / "config.toml"
    path.write_text(
        f'[store]\nurl = "sqlite:///{store}"\n[[accounts]]\nname = "main"\napi_key = "k"\n', "utf-8"
    )
    entries = [
        charge("0xa", JUNE, 300_000),
        charge("0xa", JUNE - timedelta(days=1), 300_000),
        charge("disk:d", JUNE, 40_000, Certainty.ESTIMATED),
        charge("0xa", datetime(2025, 5, 30, tzinfo=UTC), 200_000),
        charge("0xb", now, 700_000),
    ]
    priced = Vm("0xB", None, Status.ACTIVE, "", MicroUsdc(700_000), next_billing_at=now)
    change = Change.between(
        AccountState(),
        AccountState(
            {vm.key: KnownVm(vm, now) for vm in (priced, Vm("0xC", None, Status.ACTIVE, ""))},
            last_poll_at=now,
            last_good_at=now,
            balance=MicroUsdc(12_500_000),
            begun_at=datetime(2025, 5, 30, tzinfo=UTC),
        ),
        booking=Booking(entries),
    )
    with Store.open(f"sqlite:///{store}") as opened:
        opened.commit("main", change, version=0)
    return path


def test_this_month(config: Path, run: Run) -> None:
    """Without options: what was charged since the first of the month."""
    ran = run("costs", "--config", config)
    assert 0 == ran.code, ran.err
    assert "0xB" in ran.out
    assert "0.700000 USDC" in ran.out
    assert "0xa" not in ran.out


def test_a_month_beside_the_one_before(config: Path, run: Run) -> None:
    """Each thing, the largest first; the sum, and that of the same days of the month before."""
    ran = run("costs", "--config", config, "--since", "2025-06-01", "--until", "2025-06-30")
    lines = ran.out.splitlines()
    assert [line.split()[0] for line in lines[2:4]] == ["0xa", "disk"]
    assert "OF IT ESTIMATED" in lines[0]
    assert "2025-06-01 to 2025-06-30: 0.640000 USDC" in lines
    assert "2025-05-01 to 2025-05-30: 0.200000 USDC, no data before 2025-05-30" in lines
    assert "by the end of" not in ran.out


def test_until_when_metered_things_are_counted(tmp_path: Path, run: Run) -> None:
    """Where that is not now: what was charged since is not in the sums of today."""
    path, counted = tmp_path / "config.toml", datetime.now(UTC).replace(microsecond=0)
    text = '[store]\nurl = "sqlite:///{}"\n[[accounts]]\nname = "main"\napi_key = "k"\n'
    path.write_text(text.format(tmp_path / "store.db"), "utf-8")
    state = AccountState(
        last_poll_at=counted, last_good_at=counted, counted_at=counted, begun_at=counted
    )
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        opened.commit("main", Change.between(AccountState(), state), version=0)
    told = f"metered: counted until {counted:%H:%M} UTC"
    assert told in run("costs", "--config", path).out
    answer = json.loads(run("costs", "--config", path, "-o", "json").out)
    assert counted == datetime.fromisoformat(answer["counted_until"])
    assert told not in run("costs", "--config", path, "--until", "2025-06-30").out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--since", "2026-13-01"), "'2026-13-01' is not a day: write a day such as 2026-11-29, or"),
        (("--until", "20260101"), "'20260101' is not a day"),
        (("--account", "main", "--account", "b"), "'--account': it is given twice, and takes one value"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_meant(
    config: Path, run: Run, options: tuple[str, ...], told: str
) -> None:
    """Each is an error in plain words; nothing is chosen silently."""
    ran = run("costs", "--config", config, *options)
    assert (2, True) == (ran.code, told in " ".join(ran.err.replace("│", " ").split()))


def test_json_and_csv(config: Path, run: Run) -> None:
    """The same for programs."""
    days = ("--since", "2025-05-01", "--until", "2025-06-30")
    ran = run("costs", "--config", config, *days, "--by", "day", "-o", "json")
    answer = json.loads(ran.out)
    assert ["2025-05-30", "2025-06-29", "2025-06-30"] == [e["what"] for e in answer["costs"]]
    assert ("2025-05-01", "2025-06-30", "0.840000") == (
        answer["from"], answer["to"], answer["total"],
    )  # fmt: skip
    assert {"main": "2025-05-30"} == answer["no_data_before"]
    assert (None, None) == (answer["before"], answer["forecast"])
    ran = run("costs", "--config", config, *days, "--by", "month", "-o", "csv")
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    assert [("2025-05", "0.200000"), ("2025-06", "0.640000")] == [
        (row["what"], row["cost"]) for row in rows
    ]


def test_focus(config: Path, run: Run) -> None:
    """A row of the FinOps specification for each thing and day, also for none."""
    days = ("--since", "2025-06-01", "--until", "2025-06-30", "-o", "focus-csv")
    rows = list(csv.DictReader(io.StringIO(run("costs", "--config", config, *days).out)))
    assert [
        ("0xa", "0.300000", "2025-06-29T00:00:00Z", "2025-06-30T00:00:00Z", "Compute", "exact"),
        ("0xa", "0.300000", "2025-06-30T00:00:00Z", "2025-07-01T00:00:00Z", "Compute", "exact"),
        ("d", "0.040000", "2025-06-30T00:00:00Z", "2025-07-01T00:00:00Z", "Storage", "estimated"),
    ] == sorted(
        (
            row["ResourceId"], row["BilledCost"], row["ChargePeriodStart"],
            row["ChargePeriodEnd"], row["ServiceCategory"], row["x_Certainty"],
        )
        for row in rows
    )  # fmt: skip
    ran = run(
        "costs", "--config", config, "--since", "2024-01-01", "--until", "2024-01-31", *days[4:]
    )
    assert (0, 1) == (ran.code, len(ran.out.splitlines()))
    assert ran.out.startswith("BilledCost,BillingAccountId,")


@pytest.mark.parametrize(
    ("value", "cell"),
    [("=1+1", "'=1+1"), ("@x", "'@x"), ("web-1", "web-1"), (None, ""), (Decimal("-0.5"), "-0.5")],
)
def test_cells(value: object, cell: str) -> None:
    """A name is never a formula, and a negative amount is an amount."""
    assert cell == _cell(value)


def test_nothing(config: Path, run: Run) -> None:
    """It says so; days in the wrong order are an error."""
    ran = run("costs", "--config", config, "--since", "2024-01-01", "--until", "2024-01-31")
    assert (0, "nothing was charged from 2024-01-01 to 2024-01-31, as far as the ledger has it: no data before 2025-05-30\n") == (
        ran.code, ran.out,
    )  # fmt: skip
    ran = run("costs", "--config", config, "--since", "2024-02-01", "--until", "2024-01-31")
    assert 2 == ran.code
    assert "2024-01-31 is before 2024-02-01" in ran.err


def test_by_status(config: Path, run: Run) -> None:
    """By what each thing is as of the last poll; what is no longer known is gone."""
    ran = run("costs", "--config", config, "--since", "2025-05-01", "--by", "status", "-o", "csv")
    rows = {row["what"]: row["cost"] for row in csv.DictReader(io.StringIO(ran.out))}
    assert {"active": "0.700000", "gone": "0.840000"} == rows


def test_the_month_by_its_end(config: Path, run: Run) -> None:
    """This month to date says what it comes to, and what that assumes; other days do not."""
    ran = run("costs", "--config", config)
    assert ": at least " in ran.out
    assert "- what runs now is kept: 1 VM" in ran.out
    assert "- prices stay as in the last poll, " in ran.out
    assert "- 1 thing with no known price or next charge is left out" in ran.out
    answer = json.loads(run("costs", "--config", config, "-o", "json").out)
    ahead = answer["forecast"]
    assert Decimal(answer["total"]) == Decimal(ahead["charged"])
    assert Decimal(ahead["total"]) == Decimal(ahead["charged"]) + Decimal(ahead["ahead"])
    assert (1, 0, 1, [], None) == tuple(
        ahead[key] for key in ("vms", "resources", "left_out", "unpolled", "counted_until")
    )
    before = answer["before"]
    assert ("0.000000", {}, None) == (
        before["total"], before["no_data_before"], before["change_percent"],
    )  # fmt: skip


def test_a_month_that_the_ledger_does_not_have(config: Path, run: Run) -> None:
    """Its total is unknown, not nothing, for the days asked for and for those before."""
    days = ("--since", "2025-05-01", "--until", "2025-05-31")
    answer = json.loads(run("costs", "--config", config, *days, "-o", "json").out)
    assert ("0.200000", None) == (answer["total"], answer["before"]["total"])
    days = ("--since", "2025-04-01", "--until", "2025-04-30")
    assert json.loads(run("costs", "--config", config, *days, "-o", "json").out)["total"] is None


def test_ids(config: Path, run: Run) -> None:
    """They are as the API has them, as in `vm ls`; of what is forgotten, in lower case."""
    days = ("--since", "2025-05-01")
    answer = json.loads(run("costs", "--config", config, *days, "-o", "json").out)
    assert {"0xB", "0xa", "d"} == {each["id"] for each in answer["costs"]}
    ran = run("costs", "--config", config, *days, "-o", "focus-csv")
    assert {"0xB", "0xa", "d"} == {
        row["ResourceId"] for row in csv.DictReader(io.StringIO(ran.out))
    }


def test_an_account_that_is_not_there(config: Path, run: Run) -> None:
    """The same error as that of `forecast`, with the nearest name; one that the ledger still has is there."""
    errors = [run(name, "--config", config, "--account", "mian") for name in ("costs", "forecast")]
    assert 2 * [
        (2, "", "fluence-watch: --account: there is no 'mian'; did you mean 'main'?\n")
    ] == [(ran.code, ran.out, ran.err) for ran in errors]
    text = config.read_text("utf-8").replace('name = "main"', 'name = "other"')
    config.write_text(text, "utf-8")
    days = ("--since", "2025-05-01", "-o", "csv")
    assert "0xB" in run("costs", "--config", config, "--account", "main", *days).out
    assert "there are: other, main" in run("costs", "--config", config, "--account", "x").err


def test_balances(config: Path, run: Run) -> None:
    """What the account had at the end of each day, where it is known and one account is meant."""
    ran = run("costs", "--config", config, "--since", "2025-06-01", "--by", "day")
    head, _, *lines = ran.out.splitlines()
    assert head.rstrip().endswith("BALANCE")
    assert [
        ("2025-06-29", "unknown"),
        ("2025-06-30", "unknown"),
        (f"{datetime.now(UTC).date()}", "12.50"),
    ] == [(line.split()[0], line.split()[-1]) for line in lines[:3]]
    ran = run("costs", "--config", config, "--by", "day", "-o", "json")
    assert "12.500000" == json.loads(ran.out)["costs"][-1]["balance"]
    ran = run("costs", "--config", config, "--by", "month")
    assert "BALANCE" not in ran.out


def test_a_poll_while_it_prints() -> None:
    """A poll that ends after the command began is not in the future."""
    text = "\n".join(forecast_lines(MONTH, NOW - timedelta(seconds=2)))
    assert "as in the last poll, " in text
    assert ", just now\n" in text + "\n"


def test_lists_that_are_not_complete() -> None:
    """The forecast names the accounts, and says "at least"."""
    forecast = replace(MONTH, incomplete=("main", "\x1b[31mdev"))
    first, *_, last = forecast_lines(forecast, NOW)
    assert first.startswith("by the end of 2026-04: at least 0.000000 USDC")
    assert last.endswith("the last poll did not see all of it: main, dev")


def test_a_ledger_of_nothing(tmp_path: Path, run: Run) -> None:
    """A daemon that has polled nothing yet."""
    with Store.open(f"sqlite:///{tmp_path}/store.db"):
        pass
    variables = {"STORE__URL": f"sqlite:///{tmp_path}/store.db", "API_KEY": "k"}
    ran = run("costs", **variables)
    assert re.fullmatch(r"nothing was charged from .* as far as the ledger has it\n", ran.out)
    assert json.loads(run("costs", "-o", "json", **variables).out)["before"] is None


def test_no_store(tmp_path: Path, run: Run) -> None:
    """Where no daemon ever ran."""
    path = tmp_path / "config.toml"
    path.write_text(
        f'[store]\nurl = "sqlite:///{tmp_path}/none.db"\n[[accounts]]\napi_key = "k"\n', "utf-8"
    )
    ran = run("costs", "--config", path)
    assert ran.code
    assert "start `fluence-watch run` first" in ran.err


def test_days_to_come(config: Path, run: Run) -> None:
    """The error names the option that is wrong."""
    ran = run("costs", "--config", config, "--since", "2099-01-01")
    assert 2 == ran.code
    assert "--since" in ran.err
    assert "2099-01-01 is after today" in ran.err

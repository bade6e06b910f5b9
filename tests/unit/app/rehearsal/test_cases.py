"""Files with tests of users: what they can say, what is wrong with them, and how a failure reads.

`REWRITE_GOLDEN=1 pytest tests/unit/app/rehearsal` writes the texts anew; the difference is reviewed like code.
"""

import os
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from fluence_watch.app.rehearsal.cases.matching import matched
from fluence_watch.app.rehearsal.cases.reading import read_suite
from fluence_watch.app.rehearsal.cases.running import Result, run
from fluence_watch.app.rehearsal.cases.table import Case
from fluence_watch.app.rehearsal.cases.times import parse_moment, written
from fluence_watch.app.rehearsal.cases.world import World
from fluence_watch.cli.commands import app
from fluence_watch.cli.inspect.rule_tests_shown import in_words
from fluence_watch.errors import ConfigError
from fluence_watch.model.snapshot import PollFailure, Snapshot
from fluence_watch.model.vm import Status, status_of
from fluence_watch.notify.shipped import SHIPPED
from fluence_watch.settings import WatchSettings

GOLDEN = Path(__file__).parents[3] / "golden" / "rule_tests"
START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
OPS = '[[receivers]]\nname = "ops"\n'
DRIFTS = """
vms = [{ name = "web", ports = ["22/tcp"] }]
changes = [{ at = "10m", vms = { web = { ports = ["22/tcp", "80/tcp"] } } }]
"""

Judge = Callable[..., list[Result]]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Write a file with tests."""

    def made(text: str) -> Path:
        (tmp_path / "rules.toml").write_text(text, "utf-8")
        return tmp_path / "rules.toml"

    return made


@pytest.fixture
def judge(write: Callable[[str], Path]) -> Judge:
    """The results of tests with these keys, over these settings."""

    def results(*tests: str, settings: str = OPS) -> list[Result]:
        named = (f'[[tests]]\nname = "{at}"\n{test}' for at, test in enumerate(tests))
        suite = read_suite(write(settings + "\n".join(named)))
        return [run(case, suite.settings, SHIPPED) for case in suite.cases]

    return results


def passed(results: Sequence[Result]) -> list[bool]:
    return [result.passed for result in results]


@pytest.mark.parametrize(
    ("expected", "passes"),
    [
        ("", False),
        ('[{ at = "10m", receiver = "ops" }]', True),
        ('[{ at = "11m", receiver = "ops" }]', False),
        ('[{ at = "10m", receiver = "ops", alerts = [{ rule = "port_drift" }] }]', True),
        ('[{ at = "10m", receiver = "ops", alerts = [{ rule = "low_balance" }] }]', False),
        ('[{ at = "10m", receiver = "ops", alerts = [{ rule = "port_drift", vm = "web", severity = "warning", reason = "first", key = "opened:80/tcp" }] }]', True),
        ('[{ at = "10m", receiver = "ops", alerts = [{ rule = "port_drift", vm = "db" }] }]', False),
        ('[{ at = "10m", receiver = "ops", alerts = [{ rule = "port_drift", severity = "critical" }] }]', False),
        ('[{ at = "10m", receiver = "ops", alerts = [{ rule = "port_drift" }, { rule = "port_drift" }] }]', False),
        ('[{ at = "10m", receiver = "ops", says = ["80/tcp", "web"] }]', True),
        ('[{ at = "10m", receiver = "ops", says = ["443/tcp"] }]', False),
        ('[{ at = "10m", receiver = "ops", title = "something" }]', False),
        ('[{ at = "10m", receiver = "ops", account = "main" }]', True),
        ('[{ at = "10m", receiver = "ops" }, { at = "10m", receiver = "ops" }]', False),
    ],
)  # fmt: skip
def test_what_is_expected(judge: Judge, expected: str, *, passes: bool) -> None:
    """All that is written must be so, and every message must be expected."""
    text = f'until = "20m"\n{DRIFTS}' + (f"expect = {expected}" if expected else "")
    assert [passes] == passed(judge(text))


@pytest.mark.parametrize(
    ("more", "passes"),
    [
        ('rules = ["low_*"]', True),
        ('receivers = ["pager"]', True),
        ('receivers = ["o*"]', False),
        ('silences = [{ at = "5m", for = "1h", match = ["vm=web"] }]\nuntil = "30m"', True),
        ('silences = [{ at = "5m", for = "15m", match = ["vm=web"] }]\nuntil = "30m"', False),
        ('acks = [{ at = "20m", match = ["vm=db"] }]\nrules = []', False),
        ('acks = [{ at = "20m", match = ["vm=web"] }]\nrules = []', True),
    ],
)
def test_what_is_compared(judge: Judge, more: str, *, passes: bool) -> None:
    """Only messages to these receivers, and alerts of these rules."""
    settings = OPS + '[[receivers]]\nname = "pager"\nmin_severity = "critical"\n'
    assert [passes] == passed(judge(DRIFTS + more, settings=settings))


@pytest.mark.parametrize(
    "expected",
    [
        '[{ at = "0s", receiver = "ops" }, { at = "0s", receiver = "ops", alerts = [{ rule = "vm_status", vm = "web" }] }]',
        '[{ at = "0s", receiver = "ops", account = "main", alerts = [{ rule = "vm_status" }] }, { at = "0s", receiver = "ops" }]',
    ],
)  # fmt: skip
def test_an_expectation_leaves_to_others_what_only_they_fit(judge: Judge, expected: str) -> None:
    """Whatever their order in the file."""
    settings = '[[accounts]]\nname = "main"\n[[accounts]]\nname = "other"\n' + OPS
    vms = 'vms = [{ name = "web", status = "failed" }, { name = "db", status = "failed", account = "other" }]\n'
    text = f'{vms}until = "5m"\nrules = ["vm_status"]\nexpect = {expected}'
    assert [True] == passed(judge(text, settings=settings))


@given(st.lists(st.sets(st.integers(0, 5)), max_size=6))
def test_as_much_as_can_be_is_matched(choices: list[set[int]]) -> None:
    """Each once, and never less than by trying all orders."""
    found = matched(choices, range(6), lambda one, at: at in one)
    assert all(at in choices[one] for at, one in found.items())
    assert len(found) == len(set(found.values()))
    most = max(
        sum(at is not None and at in one for one, at in zip(choices, order, strict=False))
        for order in permutations(range(6))
    )
    assert most == len(found)


ODD = {
    "interval": 'interval = "1ms"',
    "until": 'until = "99999999999d"',
    "start": "start = 0001-01-01T00:00:00+02:00",
    "start late": "start = 9999-12-31T23:00:00Z",
    "next billing": 'vms = [{ name = "a", next_billing = 0001-01-01T00:00:00Z }]',
    "created": 'vms = [{ name = "a", created = "99999999d" }]',
    "datacenter": f'vms = [{{ name = "a", datacenter = "FR-PAR-{"9" * 5000}" }}]',
    "silence": 'silences = [{ at = "0s", for = "99999999d", match = ["vm=a"] }]',
    "says": 'expect = [{ at = "0s", receiver = "ops", says = [""] }]',
    "receivers": "receivers = []",
}


@pytest.mark.parametrize("key", ODD)
def test_what_no_test_can_mean(key: str, write: Callable[[str], Path]) -> None:
    """It is refused with its key, whatever is computed with it later."""
    file = write(f'{OPS}[[tests]]\nname = "x"\n{ODD[key]}')
    with pytest.raises(ConfigError, match=r"rules\.toml:.*tests\[0\]"):
        read_suite(file)


def test_a_file_that_cannot_exist(write: Callable[[str], Path]) -> None:
    """The name has a null."""
    with pytest.raises(ConfigError, match="no file can have this name"):
        read_suite(write('config = "\\u0000"\n[[tests]]\nname = "x"'))


def test_a_status_that_does_not_exist(write: Callable[[str], Path]) -> None:
    """What is meant, or all there are if nothing is alike; the docs name them too."""
    docs = (Path(__file__).parents[4] / "docs" / "testing.md").read_text("utf-8")
    with pytest.raises(
        ConfigError, match=r"there are: Draft, .*SmallBalance, .*, Terminated, Unknown"
    ):
        read_suite(
            write(f'{OPS}[[tests]]\nname = "x"\nvms = [{{ name = "a", status = "Runing" }}]')
        )
    with pytest.raises(ConfigError, match="did you mean 'Suspended'"):
        read_suite(
            write(f'{OPS}[[tests]]\nname = "x"\nvms = [{{ name = "a", status = "Suspendd" }}]')
        )
    named = {status_of(word) for word in re.findall(r'`"(\w+)"`', docs)}
    assert set(Status) == named


def test_settings_of_another_file(write: Callable[[str], Path], tmp_path: Path) -> None:
    """Its secrets need not be there."""
    (tmp_path / "config.toml").write_text(
        '[[accounts]]\nname = "prod"\napi_key_file = "/nowhere"\n'
        '[[receivers]]\nname = "ops"\nurl_file = "/nowhere"\n'
        '[server]\nexternal_url = "https://w"\naction_secret_file = "/nowhere"\n'
    )
    suite = read_suite(write(f'config = "config.toml"\n[[tests]]\nname = "a"\n{DRIFTS}'))
    assert ["prod"] == [each.name for each in suite.settings.accounts]
    (result,) = (run(case, suite.settings, SHIPPED) for case in suite.cases)
    assert [10 * MINUTE] == [each.at for each in result.got]


def world(*, settings: WatchSettings | None = None, **keys: object) -> World:
    """The world of a test with these keys."""
    one = WatchSettings.model_validate({"accounts": [{"name": "main"}, {"name": "other"}]})
    return World(Case.model_validate({"name": "a"} | keys), settings or one)


def seen(made: World, hours: float, account: str = "main") -> Snapshot:
    outcome = made.outcome(account, START + hours * HOUR)
    assert isinstance(outcome, Snapshot)
    return outcome


@pytest.mark.parametrize(
    ("vm", "reserves", "spent"),
    [
        ({"reserved": 5, "price": 2}, [5, 3, 2, 2], [0, 2, 4, 6]),
        ({"reserved": 5, "price": 2, "tops_up": False}, [5, 3, 1, 1], [0, 2, 4, 4]),
        ({"reserved": 5, "price": 0, "tops_up": False}, [5, 5, 5, 5], [0, 0, 0, 0]),
        ({"reserved": 5, "price": 2, "next_billing": "5d"}, [5, 5, 5, 5], [0, 0, 0, 0]),
        ({"reserved": 5, "price": 2, "status": "Terminated"}, [5, 5, 5, 5], [0, 0, 0, 0]),
        ({"reserved": 0, "price": 0}, [0, 0, 0, 0], [0, 0, 0, 0]),
    ],
)
def test_boundaries_pass_by_themselves(
    vm: dict[str, object], reserves: list[int], spent: list[int]
) -> None:
    """The price goes from the reserve to what is spent, and the reserve is filled up to an epoch."""
    made = world(vms=[{"name": "web", **vm}])
    polled = [next(iter(seen(made, 24 * day).vms.values())) for day in range(4)]
    assert reserves == [(each.reserved or 0) / 1_000_000 for each in polled]
    assert spent == [(each.spent or 0) / 1_000_000 for each in polled]


def test_boundaries_of_many_years_pass_at_once() -> None:
    """However short the epoch is."""
    one = WatchSettings.model_validate({"accounts": [{"name": "main", "epoch": "1s"}]})
    long_ago = datetime(1971, 1, 1, tzinfo=UTC)
    made = world(settings=one, vms=[{"name": "a", "price": 1, "next_billing": long_ago}])
    (vm,) = seen(made, 0).vms.values()
    assert ((START - long_ago) // timedelta(seconds=1) + 1) * 10**6 == vm.spent
    assert START + timedelta(seconds=1) == vm.next_billing_at


def test_metered_accounts_have_no_boundaries() -> None:
    """Nothing is prepaid there."""
    one = {"accounts": [{"name": "main", "dialect": "cloud"}]}
    made = world(settings=WatchSettings.model_validate(one), vms=[{"name": "web"}], balance=-2)
    polled = seen(made, 24)
    (vm,) = polled.vms.values()
    assert polled.billing
    assert (False, None, None) == (polled.billing.prepaid, vm.reserved, vm.next_billing_at)
    assert polled.balance
    assert -2_000_000 == polled.balance.balance


def test_what_changes() -> None:
    """From its time on; what is not written stays."""
    made = world(
        vms=[{"name": "web", "ports": ["22/tcp"], "price": 2}, {"name": "db", "account": "other"}],
        rented=[{"name": "disk", "attached_to": ["web"], "missing": True}],
        keys=["alice"],
        changes=[
            {"at": "2h", "vms": {"web": {"unreadable": True}}, "rented": {"disk": {"missing": False}}},
            {"at": "1h", "vms": {"web": {"name": "www", "unknown": ["ports"]}}, "keys": []},
            {"at": "3h", "vms": {"web": {"missing": True}}, "balance": 7, "account": "other"},
        ],
    )  # fmt: skip
    before, after, unread = seen(made, 0), seen(made, 1), seen(made, 2)
    (vm,) = before.vms.values()
    (changed,) = after.vms.values()
    assert ("web", "www", vm.id, None) == (vm.name, changed.name, changed.id, changed.ports)
    assert (["alice"], ()) == ([key.name for key in before.ssh_keys or ()], after.ssh_keys)
    assert ({}, frozenset({vm.key})) == (unread.vms, unread.unread)
    assert [(), ()] == [tuple(each.resources) for each in (before, after)]
    assert [(vm.key,)] == [each.attached_to for each in unread.resources.values()]
    assert not seen(made, 3).unread
    other = seen(made, 3, "other")
    assert ["db"] == [each.name for each in other.vms.values()]
    assert other.balance


def test_polls_that_fail() -> None:
    """For so long, and of one account if it says so."""
    made = world(
        failures=[
            {"at": "1h", "for": "1h", "reason": "unauthorized", "account": "other"},
            {"at": "2h", "for": "30m", "reason": "incomplete"},
        ]
    )
    failed = made.outcome("other", START + HOUR)
    assert isinstance(failed, PollFailure)
    assert failed.unauthorized
    complete = [seen(made, at, "main").complete for at in (1, 2, 2.5)]
    assert [True, False, True] == complete
    assert not seen(made, 2.4, "other").complete


WRONG = {
    "keys": '[[tests]]\nname = "x"\nintervall = "5m"\nvms = [{ name = "web", prize = 1 }]',
    "keys-and-names": """\
[[tests]]
name = "x"
intervall = "5m"
vms = [{ name = "web", prize = 1 }]
changes = [{ at = "1m", vms = { wbe = { missing = true } } }]
expect = [{ at = 5, receiver = "opps", alerts = [{ rule = "port_drft" }] }]
[[tests]]
name = "y"
vm = [{ name = "web" }]
changes = [{ at = "1m", vms = { web = { missing = true } } }]
[[tests]]
name = "x"
vms = [{ nam = "web" }]
changes = [{ at = "1m", vms = { web = { missing = true } } }]
expect = [{ receiver = "ops" }]""",
    "settings-and-tests": """\
[[maintenance]]
match = ["vm=a"]
[[tests]]
name = "x"
until = 5""",
    "values": """\
[[tests]]
name = "x"
start = 2026-01-05T12:00:00
[[tests.vms]]
name = "web"
status = "Activ"
next_billing = 12
unknown = ["prices"]
[[tests.changes]]
at = "20"
[[tests.failures]]
at = "1m"
reason = "server"
[[tests.expect]]
at = "1h"
receiver = "ops"
alerts = []""",
    "names": """\
[[tests]]
name = "x"
until = "10m"
account = "mian"
vms = [{ name = "web" }, { name = "web" }]
receivers = ["pager"]
rules = ["port_*"]
[[tests.rented]]
name = "d"
attached_to = ["wbe"]
[[tests.changes]]
at = "20m"
vms = { db = { missing = true } }
rented = { d = { attached_to = ["db"] } }
[[tests.expect]]
at = "5m"
receiver = "pos"
alerts = [{ rule = "low_balnce" }, { rule = "low_balance" }]
[[tests.expect]]
at = "5m"
receiver = "ops"
[[tests]]
name = "x"
interval = "1s"
until = "100d\"""",
    "settings": '[rules.low_balance]\nfro = "1h"\n[[tests]]\nname = "x"',
    "tables": '[[test]]\nname = "x"',
    "both": 'config = "config.toml"\n[poll]\ninterval = "1m"\n[[tests]]\nname = "x"',
    "nothing": "tests = []",
    "no-file": 'config = "nowhere.toml"\n[[tests]]\nname = "x"',
}


def golden(name: str, text: str) -> str:
    """The text of a golden file, which is written if it is asked for."""
    path = GOLDEN / name
    if os.environ.get("REWRITE_GOLDEN"):
        path.write_text(text, "utf-8")
    return path.read_text("utf-8")


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_a_file(case: str, write: Callable[[str], Path]) -> None:
    """All of it at once, with its line, its key, and what may be meant."""
    beside = "" if case in {"both", "no-file", "nothing"} else OPS
    file = write(WRONG[case].replace("[[tests]]", f"{beside}[[tests]]", 1))
    with pytest.raises(ConfigError) as raised:
        read_suite(file)
    text = str(raised.value).replace(f"{file.parent}/", "") + "\n"
    assert golden(f"wrong-{case}.txt", text) == text


def test_how_a_failure_reads(judge: Judge) -> None:
    """What was expected, what was sent instead, and where it was sent if it was."""
    results = judge(
        DRIFTS + 'expect = [{ at = "12h15m", receiver = "ops", alerts = [{ rule = "port_drift", vm = "web" }], says = ["no"] },'
        '{ at = "20m", receiver = "ops", account = "main", title = "t" }]',
        DRIFTS + 'start = 2026-01-05T23:00:00Z\nrules = ["port_drift"]\n'
        'expect = [{ at = "2h", receiver = "ops", alerts = [{ rule = "port_drift" }] }]',
        DRIFTS + 'acks = [{ at = "5m", match = ["vm=web", "rule=debt"] }]\nrules = []',
        'vms = [{ name = "a" }]',
    )  # fmt: skip
    text = "\n".join(map(in_words, results)) + "\n"
    assert golden("failures.txt", text) == text


def test_no_golden_file_is_left_over() -> None:
    """Every file belongs to a test."""
    expected = {"failures.txt", *(f"wrong-{case}.txt" for case in WRONG)}
    assert expected == {path.name for path in GOLDEN.iterdir()}


@pytest.mark.parametrize(
    ("test", "code", "last"),
    [
        ('expect = [{ at = "10m", receiver = "ops" }]', 0, "1 test: all passed"),
        ("", 1, "1 test: 1 failed"),
    ],
)
def test_the_command(write: Callable[[str], Path], test: str, code: int, last: str) -> None:
    """It exits with 1 if a test fails; the data are the same as the words."""
    file = str(write(f'{OPS}[[tests]]\nname = "drift"\n{DRIFTS}{test}'))
    ran = CliRunner().invoke(app, ["test", file])
    assert (code, last) == (ran.exit_code, ran.output.splitlines()[-1])
    as_json = CliRunner().invoke(app, ["test", file, "--format", "json"])
    assert code == as_json.exit_code
    assert f'"passed": {str(not code).lower()}' in as_json.output
    assert ('"rule": "port_drift"' in as_json.output) is bool(code)


@given(st.timedeltas(timedelta(0), timedelta(days=400)))
def test_times_are_read_as_they_are_written(moment: timedelta) -> None:
    """Whatever their length."""
    moment -= timedelta(microseconds=moment.microseconds)
    assert moment == parse_moment(written(moment))


@pytest.mark.parametrize(
    ("text", "minutes"), [("12h15m", 735), ("1d 30m", 1470), ("90s", 1.5), ("0s", 0)]
)
def test_times_of_several_parts(text: str, minutes: float) -> None:
    """They are added up."""
    assert minutes * MINUTE == parse_moment(text)


@pytest.mark.parametrize("text", ["", "12", "1h30", "1h and 5m", "5 parsecs"])
def test_what_is_no_time(text: str) -> None:
    """It is refused, with what to write."""
    with pytest.raises(ValueError, match="write"):
        parse_moment(text)

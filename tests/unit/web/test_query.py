"""`?match=` of the page, which anybody may ask who can open it."""

from dataclasses import replace
from datetime import UTC, datetime
from time import process_time

import pytest

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.model.finding import Fingerprint, Severity, VmRef
from fluence_watch.model.vm import Status
from fluence_watch.rules.vm_status import VmStatus
from fluence_watch.web.query import is_simple, read_query

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
DRIFT = Alert(Fingerprint("main", "port_drift"), Severity.WARNING, State.FIRING, object(), NOW)


@pytest.mark.parametrize(
    ("texts", "matches"),
    [
        ([], True),
        (["", " "], True),
        (["rule=port_drift"], True),
        (["rule=port_drift", "severity=info"], False),
        (['{rule=port_drift, account!~"dev|qa"}'], True),
        (['rule=~"port_.*"'], True),
    ],
)  # fmt: skip
def test_what_matches(texts: list[str], *, matches: bool) -> None:
    """All of the matchers."""
    query = read_query(texts)
    assert ("", matches) == (query.error, query.matches(DRIFT))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rule", "is no matcher"),
        ("colour=red", "there is no label 'colour'"),
        ('rule=~"("', "is no regular expression"),
        ('rule=~"(a+)+"', "is too complex for the page"),
        ("rule=" + 2000 * "a", "longer than 1000 characters"),
    ],
)
def test_what_cannot_be_read(text: str, says: str) -> None:
    """It is said why, and everything is shown."""
    query = read_query([text])
    assert says in query.error
    assert query.matches(DRIFT)
    assert len(query.text) <= 1000


@pytest.mark.parametrize(
    "pattern",
    [
        "web-.*",
        "web-.*|db-.*|ci-.*",
        "(web|db)-.*",
        ".*-1.*",
        r"\(\(\(",
        "[*+?{(]+",
        r"a\.b\+c\*d\?",
    ],
)
def test_simple_expressions(pattern: str) -> None:
    """Those that people write."""
    assert is_simple(pattern)


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+", "(a|a)*", "(?:a|a)b", "a?a?a?", "(a|a)(a|a)(a|a)", ".*.*.*x", "((a))(b)", "(.*|a)(b)", r"[\](a+)+", "|".join(["a*a*b"] * 7)],
)  # fmt: skip
def test_expressions_that_may_take_for_ever(pattern: str) -> None:
    """They are refused."""
    assert not is_simple(pattern)


def test_a_long_name_holds_nothing_up() -> None:
    """What an expression may take is bounded by the name, which comes from outside."""
    vm = VmRef("0x1", "a" * 100_000, "FR-PAR-1")
    alert = replace(DRIFT, facts=VmStatus(vm, Status.TERMINATED, "terminated", None))
    query = read_query(['vm=~".*.*x"'])
    began = process_time()
    assert ("", False) == (query.error, query.matches(alert))
    assert process_time() - began < 1

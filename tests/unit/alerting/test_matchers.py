"""The grammar of matchers, and what they match."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.alerting.matchers import (
    LABELS,
    Matcher,
    Operator,
    all_match,
    parse_matchers,
    read_matchers,
)

WEB = {
    "rule": "port_drift", "severity": "warning", "account": "main",
    "vm_id": "0xab", "vm_name": "web 1", "datacenter": "FR-PAR-1",
}  # fmt: skip
EQUAL, NOT_EQUAL, MATCHES, NOT_MATCHES = Operator


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rule=port_drift", [("rule", EQUAL, "port_drift")]),
        (" rule != port_drift ", [("rule", NOT_EQUAL, "port_drift")]),
        ('vm=~"web-.*"', [("vm", MATCHES, "web-.*")]),
        ("vm=~web-.*", [("vm", MATCHES, "web-.*")]),
        ('account!~"dev|qa"', [("account", NOT_MATCHES, "dev|qa")]),
        ('"rule"="a\\"b\\\\c\\nd"', [("rule", EQUAL, 'a"b\\c\nd')]),
        ('vm=""', [("vm", EQUAL, "")]),
        ('vm="a, b}"', [("vm", EQUAL, "a, b}")]),
        ("vm=日本", [("vm", EQUAL, "日本")]),
        ('vm="\\d"', [("vm", EQUAL, "\\d")]),
        ("{rule=a,vm=b}", [("rule", EQUAL, "a"), ("vm", EQUAL, "b")]),
        ("{ rule = a , vm = b , }", [("rule", EQUAL, "a"), ("vm", EQUAL, "b")]),
        ("rule=a, vm=b,", [("rule", EQUAL, "a"), ("vm", EQUAL, "b")]),
    ],
)
def test_the_grammar(text: str, expected: list[tuple[str, Operator, str]]) -> None:
    """As Alertmanager has it."""
    assert expected == [(m.name, m.operator, m.value) for m in parse_matchers(text)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is no matcher"),
        ("{}", "is no matcher"),
        ("{rule=a", "only one of { and }"),
        ("rule=a}", "only one of { and }"),
        ("rule", "is no matcher"),
        ("rule=", "is no matcher"),
        ("rule==a", "is no matcher"),
        ("rule=a b", "no comma before 'b'"),
        ("rule=a vm=b", "no comma before 'vm=b'"),
        ("rule=a,,vm=b", "is no matcher at ',vm=b'"),
        ("rule='a'", "is no matcher"),
        ('rule="a', "is no matcher"),
        ("rle=a", "there is no label 'rle': labels are rule, severity"),
        ('vm=~"("', "'(' is no regular expression"),
        ('vm=~"[[:alpha:]]+"', "'[[:alpha:]]+': write [a-z]"),
        ("vm=a," * 101, "more than 100 matchers"),
    ],
)
def test_what_is_no_matcher(text: str, problem: str) -> None:
    """It is refused, with the place."""
    with pytest.raises(ValueError, match=r".") as refused:
        parse_matchers(text)
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("rule=port_drift", True),
        ("rule=low_balance", False),
        ("severity!=info", True),
        ("severity!=warning", False),
        ("rule=~port", False),
        ("rule=~port.*", True),
        ("rule!~port.*", False),
        ('vm="web 1"', True),
        ("vm=0xab", True),
        ('vm!="web 1"', False),
        ("vm!=0xab", False),
        ("vm!=db", True),
        ('vm_name=~"web .*"', True),
        ("vm_id=web", False),
        ('status=""', True),
        ("status!=ACTIVE", True),
        ('datacenter=~"FR-.*",account=main', True),
        ('datacenter=~"FR-.*",account=dev', False),
    ],
)
def test_what_they_match(text: str, matches: bool) -> None:  # noqa: FBT001 - a column of the table
    """A whole value; `vm` is the name or the id; what is absent is empty."""
    assert matches == all_match(parse_matchers(text), WEB)


@given(
    st.lists(
        st.builds(Matcher, st.sampled_from(LABELS), st.sampled_from([EQUAL, NOT_EQUAL]), st.text()),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_written_is_read_back(matchers: list[Matcher]) -> None:
    """Whatever the values are."""
    assert tuple(matchers) == parse_matchers(", ".join(map(str, matchers)))
    assert tuple(matchers) == parse_matchers("{" + ",".join(map(str, matchers)) + "}")


def test_too_many_matchers() -> None:
    """Also in several texts: a silence stores them as one, which is read again."""
    texts = ["rule=a,vm=b"] * 51
    with pytest.raises(ValueError, match="more than 100 matchers"):
        read_matchers(texts)
    assert 100 == len(parse_matchers(",".join(map(str, read_matchers(texts[1:])))))

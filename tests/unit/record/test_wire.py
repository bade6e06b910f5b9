"""What polls saw is read as it was written."""

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.account import AccountBalance
from fluence_watch.model.billing import HOURS, METERED, EpochBilling
from fluence_watch.model.charge import Charge
from fluence_watch.model.market import Market, Quote, offers_of
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.note import Note
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.snapshot import PollFailure, Rejected, Snapshot
from fluence_watch.model.ssh_key import SshKey
from fluence_watch.model.vm import Status, Vm
from fluence_watch.record.plain import Rest
from fluence_watch.record.wire import Seen, Tail, decode, encode
from tests.anything import any_moment, any_text, anything

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
VM = Vm("a-1", "web", Status.ACTIVE, "ACTIVE", price=MicroUsdc(298_160), spent=MicroUsdc(0))

any_market = st.builds(
    lambda quotes, places, unknown: Market(offers_of(quotes), places, unknown),
    st.lists(anything(Quote), max_size=4),
    st.dictionaries(any_text, any_text, max_size=2),
    st.dictionaries(any_text, any_text, max_size=2),
)
any_billing = st.sampled_from([None, HOURS, METERED]) | st.builds(
    EpochBilling, st.timedeltas(timedelta(seconds=1), timedelta(days=9))
)


def tuples(kind: type) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(anything(kind), max_size=2).map(tuple)


any_snapshot = st.builds(
    Snapshot,
    st.just("main"),
    any_moment,
    st.lists(anything(Vm), max_size=3).map(lambda vms: {vm.key: vm for vm in vms}),
    rejected=tuples(Rejected),
    dialect=any_text,
    ssh_keys=st.none() | tuples(SshKey),
    balance=st.none() | anything(AccountBalance),
    incomplete_because=st.none() | any_text,
    billing=any_billing,
    unknown=st.dictionaries(any_text, any_text, max_size=2),
    resources=st.lists(anything(Resource), max_size=3).map(lambda all_: {r.key: r for r in all_}),
    kinds=st.frozensets(st.sampled_from(Kind)),
    permissions=st.dictionaries(any_text, st.booleans(), max_size=2),
    charges=st.none() | tuples(Charge),
    market=st.none() | any_market,
)
any_failure = st.builds(PollFailure, st.just("main"), any_moment, any_text, any_text)
any_seen = st.builds(Seen, any_snapshot | any_failure, tuples(Note))


def read(lines: Sequence[str]) -> list[Seen]:
    """What the lines say."""
    tail: Tail | None = None
    found = []
    for line in lines:
        seen, tail = decode(tail, line)
        found.append(seen)
    return found


def written(polls: Sequence[Seen]) -> list[str]:
    """The lines of these polls."""
    tail: Tail | None = None
    lines = []
    for seen in polls:
        line, tail = encode(tail, seen)
        lines.append(line)
    return lines


@given(polls=st.lists(any_seen, min_size=1, max_size=4))
def test_any_polls_are_read_as_they_were_written(polls: list[Seen]) -> None:
    """Each is the difference to the one before, and nothing of it is lost."""
    assert [each[:2] for each in polls] == [each[:2] for each in read(written(polls))]


def test_every_part_of_a_snapshot_is_recorded() -> None:
    """A new field of a snapshot needs its place in a record."""
    apart = {"account", "taken_at", "vms", "resources"}
    assert {each.name for each in fields(Snapshot)} - apart == {each.name for each in fields(Rest)}


def polls() -> list[Seen]:
    """One VM: unchanged, charged, a failed poll, then as it was, then gone."""
    charged = replace(VM, spent=MicroUsdc(298_160))
    first = Snapshot("main", NOW, {VM.key: VM})
    second = replace(first, taken_at=NOW + MINUTE)
    third = replace(first, taken_at=NOW + 2 * MINUTE, vms={VM.key: charged})
    failed = PollFailure("main", NOW + 3 * MINUTE, "unreachable", "timeout")
    fifth = replace(third, taken_at=NOW + 4 * MINUTE)
    last = replace(third, taken_at=NOW + 5 * MINUTE, vms={})
    return [Seen(each) for each in (first, second, third, failed, fifth, last)]


def test_a_line_has_what_is_new() -> None:
    """Nothing but the time, if nothing is."""
    assert [
        '{"+":60000000}',
        '{"+":60000000,"vms":{"a-1":{"spent":298160}}}',
        '{"+":60000000,"failed":["unreachable","timeout"]}',
        '{"+":60000000}',
        '{"+":60000000,"vms":{"a-1":null}}',
    ] == written(polls())[1:]


def test_what_is_the_same_is_known_without_a_comparison() -> None:
    """After a failed poll nothing is: it may have changed what is decided."""
    assert [False, True, False, False, False, False] == [
        each.is_same for each in read(written(polls()))
    ]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (['{"+":1}'], "its first poll is not whole"),
        (
            ['{"first":{"format":2,"account":"main","at":"2026-04-16T12:00:00Z"}}'],
            "a later version",
        ),
        (["{"], "truncated"),
        ([*written(polls())[:1], '{"vms":{"b-2":{"spent":1}}}'], "missing required"),
    ],
)
def test_what_cannot_be_read(lines: list[str], why: str) -> None:
    """It says why."""
    with pytest.raises(ValueError, match=why):
        read(lines)


def test_decimals_and_days_are_exact() -> None:
    """Also in what JSON has no type for."""
    charge = Charge(date(2026, 4, 15), "vm", MicroUsdc(1), Decimal("23.50"), "a-1")
    quote = Quote("vm", "cpu-2", "FR-PAR-1", Decimal("298160.000000000001"))
    seen = Seen(Snapshot("main", NOW, {}, charges=(charge,), market=Market(offers_of([quote]))))
    assert seen.outcome == read(written([seen]))[0].outcome

"""Whatever the model can hold comes back as it was."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluence_watch.alerting.attempts import Attempts
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.state import AccountState
from fluence_watch.alerting.telling import Notified
from fluence_watch.model.boundaries import Boundaries
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.model.known import KnownVm
from fluence_watch.model.known_resource import KnownResource
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Vm
from fluence_watch.rules import FACTS
from fluence_watch.store import Store
from fluence_watch.store.codec import (
    dump,
    load_boundaries,
    load_facts,
    load_vm,
)
from fluence_watch.store.columns import AnyText, Moment
from tests.anything import any_moment, any_text, anything
from tests.stored import keep

NOW = datetime(2025, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)

any_count = st.integers(0, 2**31 - 1)  # our own counts, never the API's
any_known = st.builds(
    KnownVm,
    **{name: anything(of) for name, of in get_type_hints(KnownVm).items()}
    | {"missing_polls": any_count, "missing_among": any_count},
)
any_known_resource = st.builds(
    KnownResource,
    **{name: anything(of) for name, of in get_type_hints(KnownResource).items()}
    | {"missing_polls": any_count, "missing_among": any_count},
)
any_facts = st.one_of([anything(of) for of in FACTS.values()])
any_fingerprint = st.builds(Fingerprint, st.just("main"), any_text, any_text, any_text)


def with_facts(kind: type, **fixed: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Any value of a type that holds the facts of some rule."""
    others = {n: anything(of) for n, of in get_type_hints(kind).items() if of is not object}
    return st.builds(kind, **others | {"facts": any_facts} | fixed)


any_open_alert = with_facts(
    Alert,
    fingerprint=any_fingerprint,
    state=st.sampled_from([State.PENDING, State.FIRING]),
    ends_at=st.none(),
    step=any_count,
)
any_notified = st.builds(Notified, any_moment, st.sampled_from(Severity), st.none() | any_count)
any_attempts = st.builds(
    Attempts,
    st.none() | any_moment,
    any_count,
    st.none() | any_moment,
    any_text,
    st.frozensets(st.from_regex("[0-9a-f]{16}", fullmatch=True), max_size=3),
)


@given(vm=anything(Vm))
def test_any_vm_is_read_as_it_was_written(vm: Vm) -> None:
    """No name, amount or time is changed by being stored."""
    assert vm == load_vm(dump(vm))


def test_boundaries_of_a_former_version_are_read() -> None:
    """What it did not store is as if nothing was known of it."""
    stored = {"passed_at": NOW, "covered": True, "refilled": False, "was_refilled": True}
    assert Boundaries(NOW, covered=True, refilled=False) == load_boundaries(dump(stored))


@pytest.mark.parametrize("name", FACTS)
def test_the_facts_of_every_rule_are_read_as_they_were_written(name: str) -> None:
    """A new rule's facts are held to this by being in FACTS."""

    @given(facts=anything(FACTS[name]))
    def check(facts: object) -> None:
        again = load_facts(name, dump(facts))
        assert (type(facts), facts) == (type(again), again)

    check()


@given(text=any_text)
def test_any_text_survives_a_column(text: str) -> None:
    """What the column stores is valid UTF-8 without NUL, and means the same text."""
    column: Any = AnyText()
    stored = column.process_bind_param(text, None)
    assert b"\0" not in stored.encode()
    assert text == column.process_result_value(stored, None)


@given(first=any_moment, second=any_moment)
def test_moments_are_exact_and_sort(first: datetime, second: datetime) -> None:
    """The number in the column orders as the times do, to the microsecond."""
    column: Any = Moment()
    one, two = (column.process_bind_param(at, None) for at in (first, second))
    assert first == column.process_result_value(one, None)
    assert (first < second) == (one < two)


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store for many examples."""
    folder: Path = tmp_path_factory.mktemp("shared")
    with Store.open(f"sqlite:///{folder}/store.db") as store:
        yield store


@settings(max_examples=25, deadline=None)
@given(
    known=st.dictionaries(any_text, any_known, max_size=3),
    opened=st.lists(any_open_alert, max_size=3),
    receivers=st.dictionaries(any_text, st.tuples(any_attempts, any_notified), max_size=2),
    balance=st.none() | st.integers(),
    rented=st.dictionaries(any_text, any_known_resource, max_size=3),
)
def test_any_state_survives_the_database(
    shared_store: Store,
    known: dict[str, KnownVm],
    opened: list[Alert],
    receivers: dict[str, tuple[Attempts, Notified]],
    balance: MicroUsdc | None,
    rented: dict[str, KnownResource],
) -> None:
    """VMs, resources, alerts and what receivers know come out of SQLite as they went in."""
    alerts = {alert.fingerprint: alert for alert in opened}
    state = AccountState(known, alerts, NOW, None, balance=balance, resources=rented)
    shared_store.watch_only([], NOW)
    shared_store.forget_absent(NOW + timedelta(seconds=1))
    for receiver in shared_store.receivers():
        shared_store.remove_receiver(receiver)

    keep(shared_store, "main", state)
    for receiver, (attempts, notified) in receivers.items():
        told = {alert.episode: notified for alert in alerts.values()}
        shared_store.save_attempts(receiver, attempts, told)

    assert state == shared_store.load("main").state
    assert {name: attempts for name, (attempts, _) in receivers.items()} == shared_store.receivers()
    assert {
        name: {alert.episode: notified for alert in alerts.values()}
        for name, (_, notified) in receivers.items()
        if alerts
    } == shared_store.load("main").told

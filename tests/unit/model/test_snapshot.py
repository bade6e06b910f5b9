from dataclasses import replace
from datetime import UTC, datetime

from fluence_watch.model.account import AccountBalance
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.snapshot import PollFailure, Rejected, build_snapshot
from fluence_watch.model.ssh_key import SshKey
from fluence_watch.model.vm import Vm

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)


def test_vms_are_in_the_order_of_the_list(web: Vm) -> None:
    """A snapshot holds the list by key, in its order."""
    vms = [replace(web, id=vm_id) for vm_id in ("0xC", "0xA", "0xB")]
    assert list(build_snapshot("main", NOW, vms).vms) == ["0xc", "0xa", "0xb"]


def test_the_same_element_twice_is_one_vm(web: Vm) -> None:
    """An element that says the same again, as overlapping pages do, is dropped."""
    snapshot = build_snapshot("main", NOW, [web, replace(web)])
    assert {web.key: web} == snapshot.vms
    assert snapshot.rejected == ()


def test_of_two_elements_with_one_id_the_first_counts(web: Vm) -> None:
    """An element that contradicts an earlier one is rejected, be its id in another case or not."""
    other = replace(web, id=web.id.upper(), name="web-2")
    snapshot = build_snapshot("main", NOW, [web, other])
    assert {web.key: web} == snapshot.vms
    assert [other.id] == [element.vm_id for element in snapshot.rejected]
    assert snapshot.complete
    assert frozenset() == snapshot.unread


def test_a_rejected_element_with_an_id_is_unread(web: Vm) -> None:
    """Its id says that the VM is there, so the list is complete; without an id it is not."""
    named = Rejected("[1].ports", "not a list", "0xEE")
    nameless = Rejected("[2]", "not an object")
    some = build_snapshot("main", NOW, [web], [named])
    assert some.complete
    assert frozenset({"0xee"}) == some.unread
    assert not build_snapshot("main", NOW, [web], [named, nameless]).complete


def test_a_list_that_is_known_to_be_incomplete(web: Vm) -> None:
    """What the reader says of the list as a whole counts, though every element could be read."""
    snapshot = build_snapshot("main", NOW, [web], incomplete_because="page 2 changed meanwhile")
    assert not snapshot.complete
    assert build_snapshot("main", NOW, [web]).complete


def test_what_a_poll_knows_beside_the_vms(web: Vm) -> None:
    """Keys and balance are passed on; without them they are unknown, not empty."""
    key, balance = SshKey("laptop", "SHA256:x", "ssh-ed25519 AAAA"), AccountBalance(MicroUsdc(5))
    snapshot = build_snapshot("main", NOW, [web], ssh_keys=(key,), balance=balance)
    assert ((key,), balance) == (snapshot.ssh_keys, snapshot.balance)
    silent = build_snapshot("main", NOW, [web])
    assert (None, None) == (silent.ssh_keys, silent.balance)


def test_a_rejected_key_is_distinguished_from_other_failures() -> None:
    """Only `unauthorized` is beyond the help of waiting."""
    assert PollFailure("main", NOW, "unauthorized", "no").unauthorized
    assert not PollFailure("main", NOW, "unreachable", "no").unauthorized

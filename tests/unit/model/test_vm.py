from dataclasses import replace

import pytest

from fluence_watch.model.vm import ENDED, OUT_OF_FUNDS, Status, Vm, status_of


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("ACTIVE", Status.ACTIVE),
        ("Active", Status.ACTIVE),
        ("launched", Status.ACTIVE),
        ("SmallBalance", Status.SMALL_BALANCE),
        ("InsufficientFunds", Status.INSUFFICIENT_FUNDS),
        ("insufficient_funds", Status.INSUFFICIENT_FUNDS),
        ("softRebooting", Status.RESTARTING),
        ("Terminated", Status.TERMINATED),
        ("<b>what</b>", Status.UNKNOWN),
        ("", Status.UNKNOWN),
        (None, Status.UNKNOWN),
    ],
)
def test_words_of_the_dialects(word: str | None, status: Status) -> None:
    """Each dialect's spelling is the same status; a new word is unknown, not healthy or ended."""
    assert status == status_of(word)


@pytest.mark.parametrize("status", Status)
def test_every_status_is_its_own_word(status: Status) -> None:
    """The canonical word of a status reads back as it."""
    assert status == status_of(status.value)


def test_what_will_be_charged(web: Vm) -> None:
    """A draft is not billed yet, an ended VM no more; one that is short of money still is."""
    billed = {status for status in Status if replace(web, status=status).is_billed}
    assert (
        set(Status) - {Status.DRAFT, Status.TERMINATING, Status.TERMINATED, Status.FAILED} == billed
    )
    assert OUT_OF_FUNDS.isdisjoint(ENDED)


def test_the_key_has_no_case(web: Vm) -> None:
    """Ids that differ in case alone are the same VM, and the id is shown as given."""
    assert web.key == replace(web, id=web.id.upper()).key
    assert web.id == "0x00aB"


def test_the_name_of_a_datacenter(web: Vm) -> None:
    """People know a datacenter as `FR-PAR-1`."""
    assert web.datacenter is not None
    assert web.datacenter.name == "FR-PAR-1"

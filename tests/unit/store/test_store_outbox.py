"""Messages wait for their receiver until it has them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from fluence_watch.alerting.delivery import Queued
from fluence_watch.alerting.grouping import Item, Message
from fluence_watch.alerting.state import AccountState
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.model.undelivered import Undelivered
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.store import Store

NOW = datetime(2025, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def message(receiver: str, minute: int = 0) -> Message:
    """A message that was made so many minutes ago."""
    return Message(receiver, "main", NOW + minute * MINUTE, (), ())


def put(store: Store, *messages: Message) -> None:
    """Commit a poll that tells these."""
    store.commit("main", AccountState(), AccountState(), [], messages)


def ids(queued: Sequence[Queued]) -> list[int]:
    """The ids of queued messages."""
    return [one.id for one in queued]


def test_messages_wait_in_order_of_their_creation(store: Store) -> None:
    """Each receiver has its own queue, the oldest first."""
    put(store, message("ops", 1), message("mail", 2))
    put(store, message("ops", 3), message("ops", 4))
    assert [message("ops", 1), message("ops", 3)] == [q.message for q in store.queued("ops", 2)]
    assert [message("mail", 2)] == [q.message for q in store.queued("mail")]
    assert [] == store.queued("nobody")


def test_waiting_messages_are_counted_with_the_oldest(store: Store) -> None:
    """A receiver without messages is not listed."""
    put(store, message("ops", 1), message("mail", 2), message("ops", 3))
    assert {"ops": (2, NOW + MINUTE), "mail": (1, NOW + 2 * MINUTE)} == store.receivers_waiting()
    store.delivered(ids(store.queued("mail")))
    assert {"ops"} == store.receivers_waiting().keys()


def test_a_new_message_was_never_tried(store: Store) -> None:
    """It may be sent at once."""
    put(store, message("ops"))
    (queued,) = store.queued("ops")
    assert Queued(queued.id, message("ops")) == queued


def test_a_try_is_counted_before_it_is_made(url: str) -> None:
    """After a crash in the midst of it, the message still says that it may have arrived."""
    with Store.open(url) as store:
        put(store, message("ops", 1), message("ops", 2))
        store.begin(ids(store.queued("ops", 1)))
    with Store.open(url) as store:
        tried, untried = store.queued("ops")
        assert (1, True) == (tried.attempts, tried.in_flight)
        assert (0, False) == (untried.attempts, untried.in_flight)


def test_a_failed_message_stays_where_it_is(store: Store) -> None:
    """It keeps its place, its count of tries and the time of the next."""
    put(store, message("ops", 1), message("ops", 2))
    first, second = ids(store.queued("ops"))
    store.begin([first])
    store.failed([first], NOW + MINUTE, "refused " * 1000)
    assert [
        Queued(first, message("ops", 1), attempts=1, next_attempt_at=NOW + MINUTE),
        Queued(second, message("ops", 2)),
    ] == store.queued("ops")
    with store._reader.begin() as connection:
        assert 500 == connection.scalar(text("SELECT length(error) FROM outbox WHERE id = 1"))


def test_delivered_messages_are_gone(store: Store) -> None:
    """The others wait on; to remove nothing, or what is gone, does no harm."""
    put(store, message("ops", 1), message("ops", 2), message("ops", 3))
    first, second, third = ids(store.queued("ops"))
    store.delivered([first, third])
    store.delivered([first])
    store.delivered([])
    assert [second] == ids(store.queued("ops"))


def test_an_id_is_never_given_twice(store: Store) -> None:
    """The late outcome of one try cannot be taken for another message's."""
    put(store, message("ops"))
    first = ids(store.queued("ops"))
    store.delivered(first)
    put(store, message("ops"))
    assert first != ids(store.queued("ops"))


def test_the_queue_of_a_receiver_that_is_no_more_is_dropped(store: Store) -> None:
    """Only its own."""
    put(store, message("ops"), message("ops"), message("mail"))
    assert 2 == store.drop_queue("ops")
    assert {"mail"} == store.receivers_waiting().keys()


@pytest.mark.parametrize("damaged", ["", "{", "[]", '{"receiver": "ops"}'])
def test_a_message_that_cannot_be_read_does_not_block_the_queue(store: Store, damaged: str) -> None:
    """It is removed, for it would be the first for ever."""
    put(store, message("ops", 1), message("ops", 2))
    with store._writer.begin() as connection:
        connection.execute(text("UPDATE outbox SET message = :m WHERE id = 1"), {"m": damaged})
    assert [message("ops", 2)] == [q.message for q in store.queued("ops")]
    assert {"ops": (1, NOW + 2 * MINUTE)} == store.receivers_waiting()


def about(account: str) -> Message:
    """A message with an alert of the account."""
    fingerprint = Fingerprint(account, "poll_failing", "", "unreachable")
    facts = PollFailing("unreachable", "no answer")
    item = Item(fingerprint, Severity.INFO, firing=True, facts=facts, active_at=NOW)
    return Message("ops", account, NOW, (item,), ())


def test_messages_of_a_renamed_account(store: Store) -> None:
    """They speak of the account by its new name, in their order and however often tried."""
    put(store, about("main"), about("third"), about("main"), about("main"))
    first, *_, last = ids(store.queued("ops"))
    store.begin([first])
    store.failed([first], NOW + MINUTE, "503")
    with store._write() as connection:
        connection.execute(text("UPDATE outbox SET message = '{' WHERE id = :id"), {"id": last})
    store.rename({"main": "new"})
    queued = store.queued("ops")

    assert [about("new"), about("third"), about("new")] == [each.message for each in queued]
    assert Queued(first, about("new"), 1, NOW + MINUTE) == queued[0]


def test_what_a_receiver_refused(store: Store) -> None:
    """Its last error, and all that waits for it; who refused nothing that waits is not listed."""
    put(store, message("ops", 1), message("ops", 2), message("mail", 3), message("chat", 4))
    first, second = ids(store.queued("ops"))
    (sent,) = ids(store.queued("chat"))
    store.failed([first], NOW + 9 * MINUTE, "503")
    store.failed([second], NOW + 5 * MINUTE, "refused")
    store.failed([sent], NOW + 5 * MINUTE, "refused")
    store.delivered([sent])

    assert {"ops": Undelivered("503", 2, NOW + MINUTE)} == store.undelivered()

# ruff: noqa: ANN401 - the web hook's class is in conftest.py, which is not imported

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from fluence_watch.errors import NotifyError
from fluence_watch.notify.markup import BodyFormat
from fluence_watch.notify.receiver import Receiver, parse_receiver
from fluence_watch.notify.render import Rendered

pytestmark = pytest.mark.usefixtures("apprise_within_this_process")

Parse = Callable[..., Receiver]

HELLO = Rendered("[FIRING:1] low_balance · main", "web-1 :smile: \\n ${x}", "failure")
SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"


@pytest.fixture
async def parse() -> AsyncIterator[Parse]:
    """Makes receivers of whose processes nothing is left."""
    made: list[Receiver] = []

    def make(*args: Any, **kwargs: Any) -> Receiver:
        made.append(parse_receiver(*args, **kwargs))
        return made[-1]

    yield make
    for receiver in made:
        await receiver.aclose()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (SLACK, BodyFormat.MARKDOWN),
        ("https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", BodyFormat.MARKDOWN),
        ("mailto://user:pass@example.com", BodyFormat.MAIL),
        ("sendgrid://key:from@example.com/to@example.com", BodyFormat.MAIL),
        ("mailto://user:pass@example.com?format=text", BodyFormat.PLAIN),
        ("tgram://123456789:abcdefg_hijklmnop/12315544/", BodyFormat.HTML),
        ("discord://12345678/abcdefghij", BodyFormat.TEXT),
        ("json://localhost", BodyFormat.PLAIN),
    ],
)  # fmt: skip
def test_format_is_what_the_service_takes_best(url: str, expected: BodyFormat) -> None:
    """Mail gets HTML, Slack gets Markdown, the user's choice wins."""
    assert expected is parse_receiver("ops", url).format


@pytest.mark.parametrize(
    "url",
    ["", "bad://t0psecret", "t0psecret", "slack://t0psecret", "json://a/t0psecret json://b",
     "json://a/t0psecret, json://b", "mailto://", "file:///etc/t0psecret"],
)  # fmt: skip
def test_url_that_is_not_one_receiver_is_an_error_without_secrets(url: str) -> None:
    """Apprise itself only returns False."""
    with pytest.raises(NotifyError, match="receiver ops: Apprise cannot use this") as caught:
        parse_receiver("ops", url)

    assert "t0psecret" not in str(caught.value)


def test_receiver_is_shown_without_secrets() -> None:
    """Neither its address nor its text holds a token."""
    receiver = parse_receiver("ops", SLACK)

    assert receiver.shown == "slack://T...2/A...D/T...Q//"
    assert "TIiajkdnlazkcOXrIdevi7FQ" not in repr(receiver)


async def test_message_arrives_as_it_is(parse: Parse, webhook: Any) -> None:
    """Title, body and type are handed on; emoji codes and escapes are not interpreted."""
    await parse("ops", webhook.url + "?emojis=yes").send(HELLO)
    (arrived,) = webhook.received

    assert (arrived["title"], arrived["message"]) == (HELLO.title, HELLO.body)
    assert arrived["type"] == "failure"


async def test_long_message_stays_one(parse: Parse, webhook: Any) -> None:
    """Whatever the URL says: thirty messages instead of one are noise."""
    long = Rendered("title", "word " * 20_000, "info")
    await parse("ops", webhook.url + "?overflow=split").send(long)

    (arrived,) = webhook.received
    assert 32_000 < len(arrived["message"]) <= 32_768


@pytest.mark.parametrize("status", [400, 403, 500, 302])
async def test_refusal_is_an_error_with_the_reason(parse: Parse, webhook: Any, status: int) -> None:
    """A redirect is a refusal: the message would arrive empty."""
    webhook.statuses = [status]
    with pytest.raises(NotifyError, match=f"error={status}"):
        await parse("ops", webhook.url).send(HELLO)

    assert webhook.received == []


async def test_optional_receiver_fails_all_the_same(parse: Parse, webhook: Any) -> None:
    """Apprise's `optional=yes` would make a lost message look delivered."""
    webhook.statuses = [500]
    with pytest.raises(NotifyError):
        await parse("ops", webhook.url + "?optional=yes").send(HELLO)


async def test_server_that_is_away_is_an_error(parse: Parse) -> None:
    """Nobody listens on the port."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(NotifyError, match="Connection error"):
            await parse("ops", f"json://127.0.0.1:{port}").send(HELLO)


async def test_server_that_says_nothing_is_given_up(parse: Parse, webhook: Any) -> None:
    """One slow receiver does not hold its queue for ever."""
    webhook.silent_for = 30.0
    with pytest.raises(NotifyError, match=r"no answer within 0\.5 s; the message may have arrived"):
        await parse("ops", webhook.url, timeout=0.5).send(HELLO)


async def test_errors_hold_no_secret(parse: Parse, webhook: Any) -> None:
    """What Apprise and its HTTP library say of the address stays out of the reason."""
    webhook.statuses = [500]
    url = webhook.url.replace("127.0.0.1", "s3cretuser:s3cretpass@127.0.0.1")
    with pytest.raises(NotifyError) as caught:
        await parse("ops", url).send(HELLO)

    assert "s3cret" not in str(caught.value)


async def test_one_receiver_that_fails_sends_the_other_nothing_twice(
    parse: Parse, webhook: Any, another_webhook: Any
) -> None:
    """Each has its own Apprise object, so each has its own outcome."""
    webhook.statuses = [500]
    receivers = [parse("a", webhook.url), parse("b", another_webhook.url)]
    outcomes = await asyncio.gather(*(r.send(HELLO) for r in receivers), return_exceptions=True)

    assert [NotifyError, type(None)] == [type(outcome) for outcome in outcomes]
    await receivers[0].send(HELLO)
    assert (len(webhook.received), len(another_webhook.received)) == (1, 1)

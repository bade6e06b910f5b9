"""Mail, to a real SMTP server: what arrives in the mailbox."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from fluence_watch.alerting.grouping import Message, compose
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.routing import Route
from fluence_watch.errors import NotifyError
from fluence_watch.model.finding import Fingerprint, Severity, VmRef
from fluence_watch.notify.receiver import Receiver, parse_receiver
from fluence_watch.notify.render import Rendered, render
from fluence_watch.rules.low_balance import LowBalance

pytestmark = pytest.mark.filterwarnings(
    "ignore:'imghdr' is deprecated"
)  # Apprise's OpenPGP library

NOW = datetime(2026, 4, 16, 17, 17, tzinfo=UTC)
DUE = NOW + timedelta(minutes=42)


@dataclass
class Mailbox:
    """Keeps the mails that the server accepted; `refusal` is its answer instead, if any."""

    mails: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    refusal: str = ""

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd calls it so
        """Take a mail, or refuse it."""
        if self.refusal:
            return self.refusal
        assert isinstance(envelope.content, bytes)
        self.mails.append(envelope.content)
        self.recipients += envelope.rcpt_tos
        return "250 OK"

    def mail(self) -> EmailMessage:
        """The one mail that arrived."""
        (raw,) = self.mails
        mail = message_from_bytes(raw, policy=modern)
        assert isinstance(mail, EmailMessage)
        return mail


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
async def receiver(mailbox: Mailbox) -> AsyncIterator[Receiver]:
    loop = asyncio.get_running_loop()

    def serve() -> SMTP:
        return SMTP(mailbox, loop=loop, hostname="localhost")

    async with await loop.create_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"mailto://127.0.0.1:{port}?from=watch@example.com&to=ops@example.com"
        yield parse_receiver("ops", url)


def low_balance(name: str = "web-1", account: str = "main") -> Message:
    facts = LowBalance(VmRef("0x311edb42", name, "FR-PAR-1"), 298_160, 100_000, 298_160, DUE, DUE)
    fingerprint = Fingerprint(account, "low_balance", "0x311edb42")
    alert = Alert(fingerprint, Severity.CRITICAL, State.FIRING, facts, NOW - timedelta(minutes=57))
    (message,), _ = compose(account, [alert], {}, [Route("ops")], NOW)
    return message


def worded(receiver: Receiver, message: Message) -> Rendered:
    return render(message, receiver.format, NOW, longest=receiver.longest)


def part(mail: EmailMessage, kind: str) -> str:
    (found,) = [part for part in mail.walk() if part.get_content_type() == kind]
    content: str = found.get_content()
    return content


async def test_mail_is_html_with_a_text_alternative(receiver: Receiver, mailbox: Mailbox) -> None:
    """A reader without HTML reads the same words."""
    await receiver.send(worded(receiver, low_balance()))
    mail = mailbox.mail()

    assert "multipart/alternative" == mail.get_content_type()
    assert "Top up the account by at least 0.198160 USDC before 17:59 UTC." in part(
        mail, "text/html"
    )
    assert "<b><samp>web-1</samp></b>" in part(mail, "text/html")
    assert "Top up the account by at least 0.198160 USDC before 17:59 UTC." in part(
        mail, "text/plain"
    )
    assert "<" not in part(mail, "text/plain")
    assert "web-1 (0x311edb" in part(mail, "text/plain")  # no line of its own for a name


async def test_title_is_the_subject_encoded(receiver: Receiver, mailbox: Mailbox) -> None:
    """On the wire it is ASCII; in the mailbox it has its dot and the account's own letters."""
    await receiver.send(worded(receiver, low_balance(account="büro")))

    assert "[FIRING:1] low_balance · büro" == mailbox.mail()["Subject"]
    assert mailbox.mails[0].split(b"\r\n\r\n")[0].isascii()


async def test_no_header_can_be_put_in_by_a_name(receiver: Receiver, mailbox: Mailbox) -> None:
    """A line break in a name or an account ends nothing."""
    hostile = "x\r\nBcc: thief@example.com\r\n\r\n<script>"
    await receiver.send(worded(receiver, low_balance(hostile, hostile)))
    mail = mailbox.mail()

    assert mail["Bcc"] is None
    assert ["ops@example.com"] == mailbox.recipients
    assert "[FIRING:1] low_balance · x Bcc: thief＠example.com ‹script›" == mail["Subject"]  # noqa: RUF001 - the look-alikes are the point
    assert "<script" not in part(mail, "text/html")


async def test_refused_mail_is_an_error(receiver: Receiver, mailbox: Mailbox) -> None:
    """What the server does not take will be tried again."""
    mailbox.refusal = "451 try later"
    with pytest.raises(NotifyError, match="email"):
        await receiver.send(worded(receiver, low_balance()))

    assert [] == mailbox.mails

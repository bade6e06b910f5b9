"""Mail, to a real SMTP server: what arrives in the mailbox."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from apprise import NotifyBase, NotifyFormat
from apprise.manager_plugins import NotificationManager

from fluence_watch.alerting.grouping import Message, compose
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.telling import Line, Reason
from fluence_watch.app.digests import Digests
from fluence_watch.app.wiring import prepare
from fluence_watch.errors import NotifyError
from fluence_watch.metrics.own import OwnMetrics
from fluence_watch.model.finding import Fingerprint, Severity, VmRef
from fluence_watch.notify.digest import render_digest
from fluence_watch.notify.receiver import MAIL, Receiver, parse_receiver
from fluence_watch.notify.render import Rendered, render
from fluence_watch.rules.low_balance import LowBalance
from fluence_watch.rules.port_drift import Direction, PortDrift
from fluence_watch.settings import WatchSettings
from fluence_watch.simulator import SettableClock
from fluence_watch.store import Store
from tests.digests import NOW as SAMPLE
from tests.digests import fleet

NOW = datetime(2026, 4, 16, 17, 17, tzinfo=UTC)
DUE = NOW + timedelta(minutes=42)
SIX = datetime(2026, 4, 16, 18, 0, tzinfo=UTC)


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
        made = parse_receiver("ops", url)
        yield made
        await made.aclose()


def low_balance(name: str = "web-1", account: str = "main") -> Message:
    facts = LowBalance(VmRef("0x311edb42", name, "FR-PAR-1"), 298_160, 100_000, 298_160, DUE, DUE)
    fingerprint = Fingerprint(account, "low_balance", "0x311edb42")
    alert = Alert(fingerprint, Severity.CRITICAL, State.FIRING, facts, NOW - timedelta(minutes=57))
    return compose("ops", account, [Line(alert, Reason.FIRST, NOW)])


def port_drift() -> Message:
    facts = PortDrift(VmRef("0x311edb42", "web-1"), "22/tcp", Direction.CLOSED, False, (), ())  # noqa: FBT003 - facts as they are
    alert = Alert(Fingerprint("main", "port_drift", "0x311edb42"), Severity.CRITICAL, State.FIRING, facts, NOW)  # fmt: skip
    return compose("ops", "main", [Line(alert, Reason.FIRST, NOW)])


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
    assert """\
CRITICAL · low_balance

- web-1 (0x311edb · FR-PAR-1 · main) has a low reserve. Since 16:20 UTC, 57 min ago.
Reserve: 0.100000 USDC. Needed: 0.298160 USDC.
Funded until 17:59 UTC, in 42 min. The first charge that cannot be paid ends the VM, and its disk is lost.
Top up the account by at least 0.198160 USDC before 17:59 UTC.""" == part(
        mail, "text/plain"
    ).replace("\r\n", "\n").strip()


async def test_commands_stand_in_a_box_and_on_a_line_of_their_own(
    receiver: Receiver, mailbox: Mailbox
) -> None:
    """They are to be copied whole, from either part."""
    await receiver.send(worded(receiver, port_drift()))
    command = "fluence-watch vm ports restore 0x311edb42 --account main"

    assert command in part(mailbox.mail(), "text/plain").splitlines()
    assert re.search(
        f'<div class="command" style="[^"]*user-select:all">{command}</div>',
        part(mailbox.mail(), "text/html"),
    )


async def test_mail_is_a_document_for_light_and_dark_and_small_screens(
    receiver: Receiver, mailbox: Mailbox
) -> None:
    """The severity has a colour, which is inline: many clients drop the style sheet."""
    await receiver.send(worded(receiver, low_balance()))
    html = part(mailbox.mail(), "text/html")

    assert html.startswith("<!DOCTYPE html>")
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in html
    assert "prefers-color-scheme: dark" in html
    assert "max-width:600px" in html
    assert re.search('<h2 style="[^"]*background:#b91c1c[^"]*">CRITICAL · low_balance</h2>', html)
    assert re.search('<body [^>]*style="[^"]*background:#[^"]*color:#', html)


def test_services_that_deliver_mail_are_those_of_apprise() -> None:
    """Each schema is one that Apprise knows, and takes HTML."""
    plugins = NotificationManager()
    known = {schema: NotifyFormat.HTML in _formats(plugins[schema]) for schema in MAIL}
    assert dict.fromkeys(MAIL, True) == known


def _formats(plugin: type[NotifyBase]) -> Iterable[NotifyFormat]:
    formats = plugin.notify_format
    return [formats] if isinstance(formats, NotifyFormat) else formats


async def test_title_is_the_subject_encoded(receiver: Receiver, mailbox: Mailbox) -> None:
    """On the wire it is ASCII; in the mailbox it has its dot and the account's own letters."""
    await receiver.send(worded(receiver, low_balance("büro")))

    assert "CRITICAL büro ends 17:59 UTC (in 42 min): top up 0.20 USDC" == mailbox.mail()["Subject"]
    assert mailbox.mails[0].split(b"\r\n\r\n")[0].isascii()


async def test_no_header_can_be_put_in_by_a_name(receiver: Receiver, mailbox: Mailbox) -> None:
    """A line break in a name or an account ends nothing."""
    hostile = "x\r\nBcc: thief@example.com\r\n\r\n<script>"
    await receiver.send(worded(receiver, low_balance(hostile, hostile)))
    mail = mailbox.mail()

    assert mail["Bcc"] is None
    assert ["ops@example.com"] == mailbox.recipients
    x = "x Bcc: thief@example.com <script>"
    assert f"CRITICAL {x} ends 17:59 UTC (in 42 min): top up 0.20 USDC" == mail["Subject"]
    assert "<script" not in part(mail, "text/html")


async def test_a_digest_is_mailed_once(
    receiver: Receiver, mailbox: Mailbox, tmp_path: Path
) -> None:
    """Over looks and restarts; what the server refuses first is mailed later, and says so."""
    clock, own = SettableClock(NOW), OwnMetrics("test")
    plans = prepare(with_digest(receiver._url)).digests
    with Store.open(f"sqlite:///{tmp_path}/watch.db") as store:

        async def look(at: datetime) -> None:
            """Start the daemon's part anew, and look."""
            digests = Digests(store, own, clock)
            digests.take_over(plans)
            clock.advance(at - clock())
            await digests.look()

        await look(NOW)
        mailbox.refusal = "451 try later"
        await look(SIX)
        mailbox.refusal = ""
        for minutes in (10, 20, 30):
            await look(SIX + timedelta(minutes=minutes))
    for plan in plans.values():
        await plan.channel.aclose()  # type: ignore[attr-defined] # a real receiver

    assert "[DIGEST, late] no costs known · main" == mailbox.mail()["Subject"]
    assert "It was due 18:00 UTC, 10 min ago." in part(mailbox.mail(), "text/plain")


async def test_a_digest_has_its_bars_in_html_and_its_numbers_in_text(
    receiver: Receiver, mailbox: Mailbox
) -> None:
    """Nothing is loaded or attached, so nothing can be blocked."""
    await receiver.send(render_digest(fleet(20, disks=1), receiver.format, SAMPLE))
    mail = mailbox.mail()
    html, text = part(mail, "text/html"), part(mail, "text/plain").replace("\r\n", "\n")

    assert {"text/plain", "text/html"} == {each.get_content_type() for each in mail.iter_parts()}
    assert "<img" not in html
    assert 22 == html.count('aria-hidden="true"')
    assert "\nSun 2026-04-12: 6.173200\n" in text
    assert "\nbuild-4 (0x7bbc1b): until 14:00 UTC, in 5 h 59 min\n" in text
    assert "\nfluence-watch disk rm 9928c41e-7d1f-4a52 --account main" in text


def with_digest(url: str) -> WatchSettings:
    """Settings with a digest at six in the evening."""
    return WatchSettings.model_validate(
        {
            "accounts": [{"name": "main", "api_key": "k"}],
            "receivers": [{"name": "ops", "url": url, "rules": []}],
            "digests": [{"receiver": "ops", "schedule": "0 18 * * *"}],
        }
    )


async def test_refused_mail_is_an_error(receiver: Receiver, mailbox: Mailbox) -> None:
    """What the server does not take will be tried again."""
    mailbox.refusal = "451 try later"
    with pytest.raises(NotifyError, match="email"):
        await receiver.send(worded(receiver, low_balance()))

    assert [] == mailbox.mails

"""Sending one mail: SMTP over TLS, with STARTTLS, or plain, within a total time limit."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime

from lts import reach
from lts.errors import DeliveryError
from lts.reach import Deadline
from lts.rules.alerting.alertmail import Mail
from lts.rules.values.text import one_line
from lts.service.alerting.alertsettings import MailSettings
from lts.service.alerting.mailserver import REPLY_BYTES, REPLY_LINES, MailServer, ReplyTooLong

STEP_SECONDS = 10.0
"""How long a mail server may stay silent."""
WHOLE_SECONDS = 14.0
"""How long sending may take in all, however slowly the server speaks."""
WORDS = 300
"""Characters that are shown of what a server says."""
_STOPPING = "The server is stopping."
_TEMPORARY = range(400, 500)
_OF_THE_MESSAGE = (smtplib.SMTPDataError, smtplib.SMTPSenderRefused, UnicodeError)
"""What a server says of one mail; other mails may well be taken."""


class MailError(DeliveryError):
    def __init__(self, detail: str, *, reached: bool = True) -> None:
        super().__init__("mail-failed", detail, reached=reached)


@dataclass(frozen=True)
class Accepted:
    """The server took the mail. `refused` are receivers refused permanently, `later` those to be tried again, each with
    the server's reason."""

    refused: dict[str, str]
    later: dict[str, str]


def compose(settings: MailSettings, mail: Mail, message_id: str, time: int) -> EmailMessage:
    """The message with its headers; blind receivers are in none."""
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"] = str(settings.sender)
    for header, addresses in (("To", settings.to), ("Cc", settings.cc)):
        if addresses:
            message[header] = ", ".join(str(address) for address in addresses)
    if not settings.to and not settings.cc:
        message["To"] = "undisclosed-recipients:;"
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(datetime.fromtimestamp(time, timezone.utc))
    message["Message-ID"] = f"<{message_id}@{settings.sender.address.rpartition('@')[2].strip('[]')}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence note answers
    message.set_content(mail.text, cte="quoted-printable")
    message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    return message


class _UnderWay:
    """The connection of one mail, which another thread may end at any moment."""

    def __init__(self) -> None:
        self.deadline = Deadline(STEP_SECONDS)
        """Of reaching the server."""
        self._socket: socket.socket | None = None
        self._ended = False

    def end(self) -> None:
        """End the connection, whatever the server is doing."""
        self._ended = True
        self.deadline.end()
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it is closed already
                # not its own method: with TLS that would first unwrap it
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def hold(self, one: socket.socket) -> None:
        """From now on this is the connection. Raises TimeoutError when it has ended."""
        self._socket = one
        if self._ended:
            one.close()
            raise TimeoutError("timed out")

    def context(self, ca_file: str) -> ssl.SSLContext:
        """For TLS whose handshake can be ended too: once it begins, the plain socket is invalid."""
        under_way = self

        class HeldSocket(ssl.SSLSocket):
            def do_handshake(self, block: bool = False) -> None:
                under_way.hold(self)
                try:
                    super().do_handshake(block)
                except OSError:
                    under_way.hold(self)  # the fault may be that it was ended
                    raise

        context = ssl.create_default_context(cafile=ca_file or None)
        context.sslsocket_class = HeldSocket
        return context


class MailSender:
    """Sends mails one by one; `cancel` from another thread ends the one in progress."""

    def __init__(self) -> None:
        self._under_way: _UnderWay | None = None
        self.canceled = False

    def cancel(self) -> None:
        """End the mail in progress; nothing more is sent."""
        self.canceled = True
        under_way = self._under_way
        if under_way is not None:
            under_way.end()

    def send(self, settings: MailSettings, message: EmailMessage, receivers: Sequence[str]) -> Accepted:
        """Hand the mail to the server for these receivers. Raises MailError."""
        under_way = self._under_way = _UnderWay()
        if self.canceled:  # asked only now, so that `cancel` sees this one or this one sees it
            raise MailError(_STOPPING, reached=False)
        watch = threading.Timer(WHOLE_SECONDS, under_way.end)
        watch.daemon = True
        watch.start()
        try:
            return _talk(settings, message, receivers, under_way)
        except smtplib.SMTPRecipientsRefused as error:
            return _refusals(error.recipients)
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            raise MailError(_words(error, settings), reached=isinstance(error, _OF_THE_MESSAGE)) from error
        finally:
            watch.cancel()
            self._under_way = None


def _talk(settings: MailSettings, message: EmailMessage, receivers: Sequence[str], under_way: _UnderWay) -> Accepted:
    context = under_way.context(settings.ca_file)
    server = MailServer(settings.host, lambda: _connect(settings, context, under_way))
    try:
        code, words = server.connect(settings.host, settings.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, words)
        server.ehlo_or_helo_if_needed()
        if settings.security == "starttls":
            server.starttls(context=context)
            server.ehlo()
        if settings.user:
            server.sign_in(settings.user, settings.password)
        return _refusals(server.send_message(message, settings.sender.address, list(receivers)))
    finally:
        server.close()


def _connect(settings: MailSettings, context: ssl.SSLContext, under_way: _UnderWay) -> socket.socket:
    one = reach.connect(settings.host, settings.port, under_way.deadline)
    under_way.hold(one)
    if settings.security == "tls":
        one = reach.encrypt(one, settings.host, under_way.deadline, context)
    one.settimeout(STEP_SECONDS)
    return one


def _refusals(refused: dict[str, tuple[int, bytes]]) -> Accepted:
    answers = {address: f"{code} {one_line(words, WORDS)}" for address, (code, words) in refused.items()}
    later = {address for address, (code, _) in refused.items() if code in _TEMPORARY}
    return Accepted(
        {address: words for address, words in answers.items() if address not in later},
        {address: words for address, words in answers.items() if address in later},
    )


def _words(error: Exception, settings: MailSettings) -> str:
    """What went wrong: the server's own message, then what to change."""
    place = f"{settings.host}:{settings.port}"
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"{place} refused user and password: {error.smtp_code} {one_line(error.smtp_error, WORDS)}"
    if isinstance(error, smtplib.SMTPResponseException):
        hint = _hint(error.smtp_code, settings)
        return f"{place} answered: {error.smtp_code} {one_line(error.smtp_error, WORDS)}{hint}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"The certificate of {place} cannot be trusted: {one_line(error.verify_message)}. Name the file of your own"
            " authority, or use the name in the certificate."
        )
    if isinstance(error, ssl.SSLError):
        return f"{place} does not speak TLS at once ({error.reason or error}). Choose STARTTLS, or port 465."
    if isinstance(error, smtplib.SMTPNotSupportedError):
        hint = " Choose TLS (port 465), or none inside your own network." if settings.security == "starttls" else ""
        return f"{place}: {one_line(str(error), WORDS)}{hint}"
    if isinstance(error, ReplyTooLong):
        return (
            f"A reply of {place} is longer than {REPLY_BYTES // 1024} KiB or {REPLY_LINES} lines. Check that a mail"
            " server is there."
        )
    if isinstance(error, smtplib.SMTPServerDisconnected | TimeoutError | ConnectionResetError | BrokenPipeError):
        hint = " Port 465 wants TLS." if settings.port == 465 and settings.security != "tls" else ""
        words = one_line(str(error), WORDS) or "timeout"
        return f"{place} does not answer, or hung up within {WHOLE_SECONDS:.0f} s ({words}).{hint}"
    if isinstance(error, socket.gaierror):
        return f"There is no host {settings.host!r}: {error.strerror}."
    return f"{place} cannot be reached: {one_line(str(error), WORDS)}"


def _hint(code: int, settings: MailSettings) -> str:
    if code == 530 and settings.security == "none":
        return " Choose STARTTLS or TLS, or give a user."
    return ""

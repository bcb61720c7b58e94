"""Sending one mail: SMTP over TLS, with STARTTLS, or plain, within a time that is bounded as a whole."""

from __future__ import annotations

import base64
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
from lts.rules.addresses import MailAddress
from lts.rules.alertmail import Mail
from lts.service.alertsettings import MailSettings

STEP_SECONDS = 10.0
"""How long a mail server may stay silent."""
WHOLE_SECONDS = 14.0
"""How long sending may take in all, however slowly the server speaks."""
_NOBODY = "[127.0.0.1]"
"""The name for EHLO before there is a connection; any keeps smtplib from asking a resolver."""
_STOPPING = "The server is stopping."
_TEMPORARY = range(400, 500)
_OF_THE_MESSAGE = (smtplib.SMTPDataError, smtplib.SMTPSenderRefused, UnicodeError)
"""What a server says of one mail; other mails may well be taken."""


class MailError(DeliveryError):
    """A mail was not taken."""

    def __init__(self, detail: str, *, reached: bool = True) -> None:
        super().__init__("mail-failed", detail, reached=reached)


@dataclass(frozen=True)
class Accepted:
    """The server took the mail. `refused` are receivers refused for good, `later` those to be tried again, each with
    the server's words."""

    refused: dict[str, str]
    later: dict[str, str]


def compose(settings: MailSettings, mail: Mail, message_id: str, time: int) -> EmailMessage:
    """The message with its headers; blind receivers stand in none."""
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"] = str(settings.sender)
    for header, addresses in (("To", settings.to), ("Cc", settings.cc)):
        if addresses:
            message[header] = ", ".join(str(address) for address in addresses)
    if not settings.to and not settings.cc:
        message["To"] = "undisclosed-recipients:;"
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(datetime.fromtimestamp(time, timezone.utc))
    message["Message-ID"] = f"<{message_id}@{_domain(settings.sender)}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence note answers
    message.set_content(mail.text, cte="quoted-printable")
    message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    return message


def _domain(sender: MailAddress) -> str:
    return sender.address.rpartition("@")[2].strip("[]")


class Sender:
    """Sends mails one by one; `cancel` from another thread ends the one under way."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._deadline: Deadline | None = None
        self.canceled = False

    def cancel(self) -> None:
        """End what is under way; nothing more is sent."""
        self.canceled = True
        if self._deadline is not None:
            self._deadline.end()
        self._close()

    def _close(self) -> None:
        under_way = self._socket
        if under_way is not None:
            try:
                under_way.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it is closed already

    def send(self, settings: MailSettings, message: EmailMessage, receivers: Sequence[str]) -> Accepted:
        """Hand the mail to the server for these receivers. Raises MailError."""
        if self.canceled:
            raise MailError(_STOPPING, reached=False)
        watch = threading.Timer(WHOLE_SECONDS, self._close)
        watch.daemon = True
        watch.start()
        try:
            return self._talk(settings, message, receivers)
        except smtplib.SMTPRecipientsRefused as error:
            return _refusals(error.recipients)
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            raise MailError(_words(error, settings), reached=isinstance(error, _OF_THE_MESSAGE)) from error
        finally:
            watch.cancel()
            self._socket = None

    def _talk(self, settings: MailSettings, message: EmailMessage, receivers: Sequence[str]) -> Accepted:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
        server = smtplib.SMTP(local_hostname=_NOBODY, timeout=STEP_SECONDS)
        # what STARTTLS checks the certificate against: set by the constructor alone, which would connect at once
        server._host = settings.host  # type: ignore[attr-defined]

        def get_socket(*_: object) -> socket.socket:
            one = self._connect(settings, context)
            server.local_hostname = _literal(one)
            return one

        server._get_socket = get_socket  # type: ignore[attr-defined]
        try:
            code, words = server.connect(settings.host, settings.port)
            if code != 220:
                raise smtplib.SMTPConnectError(code, words)
            server.ehlo_or_helo_if_needed()
            if settings.security == "starttls":
                server.starttls(context=context)
                self._socket = server.sock
                server.ehlo()
            if settings.user:
                _sign_in(server, settings.user, settings.password)
            refused = server.send_message(message, settings.sender.address, list(receivers))
            return _refusals(refused)
        finally:
            server.close()

    def _connect(self, settings: MailSettings, context: ssl.SSLContext) -> socket.socket:
        deadline = self._deadline = Deadline(STEP_SECONDS)
        one = self._socket = reach.connect(settings.host, settings.port, deadline)
        if self.canceled:
            one.close()
            raise TimeoutError(_STOPPING)
        if settings.security == "tls":
            one = self._socket = reach.encrypt(one, settings.host, deadline, context)
        one.settimeout(STEP_SECONDS)
        return one


def _literal(connected: socket.socket) -> str:
    """The name for EHLO: this side's address (RFC 5321, 4.1.3). The name of this machine would have to be looked up."""
    address = str(connected.getsockname()[0]).partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _sign_in(server: smtplib.SMTP, user: str, password: str) -> None:
    """AUTH PLAIN or LOGIN in UTF-8 (RFC 4616; smtplib knows ASCII alone)."""
    ways = server.esmtp_features.get("auth", "").upper().split()
    if "PLAIN" in ways:
        code, words = server.docmd("AUTH", "PLAIN " + _base64(f"\0{user}\0{password}"))
    elif "LOGIN" in ways:
        code, words = server.docmd("AUTH", "LOGIN " + _base64(user))
        if code == 334:
            code, words = server.docmd(_base64(password))
    else:
        raise smtplib.SMTPNotSupportedError("The server offers no sign-in that LTS knows (PLAIN, LOGIN).")
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, words)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8")).decode("ascii")


def _refusals(refused: dict[str, tuple[int, bytes]]) -> Accepted:
    told = {address: f"{code} {_plain(words)}" for address, (code, words) in refused.items()}
    later = {address for address, (code, _) in refused.items() if code in _TEMPORARY}
    return Accepted(
        {address: words for address, words in told.items() if address not in later},
        {address: words for address, words in told.items() if address in later},
    )


def _plain(words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return " ".join(text.split())[:300]


def _words(error: Exception, settings: MailSettings) -> str:
    """What went wrong: the server's own words, then what to change."""
    place = f"{settings.host}:{settings.port}"
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"{place} refused user and password: {error.smtp_code} {_plain(error.smtp_error)}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{place} answered: {error.smtp_code} {_plain(error.smtp_error)}{_hint(error.smtp_code, settings)}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"The certificate of {place} cannot be trusted: {error.verify_message}. Name the file of your own"
            " authority, or use the name that stands in the certificate."
        )
    if isinstance(error, ssl.SSLError):
        return f"{place} does not speak TLS at once ({error.reason or error}). Choose STARTTLS, or port 465."
    if isinstance(error, smtplib.SMTPNotSupportedError):
        hint = " Choose TLS (port 465), or none inside your own network." if settings.security == "starttls" else ""
        return f"{place}: {_plain(str(error))}{hint}"
    if isinstance(error, smtplib.SMTPServerDisconnected | TimeoutError | ConnectionResetError | BrokenPipeError):
        hint = " Port 465 wants TLS." if settings.port == 465 and settings.security != "tls" else ""
        words = _plain(str(error)) or "timeout"
        return f"{place} does not answer, or hung up within {WHOLE_SECONDS:.0f} s ({words}).{hint}"
    if isinstance(error, socket.gaierror):
        return f"There is no host {settings.host!r}: {error.strerror}."
    return f"{place} cannot be reached: {_plain(str(error))}"


def _hint(code: int, settings: MailSettings) -> str:
    if code == 530 and settings.security == "none":
        return " Choose STARTTLS or TLS, or give a user."
    return ""

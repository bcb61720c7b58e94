"""One conversation with a mail server: smtplib, with replies of a bounded length and sign-in in UTF-8.

Whoever opens the connection decides how long it may take.
"""

from __future__ import annotations

import base64
import smtplib
import socket
from collections.abc import Callable

REPLY_BYTES = 64 * 1024
REPLY_LINES = 100
"""How long one reply may be, that to EHLO included. smtplib keeps all lines, and parses those that begin with `AUTH=`
in quadratic time."""
_NOBODY = "[127.0.0.1]"
"""The name for EHLO before there is a connection; any keeps smtplib from asking a resolver."""


class ReplyTooLong(smtplib.SMTPServerDisconnected):
    """A reply went beyond its limits, and the connection was closed."""


class MailServer(smtplib.SMTP):
    """A mail server; `reach` opens the connection when `connect` is called, which goes by the name `host`."""

    def __init__(self, host: str, reach: Callable[[], socket.socket]) -> None:
        super().__init__(local_hostname=_NOBODY)
        # what STARTTLS checks the certificate against: set only by the constructor, which would connect at once
        self._host = host
        self._reach = reach

    def _get_socket(self, *_: object) -> socket.socket:
        one = self._reach()
        self.local_hostname = _literal(one)
        return one

    def getreply(self) -> tuple[int, bytes]:
        """The next reply: its code, -1 when it has none, and its lines. Raises SMTPServerDisconnected, ReplyTooLong."""
        lines: list[bytes] = []
        size = 0
        while True:
            line = self._line(REPLY_BYTES - size + 1)
            size += len(line)
            lines.append(line[4:].strip(b" \t\r\n"))
            if size > REPLY_BYTES or len(lines) > REPLY_LINES:
                self.close()
                raise ReplyTooLong(f"more than {REPLY_BYTES // 1024} KiB or {REPLY_LINES} lines")
            code = int(line[:3]) if line[:3].isdigit() else -1
            if code < 0 or line[3:4] != b"-":
                return code, b"\n".join(lines)

    def _line(self, most: int) -> bytes:
        try:
            if self.file is None:
                assert self.sock is not None  # a command went out by it
                self.file = self.sock.makefile("rb")
            line: bytes = self.file.readline(most)
        except OSError as error:
            self.close()
            raise smtplib.SMTPServerDisconnected(f"Connection unexpectedly closed: {error}") from error
        if not line:
            self.close()
            raise smtplib.SMTPServerDisconnected("Connection unexpectedly closed")
        return line

    def sign_in(self, user: str, password: str) -> None:
        """AUTH PLAIN or LOGIN in UTF-8 (RFC 4616; smtplib knows ASCII only). Raises SMTPException."""
        ways = self.esmtp_features.get("auth", "").upper().split()
        if "PLAIN" in ways:
            code, words = self.docmd("AUTH", "PLAIN " + _base64(f"\0{user}\0{password}"))
        elif "LOGIN" in ways:
            code, words = self.docmd("AUTH", "LOGIN " + _base64(user))
            if code == 334:
                code, words = self.docmd(_base64(password))
        else:
            raise smtplib.SMTPNotSupportedError("The server offers no sign-in that LTS knows (PLAIN, LOGIN).")
        if code != 235:
            raise smtplib.SMTPAuthenticationError(code, words)


def _literal(connected: socket.socket) -> str:
    """The name for EHLO: this side's address (RFC 5321, 4.1.3). The name of this machine would have to be looked up."""
    address = str(connected.getsockname()[0]).partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8")).decode("ascii")

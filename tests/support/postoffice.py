"""A real SMTP server for tests, and a real receiver of webhooks: with TLS, sign-in, and faults on demand."""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from lts.service.alerting.mailserver import MailServer
from tests.support.ports import free_port
from tests.support.wait import wait_until


@dataclass
class PostOffice:
    """What the server took, and how it behaves."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    receivers: list[list[str]] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)
    """Address: the answer to it."""
    data_answer: str | None = None
    """The answer to the mail itself."""
    logins: list[tuple[str, str]] = field(default_factory=list)
    closed: bool = False

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.data_answer is not None:
            return self.data_answer
        parsed = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        self.mails.append(parsed)
        self.receivers.append(list(envelope.rcpt_tos))
        return "250 taken"

    def sign_in(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        """Any user whose password is right."""
        assert isinstance(data, LoginPassword)
        user, password = data.login.decode(), data.password.decode()
        self.logins.append((user, password))
        good = password == "geheim é 7"
        return AuthResult(success=good, handled=good)


@contextlib.contextmanager
def post_office(
    folder: Path | None = None, *, security: str = "none", auth: str = "", port: int = 0, name: str = "localhost"
) -> Iterator[PostOffice]:
    """A server on loopback. `security` tls or starttls needs `folder`, where `ca.pem` is left; `auth` "" asks for no
    sign-in, else the mechanisms offered."""
    office = PostOffice()
    context = None
    if security != "none":
        assert folder is not None
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        authority.cert_pem.write_to_path(folder / "ca.pem")
    hidden = {"PLAIN", "LOGIN"} - set(auth.split())
    options: dict[str, Any] = {"auth_exclude_mechanism": hidden, "auth_require_tls": False}
    if auth:
        options.update(authenticator=office.sign_in, auth_required=True)
    if security == "starttls":
        options.update(tls_context=context, require_starttls=True)

    class Here(Controller):
        def factory(self) -> SMTP:
            return SMTP(self.handler, enable_SMTPUTF8=True, **options)

    port = port or free_port()
    controller = Here(office, hostname="127.0.0.1", port=port, ssl_context=context if security == "tls" else None)
    controller.start()
    office.port = port
    try:
        yield office
    finally:
        controller.stop()


@dataclass
class Hole:
    """A port, the connections that it took, and their senders' addresses."""

    port: int
    taken: list[socket.socket] = field(default_factory=list)
    senders: list[tuple[str, int]] = field(default_factory=list)

    def count(self) -> int:
        """How many connections were made, with those that nobody took up yet."""
        with socket.create_connection(("127.0.0.1", self.port)) as last:
            ours = last.getsockname()
            wait_until(lambda: ours in self.senders, "the last connection is taken")
            return self.senders.index(ours)


@contextlib.contextmanager
def black_hole(words: bytes = b"") -> Iterator[Hole]:
    """A port that takes connections, says `words`, and then nothing."""
    listener = socket.create_server(("127.0.0.1", 0))
    hole = Hole(listener.getsockname()[1])

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, sender = listener.accept()
                hole.taken.append(connection)
                hole.senders.append(sender)
                if words:
                    connection.sendall(words)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield hole
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for one in hole.taken:
            one.close()


class _Said(socket.socket):
    """A connection on which the other side said all that it ever will."""

    said: bytes

    def makefile(self, *_: Any, **__: Any) -> Any:
        return io.BytesIO(self.said)

    def sendall(self, *_: Any) -> None:
        """Nobody listens."""


def told(words: bytes) -> MailServer:
    """A mail server that has said these words, and nothing else."""
    server = MailServer("x.test", socket.socket)
    server.sock = _Said()
    server.sock.said = words
    return server


@dataclass
class Hooks:
    """What a receiver of webhooks got, and what it answers."""

    url: str = ""
    status: int = 204
    location: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextlib.contextmanager
def hook_receiver() -> Iterator[Hooks]:
    """A real HTTP server on loopback."""
    hooks = Hooks()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hooks.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(hooks.status)
            if hooks.location:
                self.send_header("Location", hooks.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hooks.url = f"http://127.0.0.1:{server.server_port}/lts?key=1"
    try:
        yield hooks
    finally:
        server.shutdown()
        server.server_close()

"""A mail server that holds on to a mail, or floods who sends it: the mail ends in time, and costs little."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme

from lts.rules.alerting.alertmail import Mail
from lts.rules.values.addresses import MailAddress
from lts.service.alerting import mailserver, smtp
from lts.service.alerting.alertsettings import MailSettings
from lts.service.alerting.mailserver import REPLY_BYTES, REPLY_LINES
from lts.service.alerting.smtp import MailError, MailSender, compose
from tests.support import cost
from tests.support.kit import NOON
from tests.support.postoffice import told
from tests.support.wait import PATIENCE, ended, in_time, wait_until

SOON = 0.5


@dataclass
class Raw:
    """A port where each connection is given to `talk`, and what it noted."""

    port: int
    notes: list[Any] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def raw_server(talk: Callable[[socket.socket, Raw], None]) -> Iterator[Raw]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        raw = Raw(listener.getsockname()[1])

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    one, _ = listener.accept()
                    with one, contextlib.suppress(OSError):
                        one.settimeout(PATIENCE)
                        talk(one, raw)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield raw
        finally:
            raw.over.set()
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def secure(tmp_path: Path) -> ssl.SSLContext:
    """A server's side of TLS, whose authority lies in `ca.pem`."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return context


def send(port: int, *, security: str = "none", folder: Path | None = None, by: MailSender | None = None) -> str:
    """The sentence with which a mail fails."""
    settings = MailSettings(
        host="localhost" if folder else "127.0.0.1", port=port, security=security,
        ca_file=str(folder / "ca.pem") if folder else "", sender=MailAddress("", "lts@x.test"),
        to=(MailAddress("", "ops@x.test"),), cc=(), bcc=(), user="", password="", language="en",
    )  # fmt: skip
    message = compose(settings, Mail("subject", "text", "<p>text</p>"), "id", NOON)
    with pytest.raises(MailError) as caught:
        in_time(lambda: (by or MailSender()).send(settings, message, ["ops@x.test"]))
    return caught.value.detail


def step_to_tls(one: socket.socket) -> None:
    one.sendall(b"220 x\r\n")
    one.recv(1000)
    one.sendall(b"250-x\r\n250 STARTTLS\r\n")
    assert one.recv(1000) == b"STARTTLS\r\n"
    one.sendall(b"220 go\r\n")


@pytest.mark.parametrize("handshake_lasts", [0.0, 3 * SOON])
def test_a_mail_ends_in_time_however_slow_starttls_is_and_however_the_server_drips_afterwards(
    secure: ssl.SSLContext, tmp_path: Path, handshake_lasts: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "STEP_SECONDS", 2 * PATIENCE)
    monkeypatch.setattr(smtp, "WHOLE_SECONDS", SOON)

    def talk(one: socket.socket, raw: Raw) -> None:
        step_to_tls(one)
        raw.over.wait(handshake_lasts)
        with secure.wrap_socket(one, server_side=True) as hidden:
            while not raw.over.wait(0.05):
                hidden.sendall(b"2")

    with raw_server(talk) as raw:
        begun = time.monotonic()
        assert "hung up within" in send(raw.port, security="starttls", folder=tmp_path)
        assert time.monotonic() - begun < PATIENCE / 2


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_can_be_broken_off_during_the_handshake(
    secure: ssl.SSLContext, tmp_path: Path, security: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "STEP_SECONDS", 2 * PATIENCE)
    monkeypatch.setattr(smtp, "WHOLE_SECONDS", 2 * PATIENCE)

    def talk(one: socket.socket, raw: Raw) -> None:
        if security == "starttls":
            step_to_tls(one)
        raw.notes.append(one.recv(1000))  # the client's first message, which gets no answer
        raw.over.wait(PATIENCE)

    sender = MailSender()
    with raw_server(talk) as raw:
        thread = threading.Thread(
            target=lambda: raw.notes.append(send(raw.port, security=security, folder=tmp_path, by=sender))
        )
        thread.start()
        wait_until(lambda: raw.notes, "the handshake began")
        begun = time.monotonic()
        sender.cancel()
        ended(thread)
        assert time.monotonic() - begun < PATIENCE / 2
    assert "does not answer" in raw.notes[1]


def test_what_is_ended_takes_no_further_connection() -> None:
    under_way = smtp._UnderWay()
    under_way.end()
    one, other = socket.socketpair()
    with one, other, pytest.raises(TimeoutError):
        under_way.hold(one)
    assert one.fileno() == -1
    with pytest.raises(TimeoutError):
        under_way.deadline.left()


@pytest.mark.parametrize("line", [b"220-\r\n", b"220-" + b"x" * 5000 + b"\r\n", b"x" * 5000])
@pytest.mark.parametrize("greeting", [b"", b"220 x\r\n"])
def test_a_reply_without_an_end_is_taken_up_to_its_limit(line: bytes, greeting: bytes) -> None:
    most = 64 << 20

    def talk(one: socket.socket, raw: Raw) -> None:
        one.sendall(greeting)
        many = line.replace(b"220", b"250") * (1 + REPLY_BYTES // len(line))
        sent = 0
        try:
            while sent < most:
                one.sendall(many)
                sent += len(many)
        finally:
            raw.notes.append(sent)

    with raw_server(talk) as raw:
        assert "longer than 64 KiB or 100 lines" in send(raw.port)
        wait_until(lambda: raw.notes, "the server was left")
        assert raw.notes[0] < most, "besides what lies between the two"


LINES = b"250-x\r\n" * (REPLY_LINES - 1)
LONG = b"250 " + b"x" * (REPLY_BYTES - 6)


@pytest.mark.parametrize(
    ("most", "more"), [(LINES + b"250 x\r\n", LINES + b"250-x\r\n250 x\r\n"), (LONG + b"\r\n", LONG + b"x\r\n")]
)
def test_a_reply_may_be_as_long_as_its_limits_and_no_longer(most: bytes, more: bytes) -> None:
    with contextlib.closing(told(most)) as server:
        code, words = server.getreply()
        assert (code, words.replace(b"\n", b"")) == (250, b"x" * most.count(b"x"))
    with contextlib.closing(told(more)) as server:
        with pytest.raises(mailserver.ReplyTooLong):
            server.getreply()
        assert server.sock is None


@pytest.mark.parametrize("reply", [b"", b"250-x\r\n", b"250-x\r\n250-y"])
def test_a_reply_that_breaks_off_is_no_reply(reply: bytes) -> None:
    with contextlib.closing(told(reply)) as server, pytest.raises(smtplib.SMTPServerDisconnected):
        server.getreply()


@pytest.mark.parametrize("reply", [b"hello\r\n", b"\r\n", b"-1 x\r\n", b"2 x\r\n"])
def test_a_reply_without_a_code_has_none(reply: bytes) -> None:
    with contextlib.closing(told(reply)) as server:
        assert server.getreply()[0] == -1


def test_a_server_that_greets_with_a_refusal_is_sent_nothing() -> None:
    def talk(one: socket.socket, raw: Raw) -> None:
        one.sendall(b"554 no mail here\r\n")
        raw.notes.append(one.recv(1000))

    with raw_server(talk) as raw:
        assert send(raw.port).endswith("answered: 554 no mail here")
        wait_until(lambda: raw.notes == [b""], "the connection is closed without a word")


def test_the_greeting_names_the_address_that_the_connection_has() -> None:
    def talk(one: socket.socket, raw: Raw) -> None:
        one.sendall(b"220 x\r\n")
        raw.notes.append(one.recv(1000))
        one.sendall(b"250 x\r\n")

    with raw_server(talk) as raw:
        place, own = ("127.0.0.1", raw.port), ("127.0.0.2", 0)
        with mailserver.MailServer("x.test", lambda: socket.create_connection(place, PATIENCE, own)) as server:
            server.connect("x.test", raw.port)
            server.ehlo()
    assert raw.notes == [b"ehlo [127.0.0.2]\r\n"]


@pytest.mark.parametrize("reset", [True, False])
def test_a_connection_that_the_other_side_ends_is_closed(reset: bool) -> None:
    def talk(one: socket.socket, raw: Raw) -> None:
        one.sendall(b"220 x\r\n")
        one.recv(1000)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", reset, 0))

    with raw_server(talk) as raw:
        server = mailserver.MailServer("x.test", lambda: socket.create_connection(("127.0.0.1", raw.port), PATIENCE))
        server.connect("x.test", raw.port)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            server.ehlo()
        assert server.sock is None


def test_many_ways_of_signing_in_cost_little() -> None:
    """smtplib took 11 s of CPU to take 40,000 of these apart."""

    def talk(one: socket.socket, raw: Raw) -> None:
        one.sendall(b"220 x\r\n")
        one.recv(1000)
        one.sendall(b"250-AUTH=AAAAAAAAAAAAAAAA\r\n" * 40_000 + b"250 x\r\n")
        one.recv(1000)

    def work(port: int) -> None:
        server = mailserver.MailServer("x.test", lambda: socket.create_connection(("127.0.0.1", port), PATIENCE))
        server.connect("x.test", port)
        with pytest.raises(mailserver.ReplyTooLong):
            server.ehlo()

    with raw_server(talk) as raw:
        assert cost.seconds(work, raw.port) < cost.DEAR_SECONDS


def test_what_a_mail_server_says_is_shown_and_never_obeyed() -> None:
    def talk(one: socket.socket, raw: Raw) -> None:
        one.sendall(b"220 x\r\n")
        one.recv(1000)
        one.sendall(b"250 x\r\n")
        one.recv(1000)
        one.sendall("550-\x1b]0;owned\x07 no\r\n550 \u202esuch \x00user\x9b\r\n".encode())
        raw.over.wait(PATIENCE)

    with raw_server(talk) as raw:
        said = send(raw.port)
    assert said.isprintable()
    assert "\ufffd]0;owned\ufffd no \ufffdsuch \ufffduser" in said

"""Answers of HTTP that no honest server gives: each is read up to its limit and becomes the error documented."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lts import conformance, reach
from lts.cli import admin
from lts.client import Client, Refused, Unreachable
from lts.client import client as client_module
from lts.client.transport import HttpTransport
from lts.errors import AdminError, DeliveryError, LtsError, PeerError
from lts.protocol import LicenseKey, slot_of
from lts.rules.values.paging import Page
from lts.service.alerting import alerts, alertsettings, outbox, webhooks
from lts.service.alerting.alertsettings import Webhook
from lts.service.alerting.smtp import MailSender
from lts.service.pair.sending import HttpSend
from tests.support.kit import NOON, Lab, Vendor, item
from tests.support.postoffice import hook_receiver
from tests.support.wait import PATIENCE, wait_until

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
FORMS = {
    "a negative chunk": (CHUNKED + b"-5\r\nabc", b""),
    "a chunk of all": (CHUNKED + b"-1\r\n", b"x" * 65536),
    "continue for ever": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "trailers for ever": (CHUNKED + b"2\r\n{}\r\n0\r\n", b"a: b\r\n"),
    "a long header": (OK, b"X: " + b"x" * 60_000 + b"\r\n"),
    "chunks of a byte": (CHUNKED, b"1\r\n \r\n"),
    "a parameter with a long number": (OK + b"Content-Type: multipart/x; a*%b*=x\r\n\r\n" % (b"9" * 5000), b""),
    "a status of letters": (b"HTTP/1.1 two OK\r\n\r\n", b""),
    "no chunk": (CHUNKED + b"\r\n", b""),
}
"""What is answered, and what is said after it over and over."""
DEVICE = "6F1C2B7E-8C1D-4A0E-9A57-0C6A2F7A1B11"
SENT_BYTES = 24 << 20
"""How much a server here says at most."""
READ_BYTES = 2 << 20
"""More is read of none of these forms, whoever asks."""


@contextlib.contextmanager
def answering(once: bytes, more: bytes = b"") -> Iterator[int]:
    """The port of a server that answers so."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer(one: socket.socket) -> None:
            with contextlib.suppress(OSError), one:
                one.recv(65536)
                one.sendall(once)
                block = more * (1 + 65536 // max(1, len(more)))
                for _ in range(SENT_BYTES // len(block) if block else 0):
                    one.sendall(block)
                one.shutdown(socket.SHUT_WR)
                while one.recv(65536):
                    pass

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    one, _ = listener.accept()
                    threading.Thread(target=answer, args=(one,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each step read."""
    counts: list[int] = []
    real = reach._Arriving.readinto

    def counted(self: Any, buffer: Any) -> int | None:
        count = real(self, buffer)
        counts.append(count or 0)
        return count

    monkeypatch.setattr(reach._Arriving, "readinto", counted)
    return counts


def tell(url: str) -> None:
    webhooks.post(Webhook("1", "chat", url, "s"), "id", b"{}", NOON)


ASKING: dict[str, tuple[Callable[[str], object], type[LtsError]]] = {
    "webhook": (tell, DeliveryError),
    "client": (lambda url: HttpTransport().post(url, {}, PATIENCE), Unreachable),
    "peer": (lambda url: HttpSend(url)("hello", {}, b"{}", PATIENCE), PeerError),
    "command": (lambda url: admin._Remote(url, "t").call("GET", "/state"), AdminError),
    "conformance": (lambda url: conformance._post(url, {"do": "x"}), AdminError),
}


@pytest.mark.parametrize("who", [*ASKING])
@pytest.mark.parametrize("form", [*FORMS])
def test_an_answer_of_any_form_is_read_up_to_its_limit(form: str, who: str, read: list[int]) -> None:
    ask, error = ASKING[who]
    begun = time.monotonic()
    with answering(*FORMS[form]) as port:
        try:
            ask(f"http://127.0.0.1:{port}/lts/")
        except error as raised:
            assert len(str(raised)) < 500
            assert not isinstance(raised, PeerError) or raised.code == "peer-unreachable"
        else:
            assert (who, form) == ("webhook", "chunks of a byte"), "it took it: as much as it reads was whole"
    assert sum(read) < READ_BYTES
    assert time.monotonic() - begun < webhooks.WHOLE_SECONDS, "it ended by what was read, not by its time"


def test_deep_json_is_not_an_answer() -> None:
    body = b"[" * 200_000
    for who in ("client", "command", "conformance"):
        ask, error = ASKING[who]
        with answering(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body) as port, pytest.raises(error):
            ask(f"http://127.0.0.1:{port}/lts/")


TIME = '"serverTime": "2026-01-01T00:00:00Z"'


@pytest.mark.parametrize(
    "text",
    [
        '{%s, "certificates": 5}',
        '{%s, "certificates": [{}]}',
        '{%s, "lease": {}, "certificates": []}',
        '{%s, "chain": ["\\ud800"]}',
        '{%s, "cloneToken": "\\ud800"}',
        '{%s, "results": [1]}',
        '{%s, "results": {"a": 1}}',
    ],
)
def test_what_no_lts_says_is_an_unreachable_server_to_the_client(text: str) -> None:
    body = (text % TIME).encode()
    with answering(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body) as port:
        key = LicenseKey((f"http://127.0.0.1:{port}/lts/",), "216998", "216998-100", None, None).encode()
        made = Client(key, product="reader", vendor_key=Vendor().key.public.x)
        with pytest.raises(Unreachable):
            made.authorize()
        made._state.remember_lease("a", "s", "lease", NOON)
        with pytest.raises(Unreachable):
            made.flush()
        with pytest.raises(Unreachable):  # nothing was kept that no request could be made of
            made.authorize()


def test_an_answer_without_a_clone_token_leaves_the_one_at_hand() -> None:
    body = f"{{{TIME}}}".encode()
    with answering(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body) as port:
        key = LicenseKey((f"http://127.0.0.1:{port}/lts/",), "216998", "216998-100", None, None).encode()
        made = Client(key, product="reader", vendor_key=Vendor().key.public.x)
        made._state.replace_token(None, "token")
        made._state.remember_lease("a", "s", "lease", NOON)
        made.flush()
        assert made._state.fact("chain") == "token"


def test_an_answer_that_breaks_off_is_no_peers() -> None:
    with (
        answering(OK + b"Content-Length: 9\r\n\r\nabc") as port,
        pytest.raises(PeerError, match="breaks off") as caught,
    ):
        HttpSend(f"http://127.0.0.1:{port}/lts/")("hello", {}, b"{}", PATIENCE)
    assert caught.value.code == "peer-unreachable"


def test_a_long_answer_in_pieces_of_a_proxy_comes_whole() -> None:
    piece = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    with answering(CHUNKED + piece * 2000 + b"0\r\n\r\n") as port:
        status, _, body = HttpSend(f"http://127.0.0.1:{port}/lts/")("copy", {}, b"{}", PATIENCE)
    assert (status, len(body)) == (200, 2000 * 4096)


def test_the_second_server_is_asked_when_the_first_answers_nonsense() -> None:
    problem = b'{"code": 111, "detail": "no", "requestId": "r"}'
    good = b"HTTP/1.1 403 No\r\nContent-Length: %d\r\n\r\n" % len(problem) + problem
    with answering(*FORMS["a negative chunk"]) as bad, answering(good) as other:
        urls = (f"http://127.0.0.1:{bad}/lts/", f"http://127.0.0.1:{other}/lts/")
        key = LicenseKey(urls, "216998", "216998-100", None, None).encode()
        with pytest.raises(Refused) as caught:
            Client(key, product="reader", vendor_key=Vendor().key.public.x).authorize()
    assert caught.value.code == 111


class Stumbles:
    """A transport with a fault of its own."""

    def __init__(self) -> None:
        self.asked = 0

    def post(self, url: str, body: dict[str, Any], timeout: float) -> tuple[int, dict[str, Any]]:
        self.asked += 1
        raise ValueError("a fault")


def test_reporting_goes_on_whatever_one_report_meets(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(client_module, "REPORT_INTERVAL_SECONDS", 0.01)
    key = LicenseKey(("http://main/lts/",), "216998", "216998-100", None, None).encode()
    transport = Stumbles()
    made = Client(key, product="reader", vendor_key=Vendor().key.public.x, transport=transport, background=True)
    try:
        wait_until(lambda: transport.asked >= 3, "it asks again")
    finally:
        made.close()
    assert "a fault" in caplog.text, "and is told of"


@pytest.mark.parametrize("fault", ["a bad answer", "a fault of the program"])
def test_a_channel_that_fails_in_any_way_waits_and_holds_up_no_other(
    server: Lab, fault: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with hook_receiver() as hooks, answering(*FORMS["a negative chunk"]) as port:
        bad = alertsettings.add_webhook(server.ctx, "bad", f"http://127.0.0.1:{port}/", "test", NOON)
        alertsettings.add_webhook(server.ctx, "good", hooks.url, "test", NOON)
        real = webhooks.post

        def post(hook: Webhook, *rest: Any) -> None:
            if fault == "a fault of the program" and hook.id == bad.id:
                raise ZeroDivisionError("a fault")
            real(hook, *rest)

        monkeypatch.setattr(webhooks, "post", post)
        if fault == "a bad answer":
            with pytest.raises(DeliveryError, match="cannot be reached"):
                outbox.test_webhook(server.ctx, bad.id, NOON)
        server.load(item(quota=100))
        got = server.authorize(device=DEVICE)
        server.time.forward(180)
        server.report(got.lease, {"QR": 61}, slot_of(server.time.now))
        server.time.forward(600)
        alerts.check(server.ctx, server.time.now)
        assert outbox.deliver(server.ctx, server.time.now, MailSender()) == 1
        assert len(hooks.got) == 1
        [told] = outbox.history(server.ctx, Page()).messages
        outcomes = {one.name: one for one in told.channels}
        assert outcomes["good"].outcome == "sent"
        assert (outcomes["bad"].outcome, outcomes["bad"].tries) == ("waiting", 1)
        assert outbox.deliver(server.ctx, server.time.now + 10, MailSender()) == 0
        assert ("ZeroDivisionError" in caplog.text) == (fault == "a fault of the program")


@pytest.mark.parametrize("who", [*ASKING])
def test_what_another_server_says_is_shown_and_never_obeyed(who: str) -> None:
    ask, kind = ASKING[who]
    bad = "\x1b]0;owned\x07\x00 \u202e"
    whole = [f"HTTP/1.1 500 {bad}\r\n\r\n{bad}"] if who != "peer" else []  # who looks at it further up
    for head in (*whole, f"HTTX {bad}\r\n\r\n"):
        with answering(head.encode()) as port, pytest.raises(kind) as caught:
            ask(f"http://127.0.0.1:{port}/")
        assert caught.value.detail.isprintable()

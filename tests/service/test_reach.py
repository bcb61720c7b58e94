"""A resolver that is dead or slow, addresses that take nothing, and others that drip: all ends in the time stated."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lts import reach
from lts.background.courier import Courier
from lts.client.errors import Unreachable
from lts.client.transport import HttpTransport
from lts.errors import DeliveryError, PeerError
from lts.reach import Deadline
from lts.service.alerting import alertsettings, outbox, smtp, webhooks
from lts.service.alerting.alertsettings import Webhook
from lts.service.pair.sending import HttpSend
from tests.support.kit import NOON, Lab, lab
from tests.support.postoffice import black_hole, post_office
from tests.support.wait import PATIENCE, wait_until

SOON = 0.4


class Resolver:
    """The system's resolver, which answers no name until the test ends; numbers need none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.answers = threading.Event()
        real = socket.getaddrinfo

        def look_up(host: str, port: int, *more: Any, **named: Any) -> Any:
            with contextlib.suppress(OSError):
                return real(host, port, *more, **{**named, "flags": socket.AI_NUMERICHOST})
            if named.get("flags") == socket.AI_NUMERICHOST:
                raise socket.gaierror(socket.EAI_NONAME, "no number")
            self.asked.append(host)
            self.answers.wait(PATIENCE)
            return real("127.0.0.1", port, *more, **named)

        def never(*_: object) -> str:
            if threading.current_thread() is not threading.main_thread():
                return "localhost"  # a mail server of the tests, which asks for its own
            raise AssertionError("a name was looked up that nobody needs")

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        for name in ("getfqdn", "gethostbyaddr", "gethostbyname", "gethostbyname_ex"):
            monkeypatch.setattr(socket, name, never)


@pytest.fixture
def dead(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    reach._forget_lookups()  # a name that the test before let go is not looked up any more
    made = Resolver(monkeypatch)
    yield made
    made.answers.set()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Lab]:
    with lab(tmp_path) as here:
        yield here


def mail_to(host: str, port: int = 25) -> dict[str, Any]:
    return {"host": host, "port": port, "security": "none", "from": "lts@x.test", "to": "ops@x.test"}


def test_a_name_that_is_not_answered_ends_in_time_and_is_asked_once_for_all_who_wait(dead: Resolver) -> None:
    for _ in range(5):
        with pytest.raises(TimeoutError, match=r"mail\.test could not be looked up in time"):
            reach.addresses("mail.test", 25, Deadline(0.05))
    assert dead.asked == ["mail.test"]
    dead.answers.set()
    wait_until(lambda: not reach._under_way, "the resolver answers")
    assert reach.addresses("mail.test", 25, Deadline(PATIENCE))
    assert len(dead.asked) == 2, "and it is asked anew"


def test_a_number_needs_no_resolver(dead: Resolver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        reach.connect("127.0.0.1", listener.getsockname()[1], Deadline(PATIENCE)).close()
    assert not dead.asked


def test_a_mail_to_a_name_without_a_resolver_ends_in_time(
    server: Lab, dead: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "STEP_SECONDS", SOON)
    settings = alertsettings.settings_for_test(server.ctx, mail_to("mail.test"))
    begun = time.monotonic()
    with pytest.raises(DeliveryError, match="looked up in time"):
        outbox.send_test(server.ctx, settings, NOON)
    assert time.monotonic() - begun < PATIENCE / 2


def test_a_mail_to_a_number_asks_no_resolver_and_greets_by_its_address(server: Lab, dead: Resolver) -> None:
    greetings: list[str] = []
    with post_office() as office:
        office.handle_EHLO = _keep(greetings)  # type: ignore[attr-defined]
        settings = alertsettings.settings_for_test(server.ctx, mail_to("127.0.0.1", office.port))
        outbox.send_test(server.ctx, settings, NOON)
        assert len(office.mails) == 1
    assert greetings == ["[127.0.0.1]"]
    assert not dead.asked


def _keep(greetings: list[str]) -> Any:
    async def handle(server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]) -> list[str]:
        greetings.append(hostname)
        session.host_name = hostname
        return responses

    return handle


def test_a_webhook_without_a_resolver_or_with_a_server_that_drips_ends_in_time(
    dead: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "WHOLE_SECONDS", SOON)
    begun = time.monotonic()
    with pytest.raises(DeliveryError, match="looked up in time"):
        webhooks.post(Webhook("1", "chat", "http://hooks.test/", "s"), "id", b"{}", NOON)
    with dripping() as port, pytest.raises(DeliveryError, match="timed out"):
        webhooks.post(Webhook("1", "chat", f"http://127.0.0.1:{port}/", "s"), "id", b"{}", NOON)
    assert time.monotonic() - begun < PATIENCE / 2


@contextlib.contextmanager
def dripping() -> Iterator[int]:
    """A server whose header never ends, a byte at a time."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    one, _ = listener.accept()
                    one.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                    while not ended.wait(0.05):
                        one.sendall(b"x")

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        ended.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("kind", ["peer", "client"])
def test_a_call_to_a_server_ends_in_time_whatever_holds_it_up(kind: str, dead: Resolver) -> None:
    def call(url: str) -> None:
        if kind == "peer":
            HttpSend(url)("hello", {}, b"{}", SOON)
        else:
            HttpTransport().post(f"{url}api/v1/authorize", {}, SOON)

    begun = time.monotonic()
    with dripping() as port, black_hole() as hole:
        for place in ("lts.test:48080", f"127.0.0.1:{port}", f"127.0.0.1:{hole.port}"):
            with pytest.raises((PeerError, Unreachable), match=r"in time|timed out"):
                call(f"http://{place}/lts/")
    assert time.monotonic() - begun < PATIENCE / 2


def assert_ends_when_canceled(url: str, is_under_way: Callable[[], object]) -> None:
    """A call to another server, canceled once it is under way."""
    line = HttpSend(url)
    faults: list[PeerError] = []

    def call() -> None:
        try:
            line("hello", {}, b"{}", 4 * PATIENCE)
        except PeerError as error:
            faults.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    wait_until(is_under_way, "the call")
    line.cancel()
    thread.join(PATIENCE)
    assert faults


def test_a_call_that_is_canceled_ends_at_once() -> None:
    with black_hole() as hole:
        assert_ends_when_canceled(f"http://127.0.0.1:{hole.port}/lts/", lambda: bool(hole.taken))


def test_each_address_gets_its_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as full, socket.create_server(("127.0.0.1", 0)) as listener:
        place = ("127.0.0.1", listener.getsockname()[1])
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        closed = ("127.0.0.1", full.getsockname()[1])
        full.close()
        monkeypatch.setattr(reach, "addresses", lambda *_: [(*kind, closed), (*kind, place)])
        reach.connect("two.test", 1, Deadline(PATIENCE)).close()
        monkeypatch.setattr(reach, "addresses", lambda *_: [(*kind, closed)])
        with pytest.raises(ConnectionRefusedError):
            reach.connect("one.test", 1, Deadline(PATIENCE))


def test_a_connection_is_never_opened_behind_the_deadline() -> None:
    with black_hole() as hole:
        one = reach.http_connection("127.0.0.1", hole.port, Deadline(PATIENCE), None)
        one.close()
        with pytest.raises(http.client.NotConnected):
            one.request("GET", "/")


def test_the_courier_stops_in_time_while_a_name_is_looked_up(server: Lab, dead: Resolver) -> None:
    server.ctx.store.wait_until_stored()
    alertsettings.change_mail(server.ctx, mail_to("mail.test"), "test", NOON)
    courier = Courier(server.ctx, look_seconds=0.01)
    courier.start()
    begun = time.monotonic()
    courier.stop()
    assert time.monotonic() - begun < 4


def test_who_waits_for_a_name_gives_up_when_it_is_canceled(dead: Resolver) -> None:
    assert_ends_when_canceled("http://lts.test:48080/lts/", lambda: bool(dead.asked))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on Windows")
def test_a_child_does_not_wait_for_the_threads_of_its_parent(dead: Resolver) -> None:
    with pytest.raises(TimeoutError):
        reach.addresses("mail.test", 25, Deadline(0.05))
    assert reach._under_way
    reach._forget_lookups()
    assert not reach._under_way


def test_who_wrote_https_for_http_learns_what_to_write() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            one, _ = listening.accept()
            with one:
                one.recv(4096)
                one.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}/lts/api/v1/authorize"
        with pytest.raises(Unreachable) as caught:
            HttpTransport().post(url, {}, PATIENCE)
    assert "that port does not use TLS; write http:// for https://" in caught.value.detail
    assert "WRONG_VERSION" not in caught.value.detail

"""Those who ask for pages take turns, and nothing is computed for clients that have gone (lts.httpd.dispatch)."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lts.httpd.turns import Turns
from tests.support.wait import PATIENCE, wait_until
from tests.web.conftest import Served

HOME = "/api/v1/admin/home"


def test_those_who_ask_take_turns_and_each_keeps_its_order() -> None:
    turns: Turns[str] = Turns(lambda task: task[0])
    for task in ("a1", "a2", "a3", "b1", "a4", "c1", "b2"):
        turns.put(task)
    assert len(turns) == 7
    assert [turns.get() for _ in range(3)] == ["a1", "b1", "c1"]
    turns.put("c2")
    turns.end()
    assert [turns.get() for _ in range(6)] == ["a2", "b2", "c2", "a3", "a4", None]
    assert turns.get() is None


def test_who_waits_for_a_task_gets_it() -> None:
    turns: Turns[str] = Turns(lambda task: task)
    got: list[str | None] = []
    thread = threading.Thread(target=lambda: got.extend((turns.get(), turns.get())))
    thread.start()
    turns.put("a")
    turns.end()
    thread.join(PATIENCE)
    assert got == ["a", None]


class Held:
    """A page thread that is held up by one page; the others that are computed, by who asked, in order."""

    def __init__(self, served: Served, answer: Any) -> None:
        self._served, self._answer = served, answer
        self.asked: list[str] = []
        self._free = threading.Event()
        self._sockets: list[socket.socket] = []

    def __call__(self, environ: Any, start_response: Any) -> Any:
        who = environ.get("HTTP_COOKIE") or environ.get("HTTP_AUTHORIZATION", "")
        self.asked.append(who.removeprefix("Bearer "))
        self._free.wait(PATIENCE)
        return self._answer(environ, start_response)

    def ask(self, header: str) -> socket.socket:
        """One request for a page; it waits in the queue unless it is the first."""
        first, before = not self.asked, self._served.listener.queue_depth
        sock = socket.create_connection(("127.0.0.1", self._served.port), timeout=PATIENCE)
        self._sockets.append(sock)
        sock.sendall(f"GET {HOME} HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode())
        wait_until(lambda: self.asked if first else self._served.listener.queue_depth > before, "it is there")
        return sock

    def go_on(self) -> list[str]:
        """Who was computed for once nothing waits, the first one left out."""
        self._free.set()
        wait_until(lambda: not self._served.listener.queue_depth, "the queue is empty")
        assert self._served.ask("GET", HOME, Authorization="Bearer last").status == 401
        return self.asked[1:-1]

    def close(self) -> None:
        """Let everything go."""
        self._free.set()
        for sock in self._sockets:
            sock.close()


@pytest.fixture
def held(served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    """The page thread, held up."""
    flask = served.web.app.flask
    found = Held(served, flask.wsgi_app)
    monkeypatch.setattr(flask, "wsgi_app", found)
    found.ask("Authorization: Bearer first")
    yield found
    found.close()


def test_who_asks_for_many_pages_holds_up_nobody_who_asks_for_one(held: Held) -> None:
    for scheme in ("Bearer", "bearer", "Bearer ", "BEARER"):
        held.ask(f"Authorization: {scheme} greedy")
    held.ask("Authorization: Bearer other")
    assert [who.rpartition(" ")[2] for who in held.go_on()] == ["greedy", "other", "greedy", "greedy", "greedy"]


def test_a_session_is_known_whatever_other_cookies_there_are(held: Held, served: Served) -> None:
    name = served.web.app._gate._cookie
    cookies = [f"{name}=a; x={n}" for n in range(3)] + [f"{name}=b"]
    for cookie in cookies:
        held.ask(f"Cookie: {cookie}")
    assert held.go_on() == [cookies[n] for n in (0, 3, 1, 2)]


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.mark.parametrize("leave", [socket.socket.close, reset], ids=["closes", "resets"])
def test_nothing_is_computed_for_clients_that_have_gone(
    held: Held, served: Served, leave: Callable[[socket.socket], None]
) -> None:
    for _ in range(20):
        leave(held.ask("Authorization: Bearer gone"))
    stays = held.ask("Authorization: Bearer stays")
    assert held.go_on() == ["stays"]
    assert stays.recv(12) == b"HTTP/1.1 401"
    held.close()
    wait_until(lambda: not served.listener.connections, "their connections are closed")

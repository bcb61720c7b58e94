"""Clients that go away in the middle hold up nobody."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from lts.server import Server
from lts.service.maintenance import verify
from tests.support.kit import Lab, item
from tests.support.wait import PATIENCE


@pytest.fixture
def port(server: Lab) -> Iterator[int]:
    """The lab's server, listening."""
    running = Server(server.here, server.config)
    thread = threading.Thread(target=running.run)
    thread.start()
    yield running.listener.port
    running.stop()
    thread.join()


def body(code: str) -> bytes:
    asked: dict[str, Any] = {"handshakeCode": code, "deviceId": str(uuid4()), "product": "reader",
                             "deploymentType": "server"}  # fmt: skip
    return json.dumps(asked).encode()


def go_away(port: int, code: str) -> None:
    """Send a whole request and reset the connection at once."""
    data = body(code)
    with socket.create_connection(("127.0.0.1", port)) as sock:
        head = f"POST /api/v1/authorize HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
        sock.sendall(head.encode() + data)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def stay(port: int, code: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("POST", "/lts/api/v1/authorize", body(code))
        return connection.getresponse().status
    finally:
        connection.close()


def test_those_who_stay_are_served_while_others_reset_their_connections(server: Lab, port: int) -> None:
    code = server.load(item(way="device", quota=10_000))
    with ThreadPoolExecutor(24) as pool:
        statuses = [
            pool.submit(stay, port, code) if n % 3 == 0 else pool.submit(go_away, port, code) for n in range(600)
        ]
        assert {s.result() for n, s in enumerate(statuses) if n % 3 == 0} == {200}
    assert stay(port, code) == 200
    assert server.live() >= 201
    assert verify.verify(server.config.data_dir, server.ctx.trust) == []

"""Bytes over a socket of their own to a served application, and what comes back."""

from __future__ import annotations

import json
import socket

from tests.support.wait import PATIENCE
from tests.web.conftest import Answer, Served

PATH = "/lts/api/v1/authorize"


MIB = 1 << 20


def raw(served: Served, data: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE)
    connection.sendall(data)
    return connection


def all_of(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    connection.close()
    return b"".join(parts)


def refused(answer: Answer, status: int, code: int | str) -> None:
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.json["code"] == code
    assert answer.json["requestId"] == answer.headers["x-request-id"]


def asking(served: Served) -> bytes:
    return json.dumps(served.web.asking()).encode()

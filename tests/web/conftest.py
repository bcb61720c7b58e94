"""The web application over a real server, called as WSGI or over a real socket."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import pytest

from lts.config import RateLimits
from lts.httpd.listen import Listener
from lts.web.app import App
from tests.support.kit import Lab, item
from tests.support.wait import PATIENCE, ended

DEVICE = "6f1c2b7e-8c1d-4a0e-9a57-0c6a2f7a1b11"
TOKEN = "cli-token"


@dataclass
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body's JSON."""
        return json.loads(self.body)


class Web:
    """The application over a Lab; `call` is one request."""

    def __init__(self, lab: Lab, limits: RateLimits) -> None:
        self.lab = lab
        self.config = replace(lab.config, rate_limits=limits, trusted_proxies=("10.0.0.0/8",), port=0)
        self.app = App(lab.ctx, self.config, TOKEN)
        self.code = lab.load(item("one", "scan", 1000))

    def call(self, method: str, path: str, body: Any = b"", **environ: str) -> Answer:
        """One WSGI call; a body that is not bytes is sent as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        full = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_LENGTH": str(len(data)),
            "wsgi.input": BytesIO(data),
            "wsgi.url_scheme": "http",
            "wsgi.errors": BytesIO(),
            **environ,
        }
        begun: list[Any] = []
        parts = self.app(full, lambda status, headers, *more: begun.extend((status, headers)))
        content = b"".join(parts)
        headers: dict[str, str] = {}
        for name, value in begun[1]:
            assert name.lower() not in headers, f"{name} stands twice"
            headers[name.lower()] = value
        return Answer(int(begun[0][:3]), headers, content)

    def authorize(self, **fields: Any) -> Answer:
        """POST /api/v1/authorize with good fields, changed as given."""
        return self.call("POST", "/api/v1/authorize", self.asking(**fields))

    def asking(self, **fields: Any) -> dict[str, Any]:
        """A good body of authorize, changed as given."""
        good = {"handshakeCode": self.code, "deviceId": DEVICE, "product": "reader", "deploymentType": "server"}
        return {**good, **fields}

    def report(self, reports: Any, lease: str) -> Answer:
        """POST /api/v1/report."""
        return self.call("POST", "/api/v1/report", {"lease": lease, "reports": reports})


@pytest.fixture
def web(server: Lab) -> Web:
    """The application with limits that no test reaches by chance."""
    return Web(server, RateLimits(1_000_000, 1_000_000, 1_000_000))


class Served:
    """The application behind a real listening socket."""

    def __init__(self, web: Web, listener: Listener) -> None:
        self.web = web
        self.listener = listener
        self.port = listener.port

    def connect(self) -> http.client.HTTPConnection:
        """A connection of its own."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request on a connection of its own."""
        connection = self.connect()
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            return read(connection)
        finally:
            connection.close()


def read(connection: http.client.HTTPConnection) -> Answer:
    """The answer that a connection waits for."""
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read())


@pytest.fixture
def served(web: Web) -> Iterator[Served]:
    """The application, served on a free port."""
    listener = Listener(web.app, web.config)
    thread = threading.Thread(target=listener.run)
    thread.start()
    yield Served(web, listener)
    listener.stop()
    ended(thread)


def problem(answer: Answer) -> Any:
    """The problem that an answer reports, in good form."""
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    document = answer.json
    assert document["status"] == answer.status
    assert document["title"]
    assert document["detail"]
    assert document["requestId"] == answer.headers["x-request-id"]
    return document

"""Answers on demand, for `lts sandbox`: what an application must cope with, on URLs of its own.

`/s/MODE/lts/…` is the server behind a fault; everything else goes through. MODE `switch` behaves as the mode that `POST
/sandbox/switch?mode=MODE` last named, so that an application can be watched while things change.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from lts.errors import Refusal, RefusalCode
from lts.protocol import DAY_SECONDS, iso, parse_iso
from lts.web.wire import problems
from lts.web.wire.application import Application, Around
from lts.web.wire.wsgi import Environ

Json = dict[str, Any]
SLOW_SECONDS = 8.0
CLOCK_SECONDS = DAY_SECONDS
_MODE = re.compile(r"^/s/([a-z-]+)(/.*)$")
REFUSALS = {
    "standby": (
        RefusalCode.NOT_SERVING,
        "This is the standby server and the main one works; use the other server URL of the license key.",
    ),
    "limited": (RefusalCode.TOO_MANY_REQUESTS, "Too many requests from this device; wait 5 s."),
    "full-disk": (RefusalCode.CANNOT_STORE, "Nothing can be stored now; try again."),
    "clone": (
        RefusalCode.CLONE,
        "Two devices use this device's identity; ask the administrator, or make a new identity for one.",
    ),
}
MODES = ("works", "slow", "clock", "portal", "redirect", "half", *REFUSALS)
"""`portal` answers with a page as a hotel's network does, `half` with half of a JSON document."""


class Sandbox(Around):
    """The application with faults in front; `situations` is what the sandbox's page lists."""

    def __init__(self, app: Application, situations: list[Json]) -> None:
        super().__init__(app)
        self._situations = situations
        self._switch = "works"
        self._lock = threading.Lock()

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO") or "/"
        bare = path.removeprefix("/lts")
        if bare == "/sandbox/situations.json":
            return _send(start_response, 200, "application/json", json.dumps(self._situations).encode())
        if bare == "/sandbox/switch":
            return self._set_switch(environ, start_response)
        if found := _MODE.match(path):
            mode = self._switch if found[1] == "switch" else found[1]
            environ["PATH_INFO"] = found[2]
            if environ["REQUEST_METHOD"] != "OPTIONS" and mode != "works":
                return self._answer(mode, environ, start_response)
        return self._app(environ, _connecting(path, start_response))

    def _set_switch(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        asked = parse_qs(environ.get("QUERY_STRING", "")).get("mode", [""])[0]
        if environ["REQUEST_METHOD"] == "POST":
            if asked not in MODES:
                return _send(start_response, 400, "text/plain", f"mode is one of {', '.join(MODES)}".encode())
            with self._lock:
                self._switch = asked
        return _send(start_response, 200, "application/json", json.dumps({"mode": self._switch}).encode())

    def _answer(self, mode: str, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if mode in REFUSALS:
            code, detail = REFUSALS[mode]
            refusal = Refusal(code, detail, retry_after=5)
            status, body, headers = problems.problem(refusal, problems.new_id())
            return _send(start_response, status, problems.CONTENT_TYPE, body, headers)
        if mode == "portal":
            return _send(start_response, 200, "text/html", b"<!doctype html><title>Welcome to our network</title>")
        if mode == "half":
            return _send(start_response, 200, "application/json", b'{"lease": "eyJ')
        if mode == "redirect":
            return _send(start_response, 302, "text/plain", b"", [("Location", "https://elsewhere.example.com/")])
        if mode == "slow":
            time.sleep(SLOW_SECONDS)
            return self._app(environ, start_response)
        if mode == "clock":
            return self._clock_off(environ, start_response)
        return _send(start_response, 404, "text/plain", f"no mode {mode}; {', '.join(MODES)}".encode())

    def _clock_off(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The server's answer, with a time of its own that is a day ahead."""
        begun: list[Any] = []
        body = b"".join(self._app(environ, lambda status, headers, *_: begun.extend((status, headers))))
        status, headers = begun
        if status.startswith("200") and b'"serverTime"' in body:
            fields = json.loads(body)
            fields["serverTime"] = iso(parse_iso(fields["serverTime"]) + CLOCK_SECONDS)
            body = json.dumps(fields).encode()
        kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
        start_response(status, [*kept, ("Content-Length", str(len(body)))])
        return [body]


def _send(
    start_response: Callable[..., Any], status: int, kind: str, body: bytes, more: list[tuple[str, str]] | None = None
) -> Iterable[bytes]:
    headers = [("Content-Type", kind), ("Content-Length", str(len(body))), *problems.CORS, *(more or [])]
    start_response(problems.status_line(status), headers)
    return [body]


def _connecting(path: str, start_response: Callable[..., Any]) -> Callable[..., Any]:
    """The sandbox's page may speak to any server: one of its situations is that nobody is there."""
    if "/static/sandbox/" not in path:
        return start_response

    def begin(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        allowed = [(name, value.replace("connect-src 'self'", "connect-src *")) for name, value in headers]
        return start_response(status, allowed, *more)

    return begin

"""Sending one request to one server over http.client, with short timeouts and TLS verified."""

from __future__ import annotations

import contextlib
import json
import ssl
from typing import Any, Protocol
from urllib.parse import SplitResult, urlsplit

from lts.client.errors import Unreachable
from lts.errors import words_of
from lts.reach import Answer, Deadline, ask, http_connection
from lts.strictjson import strict_json

MAX_ANSWER_BYTES = 4 << 20


class Transport(Protocol):
    """What a client sends through; tests put their own in its place."""

    def post(self, url: str, body: dict[str, Any], timeout: float) -> tuple[int, dict[str, Any]]:
        """(HTTP status, JSON object of the answer, {} for none). Raises Unreachable."""
        ...


class HttpTransport:
    """The real transport. `ca_file` names certificates to trust in addition to the system's."""

    def __init__(self, ca_file: str | None = None) -> None:
        self._ca_file = ca_file
        self._context: ssl.SSLContext | None = None

    def post(self, url: str, body: dict[str, Any], timeout: float) -> tuple[int, dict[str, Any]]:
        """POST as JSON, all of it within `timeout`, a slow resolver too; redirects are not followed, so that a lease is
        never asked for elsewhere."""
        parts, port = split(url)
        payload = json.dumps(body, ensure_ascii=False).encode("utf-8")
        secure = self._trusted() if parts.scheme == "https" else None
        try:
            with contextlib.closing(http_connection(parts.hostname or "", port, Deadline(timeout), secure)) as one:
                headers = {"Content-Type": "application/json"}
                answer = ask(one, "POST", parts.path, payload, headers, MAX_ANSWER_BYTES)
        except OSError as error:
            raise Unreachable(f"{url} cannot be reached ({words_of(error)}).") from error
        return answer.status, _object(url, answer)

    def _trusted(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = ssl.create_default_context()
            if self._ca_file:
                self._context.load_verify_locations(self._ca_file)
        return self._context


def split(url: str) -> tuple[SplitResult, int | None]:
    """The parts of a server's URL and its port. Raises Unreachable for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Unreachable(f"{url} is not a URL ({error}); check the server's URL.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Unreachable(f"{url} cannot be asked: the server's URL begins with http:// or https://.")
    return parts, port


def _object(url: str, answer: Answer) -> dict[str, Any]:
    if answer.status == 204:
        return {}
    try:
        value = strict_json(answer.body) if answer.whole else None
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Unreachable(
            f"{url} answered {answer.status} with something that is not from LTS; check the server's URL."
        )
    return value

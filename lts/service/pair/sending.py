"""HTTP to the other server's configured URL, over one kept connection; redirects are not followed."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Mapping
from http.client import HTTPConnection
from urllib.parse import urlsplit

from lts import reach
from lts.errors import PeerError, words_of
from lts.reach import Deadline, Timed

MAX_ANSWER_BYTES = 64 << 20
_CLOSED = (ConnectionResetError, BrokenPipeError)


class HttpSend:
    """See peerclient.Send. Certificates of https are verified by the system's store (SSL_CERT_FILE adds one)."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._connection: HTTPConnection | None = None
        self._under_way: Timed | None = None
        self._deadline = Deadline(0)

    def __call__(
        self, path: str, headers: dict[str, str], body: bytes, timeout: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Retries once on a new connection if a kept one turns out to be closed. All of it ends within `timeout`."""
        kept = self._connection is not None
        deadline = self._deadline = Deadline(timeout)
        try:
            with contextlib.suppress(*(_CLOSED if kept else ())):
                return self._post(path, headers, body, deadline)
            return self._post(path, headers, body, deadline)
        except OSError as error:
            raise PeerError(
                "peer-unreachable", f"{self._url.geturl()} cannot be reached ({words_of(error)})."
            ) from error

    def cancel(self) -> None:
        """End what is under way, from another thread."""
        self._deadline.end()
        under_way = self._under_way
        if under_way is not None:
            with contextlib.suppress(OSError):
                under_way.socket.shutdown(socket.SHUT_RDWR)

    def _post(
        self, path: str, headers: dict[str, str], body: bytes, deadline: Deadline
    ) -> tuple[int, Mapping[str, str], bytes]:
        connection = self._connection or self._connect(deadline)
        self._connection = None
        under_way = connection.sock
        assert isinstance(under_way, Timed)
        self._under_way = under_way
        under_way.end_by(deadline)
        try:
            answer = reach.ask(
                connection,
                "POST",
                f"{self._url.path}api/v1/peer/{path}",
                body,
                {"Content-Type": "application/vnd.lts.peer", **headers},
                MAX_ANSWER_BYTES,
            )
        finally:
            self._under_way = None
        if connection.sock is not None:
            self._connection = connection
        if not answer.whole:
            raise OSError(f"its answer breaks off, or has more than {MAX_ANSWER_BYTES >> 20} MiB")
        return answer.status, answer.headers, answer.body

    def _connect(self, deadline: Deadline) -> HTTPConnection:
        secure = ssl.create_default_context() if self._url.scheme == "https" else None
        return reach.http_connection(self._url.hostname or "", self._url.port, deadline, secure)

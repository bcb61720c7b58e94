"""HTTP to the other server's configured URL, over one kept connection; redirects are not followed."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from lts.errors import PeerError, words_of

MAX_ANSWER_BYTES = 64 << 20


class HttpSend:
    """See caller.Send. Certificates of https are verified by the system's store (SSL_CERT_FILE adds one)."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._connection: http.client.HTTPConnection | None = None

    def __call__(
        self, path: str, headers: dict[str, str], body: bytes, timeout: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Once more on a new connection when a kept one turns out to be closed."""
        kept = self._connection is not None
        try:
            return self._post(path, headers, body, timeout)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
            if not kept:
                raise self._unreachable(error) from error
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        try:
            return self._post(path, headers, body, timeout)
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> PeerError:
        return PeerError("peer-unreachable", f"{self._url.geturl()} cannot be reached ({words_of(error)}).")

    def _post(
        self, path: str, headers: dict[str, str], body: bytes, timeout: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        connection = self._connection or self._connect(timeout)
        self._connection = None
        done = False
        try:
            if connection.sock is not None:
                connection.sock.settimeout(timeout)
            connection.request(
                "POST",
                f"{self._url.path}api/v1/peer/{path}",
                body,
                {"Content-Type": "application/vnd.lts.peer", **headers},
            )
            answer = connection.getresponse()
            data = answer.read(MAX_ANSWER_BYTES + 1)
            done = len(data) <= MAX_ANSWER_BYTES and not answer.will_close
            return answer.status, dict(answer.getheaders()), data
        finally:
            if done:
                self._connection = connection
            else:
                connection.close()

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=timeout, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, port, timeout=timeout)

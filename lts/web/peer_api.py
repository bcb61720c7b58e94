"""What the other server of a pair calls: POST /api/v1/peer/{call}, signed bytes in and out."""

from __future__ import annotations

from collections.abc import Iterable

from lts.errors import LtsError
from lts.service.pair.answering import Answering
from lts.service.pair.sessions import COUNTER, SESSION, SIGNATURE
from lts.web import problems
from lts.web.body import read_body
from lts.web.client_api import Environ, StartResponse

PREFIX = "/api/v1/peer/"
MAX_BYTES = 1 << 20


class PeerApi:
    """WSGI application for the paths under PREFIX."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    def __call__(self, environ: Environ, start_response: StartResponse, path: str) -> Iterable[bytes]:
        """Answer a call; a body that is too large is not read."""
        if environ["REQUEST_METHOD"] != "POST":
            return _plain(start_response, 405, [("Allow", "POST")])
        try:
            body = read_body(environ, MAX_BYTES)
        except LtsError as error:
            return _plain(start_response, error.status, [])
        headers = {
            name: environ.get("HTTP_" + name.upper().replace("-", "_"), "") for name in (SESSION, COUNTER, SIGNATURE)
        }
        status, answered, answer = self._answering.answer(path.removeprefix(PREFIX), headers, body)
        start_response(
            problems.status_line(status),
            [
                ("Content-Type", "application/vnd.lts.peer"),
                ("Content-Length", str(len(answer))),
                ("Cache-Control", "no-store"),
                *answered.items(),
            ],
        )
        return [answer]


def _plain(start_response: StartResponse, status: int, headers: list[tuple[str, str]]) -> Iterable[bytes]:
    start_response(problems.status_line(status), [("Content-Length", "0"), *headers])
    return []

"""What the other server of a pair calls: POST /api/v1/peer/{call}, signed bytes in and out."""

from __future__ import annotations

from collections.abc import Iterable

from lts.errors import LtsError, Refusal, RefusalCode
from lts.service.core.partner import AnswerPeer
from lts.service.core.pinned import DELEGATION_BYTES, MAX_LINE
from lts.service.pair.peermessages import HELLO
from lts.service.pair.peersessions import COUNTER, SESSION, SIGNATURE
from lts.web.wire import problems
from lts.web.wire.addresses import Addresses
from lts.web.wire.body import receive
from lts.web.wire.ratelimit import Limiter
from lts.web.wire.wsgi import Environ, Headers, StartResponse

PREFIX = "/api/v1/peer/"
MAX_BYTES = 1 << 20
HELLO_PATH = PREFIX + HELLO
HELLO_BYTES = (2 << 10) + (MAX_LINE + 1) * DELEGATION_BYTES
"""A hello is some hundred bytes, and a delegation for each promotion."""
HELLOS_A_MINUTE, HELLOS_AT_ONCE = 600, 300
"""Of one address: anybody may say hello, and each costs two signatures. The other server says one a session."""


class PeerApi:
    """WSGI application for the paths under PREFIX."""

    def __init__(self, answer: AnswerPeer, addresses: Addresses) -> None:
        self._answer = answer
        self._addresses = addresses
        self._hellos = Limiter(HELLOS_A_MINUTE, HELLOS_AT_ONCE)

    def __call__(self, environ: Environ, start_response: StartResponse, path: str) -> Iterable[bytes]:
        """Answer a call; a body that is too large is not read."""
        if environ["REQUEST_METHOD"] != "POST":
            return _plain(start_response, 405, [("Allow", "POST")])
        call = path.removeprefix(PREFIX)
        if call == HELLO and (wait := self._wait(environ)):
            return _plain(start_response, 429, [("Retry-After", str(int(wait) + 1))])
        try:
            body = receive(environ, HELLO_BYTES if call == HELLO else MAX_BYTES).data
        except LtsError as error:
            return _plain(start_response, error.status, [])
        headers = {
            name: environ.get("HTTP_" + name.upper().replace("-", "_"), "") for name in (SESSION, COUNTER, SIGNATURE)
        }
        status, answered, answer = self._answer(call, headers, body)
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

    def turns_away(self, environ: Environ) -> LtsError | None:
        """Why a hello is refused by its header alone; else None. It is counted once it is complete."""
        wait = 0 if self._addresses.is_nobody(environ) else self._hellos.wait_of(self._addresses.client(environ))
        return (
            Refusal(RefusalCode.TOO_MANY_REQUESTS, "Too many hellos from this address.", retry_after=int(wait) + 1)
            if wait
            else None
        )

    def _wait(self, environ: Environ) -> float:
        """Count a hello; seconds to wait when it is one too many of its address. What has none is not counted."""
        return 0 if self._addresses.is_nobody(environ) else self._hellos.take(self._addresses.client(environ))


def _plain(start_response: StartResponse, status: int, headers: Headers) -> Iterable[bytes]:
    start_response(problems.status_line(status), [("Content-Length", "0"), *headers])
    return []

"""The asking side of the pair: hello, signed requests, verified answers.

Each PeerClient is one connection to the other server with its own session; one request at a time.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from lts.crypto import PublicKey, SigningKey, b64url, unb64url
from lts.errors import PeerError, TokenError
from lts.rules import pair as rules
from lts.rules.values.text import one_line
from lts.service.pair import peermessages
from lts.service.pair.peermessages import Hello, Introduction, PeerProblem, Welcome
from lts.service.pair.peersessions import COUNTER, SESSION, SIGNATURE

M = TypeVar("M")


Send = Callable[[str, dict[str, str], bytes, float], tuple[int, Mapping[str, str], bytes]]
"""Posts to a path under the other server's `api/v1/peer/`, with headers and a body, within so many seconds; (status,
headers, body). Raises PeerError `peer-unreachable`."""


class PeerClient:
    """`check` gets who answered a hello with a good signature, and raises PeerError if it is another server."""

    def __init__(
        self, send: Send, key: SigningKey, me: Callable[[], Introduction], check: Callable[[Introduction], None]
    ) -> None:
        self._send = send
        self._key = key
        self._me = me
        self._check = check
        self._lock = threading.Lock()
        self._session = ""
        self._counter = 0
        self._peer: PublicKey | None = None

    def forget_session(self) -> None:
        with self._lock:
            self._session = ""

    def say_hello(self, timeout: float) -> None:
        """Begin a session. Raises PeerError, as `call`."""
        with self._lock:
            self._say_hello(timeout)

    def call(self, path: str, message: Any, kind: type[M], timeout: float) -> M:
        """The other server's answer. Raises PeerError: `peer-unreachable` (nothing came), `peer-signature` (something
        came that the pinned server did not sign), or what the other server refused with."""
        return peermessages.decode(self.raw(path, message, timeout), kind)

    def raw(self, path: str, message: Any, timeout: float) -> bytes:
        """Like `call`, for an answer that is bytes. A session that has ended is renewed, once."""
        body = peermessages.encode(message)
        with self._lock:
            try:
                return self._in_session(path, body, timeout)
            except PeerError as error:
                if error.code != "peer-session":
                    raise
            return self._in_session(path, body, timeout)

    def _in_session(self, path: str, body: bytes, timeout: float) -> bytes:
        if not self._session:
            self._say_hello(timeout)
        try:
            return self._ask(path, body, timeout)
        except PeerError:
            self._session = ""
            raise

    def _say_hello(self, timeout: float) -> None:
        nonce = secrets.token_urlsafe(18)
        body = peermessages.encode(Hello(self._me(), nonce))
        signature = b64url(self._key.sign(rules.request_statement(peermessages.HELLO, body, "", 0)))
        status, headers, answer = self._send(peermessages.HELLO, {SIGNATURE: signature}, body, timeout)
        if status != 200:
            raise _not_a_peer(status, headers)
        welcome = peermessages.decode(answer, Welcome)
        peer = _key_of(welcome.me)
        _verify(peer, headers, rules.answer_statement(nonce, 0, status, answer))
        self._check(welcome.me)
        self._peer, self._session, self._counter = peer, welcome.session, 0

    def _ask(self, path: str, body: bytes, timeout: float) -> bytes:
        assert self._peer is not None
        self._counter += 1
        statement = rules.request_statement(path, body, self._session, self._counter)
        headers = {
            SESSION: self._session,
            COUNTER: str(self._counter),
            SIGNATURE: b64url(self._key.sign(statement)),
        }
        status, answered, answer = self._send(path, headers, body, timeout)
        if SIGNATURE.lower() not in {name.lower() for name in answered}:
            raise _not_a_peer(status, answered)
        _verify(self._peer, answered, rules.answer_statement(self._session, self._counter, status, answer))
        if status != 200:
            problem = peermessages.decode(answer, PeerProblem)
            raise PeerError(problem.code, problem.detail, status=status)
        return answer


_REFUSED_BEFORE = {
    413: "it is too large for a proxy there, or for an older LTS, which is to be upgraded",
    429: "too many come from this server's address",
}
"""What LTS, or a proxy in front, refuses before the other server looks at it."""


def _not_a_peer(status: int, headers: Mapping[str, str]) -> PeerError:
    """An answer that is not from LTS: a proxy in front whose server is down, or another program at the URL."""
    target = next((value for name, value in headers.items() if name.lower() == "location"), None)
    if target is not None:
        return PeerError("peer-unreachable", f"The other server's URL redirects to {one_line(target)}; write that one.")
    if status in _REFUSED_BEFORE:
        words = f"What answers at the other server's URL refused a request: {_REFUSED_BEFORE[status]} (HTTP status"
        return PeerError("peer-unreachable", f"{words} {status}).")
    return PeerError("peer-unreachable", f"What answers at the other server's URL is not LTS (HTTP status {status}).")


def _key_of(peer: Introduction) -> PublicKey:
    try:
        return PublicKey.from_x(peer.key)
    except TokenError as error:
        raise PeerError("peer-signature", "The other server sent a key that is not valid.") from error


def _verify(key: PublicKey, headers: Mapping[str, str], statement: bytes) -> None:
    signature = next((value for name, value in headers.items() if name.lower() == SIGNATURE.lower()), "")
    try:
        key.verify(unb64url(signature), statement)
    except (TokenError, UnicodeError) as error:
        raise PeerError("peer-signature", "The other server's answer is not signed by its key.") from error

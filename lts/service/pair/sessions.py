"""The answering side of the pair: who may speak, and that each request is new (architecture.md, The pair: trust).

A caller says hello and gets a session; its first good request makes the session live. Every request carries a
counter higher than the one before and a signature by the pinned key. No clock takes part.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping

from lts.crypto import PublicKey, SigningKey, b64url, unb64url
from lts.errors import PeerError, TokenError
from lts.rules import pair as rules
from lts.service.pair import messages
from lts.service.pair.messages import Hello, Self, Welcome

SESSION, COUNTER, SIGNATURE = "LTS-Peer-Session", "LTS-Peer-Counter", "LTS-Peer-Signature"
MAX_SESSIONS = 16
_COUNTERS = 1 << 53


class Sessions:
    """Sessions given out by this server. Asked for and unused ones never push out a live one."""

    def __init__(self, key: SigningKey, pinned: Callable[[], str | None]) -> None:
        self._key = key
        self._pinned = pinned
        self._lock = threading.Lock()
        self._offered: OrderedDict[str, str] = OrderedDict()
        self._live: OrderedDict[str, tuple[str, int]] = OrderedDict()

    def welcome(self, body: bytes, signature: str, me: Self) -> tuple[bytes, str, Self]:
        """(answer, its signature, who called) to a hello. Anybody is told who this server is, and nothing more.

        Raises PeerError when the hello is not signed by the key that it names.
        """
        hello = messages.decode(body, Hello)
        _verify(hello.me.key, signature, rules.request_statement(messages.HELLO, body, "", 0))
        session = secrets.token_urlsafe(18)
        with self._lock:
            self._offered[session] = hello.me.key
            _shorten(self._offered)
        answer = messages.encode(Welcome(me, session))
        return answer, self.sign(hello.nonce, 0, 200, answer), hello.me

    def admit(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[str, int]:
        """(session, counter) of a request that may be answered. Raises PeerError: 401 when the caller should say
        hello again, 403 when it is not the pinned server."""
        session = headers.get(SESSION, "")
        text = headers.get(COUNTER, "")
        counter = int(text) if text.isascii() and text.isdigit() and len(text) < 17 else -1
        with self._lock:
            key, last = self._live.get(session) or (self._offered.get(session, ""), 0)
        if not key:
            raise PeerError("peer-session", "The session is not known; say hello again.", status=401)
        _verify(key, headers.get(SIGNATURE, ""), rules.request_statement(path, body, session, counter))
        pinned = self._pinned()
        if pinned is None:
            raise PeerError("peer-not-met", "This server has not reached the other at its URL yet.", status=403)
        if key != pinned:
            raise PeerError(
                "peer-not-pinned", "This server's key is not the one that the other has pinned.", status=403
            )
        with self._lock:
            key, last = self._live.get(session) or (self._offered.pop(session, key), 0)
            if not last < counter < _COUNTERS:
                raise PeerError("peer-replayed", "The request was sent before.", status=409)
            self._live[session] = key, counter
            self._live.move_to_end(session)
            _shorten(self._live)
        return session, counter

    def sign(self, session: str, counter: int, status: int, body: bytes) -> str:
        """The signature that goes with an answer."""
        return b64url(self._key.sign(rules.answer_statement(session, counter, status, body)))


def _shorten(sessions: OrderedDict[str, object] | OrderedDict[str, str] | OrderedDict[str, tuple[str, int]]) -> None:
    while len(sessions) > MAX_SESSIONS:
        sessions.popitem(last=False)


def _verify(key: str, signature: str, statement: bytes) -> None:
    try:
        raw = unb64url(key)
        if len(raw) != 32:
            raise TokenError("Not a key.")
        PublicKey(raw).verify(unb64url(signature), statement)
    except (TokenError, UnicodeError) as error:
        raise PeerError("peer-signature", "The request is not signed as it must be.", status=403) from error

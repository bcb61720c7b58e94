"""The answering side of the pair: who may call, and that each request is new (docs/design/pair.md, Trust).

A hello may be an earlier one, replayed: what it says counts from the first valid request on, which nobody else can
sign.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping

from lts.crypto import PublicKey, SigningKey, b64url, unb64url
from lts.errors import PeerError, TokenError
from lts.rules import pair as rules
from lts.service.pair import peermessages
from lts.service.pair.peermessages import Hello, Introduction, Welcome

SESSION, COUNTER, SIGNATURE = "LTS-Peer-Session", "LTS-Peer-Counter", "LTS-Peer-Signature"
MAX_SESSIONS = 16


class PeerSessions:
    """Sessions given out by this server. Nothing is stored about a session before its first valid request, so that
    repeated hellos take no room from the other server."""

    def __init__(self, key: SigningKey, pinned: Callable[[], str | None]) -> None:
        self._key = key
        self._pinned = pinned
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._given = 0
        self._counters: OrderedDict[int, int] = OrderedDict()
        self._ended = 0
        self._newest_status = 0

    def welcome(
        self, body: bytes, signature: str, me: Callable[[Introduction], Introduction]
    ) -> tuple[bytes, str, Introduction]:
        """(answer, its signature, who called) to a hello. Anybody learns who this server is, and nothing more;
        `me` says it to the one who called.

        Raises PeerError when the hello is not signed by the key that it names.
        """
        hello = peermessages.decode(body, Hello)
        _verify(hello.me.key, signature, rules.request_statement(peermessages.HELLO, body, "", 0))
        with self._lock:
            self._given += 1
            session = self._name(self._given, hello.me.protocol, hello.me.key)
        answer = peermessages.encode(Welcome(me(hello.me), session))
        return answer, self.sign(hello.nonce, 0, 200, answer), hello.me

    def admit(self, path: str, headers: Mapping[str, str], body: bytes) -> int | None:
        """A request that may be answered: the protocol that its hello named, where it is the first of its session.
        Raises PeerError: 401 when the caller should say hello again, 403 when it is not the pinned server, 409 when the
        request was sent before."""
        session, counter = headers.get(SESSION, ""), number_in(headers.get(COUNTER, ""))
        number, protocol = number_in(session.partition(".")[0]), number_in(session.rpartition(".")[2])
        pinned = self._pinned()
        if pinned is None:
            raise PeerError("peer-not-met", "This server has not reached the other at its URL yet.", status=403)
        if not hmac.compare_digest(session.encode(), self._name(number, protocol, pinned).encode()):
            if self._is_ours(session, number):
                words = "This server's key is not the one that the other has pinned."
                raise PeerError("peer-not-pinned", words, status=403)
            raise PeerError("peer-session", "The session is not known; say hello again.", status=401)
        _verify(pinned, headers.get(SIGNATURE, ""), rules.request_statement(path, body, session, counter))
        with self._lock:
            self._check_goes_on(number)
            first = number not in self._counters
            if not self._counters.get(number, 0) < counter:
                raise PeerError("peer-replayed", "The request was sent before.", status=409)
            self._counters[number] = counter
            self._counters.move_to_end(number)
            if len(self._counters) > MAX_SESSIONS:
                self._ended = max(self._ended, self._counters.popitem(last=False)[0])
        return protocol if first else None

    def hear(self, session: str, status_number: int) -> None:
        """The other server numbered its statuses in a session; if another start of it did so before, all older sessions
        end. Raises PeerError if this session ended: requests of an earlier start are too late."""
        number = number_in(session.partition(".")[0])
        with self._lock:
            self._check_goes_on(number)
            if not rules.is_same_start(status_number, self._newest_status):
                self._newest_status, self._ended = status_number, number - 1

    def end_all(self) -> None:
        """To continue, say hello again."""
        with self._lock:
            self._ended = self._given

    def _check_goes_on(self, number: int) -> None:
        if number <= self._ended:
            raise PeerError("peer-session", "The session has ended; say hello again.", status=401)

    def sign(self, session: str, counter: int, status: int, body: bytes) -> str:
        """The signature that goes with an answer."""
        return b64url(self._key.sign(rules.answer_statement(session, counter, status, body)))

    def _name(self, number: int, protocol: int, key: str) -> str:
        """`number.mark.proof.protocol`: the mark shows that this server gave it, the proof to whom, and that one's
        protocol."""
        return f"{number}.{self._mac(f'{number}')}.{self._mac(f'{number} {protocol} {key}')}.{protocol}"

    def _is_ours(self, session: str, number: int) -> bool:
        mark = session.split(".")[1:2]
        return bool(mark) and hmac.compare_digest(mark[0].encode(), self._mac(f"{number}").encode())

    def _mac(self, text: str) -> str:
        return b64url(hmac.digest(self._secret, text.encode(), "sha256")[:12])


def number_in(text: str) -> int:
    """A whole number of at most 15 digits in a header, 0 for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def _verify(key: str, signature: str, statement: bytes) -> None:
    try:
        PublicKey.from_x(key).verify(unb64url(signature), statement)
    except (TokenError, UnicodeError) as error:
        raise PeerError("peer-signature", "The request is not signed correctly.", status=403) from error

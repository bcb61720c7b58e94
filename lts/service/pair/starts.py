"""Which start of the other server is accepted (docs/design/pair.md, Restored and copied servers): of two with its key
at the same time, one is a copy."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable

from lts.errors import PeerError
from lts.rules import pair as rules

log = logging.getLogger("lts.pair")
TWO_STARTS, IS_A_COPY = "peer-two-starts", "peer-copied"
"""Codes to a start that is not accepted yet, and to one that never is."""
COPY_SHOWN_SECONDS = 10.0
"""How long after its last call a copy is reported; it calls about every second."""
REFUSAL = (
    "Another server with this server's identity runs, and the other server of the pair is in contact with that one: the"
    " data folder of one of the two is a copy, or a backup, of the other's. Stop the one that should not continue, and"
    " begin there with an empty data folder or its own. This one serves nobody until the other server accepts it."
)


def first_number() -> int:
    """Of the first status of a new start of this server."""
    return rules.first_number(1 + secrets.randbelow(1 << 30))


class Starts:
    """Starts of the pinned server, by the numbers of their statuses; those of 0.1, which have none, cannot be
    distinguished. `elapsed` is a clock that never steps, `end_sessions` ends all sessions given so far."""

    def __init__(self, elapsed: Callable[[], float], end_sessions: Callable[[], None]) -> None:
        self._elapsed = elapsed
        self._end_sessions = end_sessions
        self._lock = threading.Lock()
        self._accepted = 0
        self._heard = 0.0
        self._others: dict[int, float] = {}
        """Starts that called while another was in contact: since when."""
        self._copies: set[int] = set()
        self._copy_heard: float | None = None
        self.tried = False
        """Whether the other server's URL was called, whatever the outcome."""

    def met(self, number: int) -> None:
        """The start with this number answered a hello at the configured URL: it is the other server. Other starts need
        a session issued later from now on, which proves that they run at the same time."""
        with self._lock:
            if rules.start_of(number) in (0, self._accepted):
                return
            self._accept(rules.start_of(number))
            self._end_sessions()

    def called(self) -> None:
        """See `tried`."""
        self.tried = True

    def answered(self, number: int, asked: float) -> None:
        """An answer arrived from the configured URL: any other start that called before runs at the same time."""
        with self._lock:
            self.tried = True
            if rules.start_of(number) != self._accepted or not self._accepted:
                return
            self._heard = self._elapsed()
            for start in [start for start, since in self._others.items() if since <= asked]:
                del self._others[start]
                self._copies.add(start)
                log.error("a second server with the other server's identity calls; it gets nothing")

    def admit(self, number: int) -> None:
        """Check that a start of the other server may be accepted. Raises PeerError if another is in contact."""
        start = rules.start_of(number)
        with self._lock:
            now = self._elapsed()
            if not start:
                return
            if start == self._accepted:
                self._heard = now
            elif start in self._copies:
                self._copy_heard = now
                raise PeerError(IS_A_COPY, REFUSAL, status=409)
            elif not self.tried:
                raise PeerError("peer-not-met", "This server has not called the other's URL yet.", status=403)
            elif self._accepted and now - self._heard < rules.CONTACT_SECONDS:
                self._others.setdefault(start, now)
                raise PeerError(TWO_STARTS, "An earlier start of this server called just now.", status=409)
            else:
                self._accept(start)

    @property
    def copy_calls(self) -> bool:
        """Whether a copy of the other server called lately."""
        heard = self._copy_heard
        return heard is not None and self._elapsed() - heard < COPY_SHOWN_SECONDS

    def _accept(self, start: int) -> None:
        self._accepted, self._heard = start, self._elapsed()
        self._others.clear()
        if start in self._copies:
            self._copies.discard(start)
            self._copy_heard = None

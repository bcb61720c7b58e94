"""Contact with the other server: its last status, how long it has been silent, and what is wrong with it."""

from __future__ import annotations

import contextlib
import logging

from lts.errors import CannotStore, PeerError
from lts.rules import pair as rules
from lts.service.pair.acknowledgments import Acknowledgments
from lts.service.pair.peer import SHARED_FAULTS, Peer
from lts.service.pair.peermessages import ServerState
from lts.service.pair.shared import Shared

log = logging.getLogger("lts.pair")


class Contact:
    """`peer` is what is known about the other server since this one started, or was promoted; `waiting` how many
    changes it cannot read before it is upgraded, as far as they were counted; `ahead` how many reports only the gap
    between the two clocks refused (142)."""

    def __init__(self, shared: Shared, acknowledgments: Acknowledgments) -> None:
        self._shared = shared
        self._acknowledgments = acknowledgments
        self.waiting = self.ahead = 0
        self.lost = False
        self.forget_peer()

    def forget_peer(self) -> None:
        """Nothing is known of the other server."""
        self.peer = Peer(self._shared.elapsed)

    def heard(self, state: ServerState) -> bool:
        """See Peer.heard."""
        with self._shared.changing:
            if not self.peer.heard(state):
                return False
        self._compare_clocks(state)
        return True

    def _compare_clocks(self, state: ServerState) -> None:
        """A time that this clock jumped ahead to is trusted once the other one confirms it."""
        clock = self._shared.ctx.clock
        self.peer.compare_clock(state.now - clock.wall())
        self.ahead = self.ahead if self.clock_gap else 0
        if clock.state.pending is not None and abs(self.peer.clock_offset) < rules.CLOCK_SLACK_SECONDS:
            clock.adopt(clock.accepted())
            with contextlib.suppress(CannotStore):  # nobody depends on it; the next check of the clock stores it
                self._shared.ctx.store.keep_clock(lambda: clock.kept)

    @property
    def clock_gap(self) -> int:
        """By how many seconds the other clock is ahead of this one (behind: below 0), 0 if too little to report."""
        gap = self.peer.clock_offset
        return gap if self.peer.met and abs(gap) > rules.CLOCK_GAP_SECONDS else 0

    def count_ahead(self) -> None:
        """See lts.service.core.partner.Partner.count_ahead."""
        self.ahead += 1

    def note_waiting(self, changes: int) -> None:
        """It cannot read so many of the changes that it asked for."""
        self.waiting = changes

    def look(self, now: float) -> None:
        """Note for the audit log that the other server was lost or found; `now` in elapsed seconds."""
        shared = self._shared
        if self.lost != (now - self.peer.heard_at >= shared.limit):
            self.lost = not self.lost
            shared.note("pair-lost" if self.lost else "pair-found", {"url": shared.url})

    def fault(self, code: str, detail: str) -> PeerError:
        """Remember a fault of the pair, to be shown until it is fixed; returned to be raised."""
        if self.peer.fail(code, detail):
            log.error("%s: %s", code, detail)
        if code in SHARED_FAULTS:
            self._acknowledgments.fall_out()
        return PeerError(code, detail)

    @property
    def stopped(self) -> bool:
        """Whether the pair waits for an administrator."""
        return self._shared.pinned.now.retired or any(code in self.peer.faults for code in SHARED_FAULTS)

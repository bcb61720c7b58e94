"""Which of the two serves: beginning to, and stopping (docs/design/pair.md, Invariants)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lts.errors import PeerError
from lts.rules import pair as rules
from lts.rules.pair import REFUSING, SERVING, STANDBY, STARTING, PairView
from lts.service.pair.peer import RETIRED
from lts.service.pair.peermessages import Self
from lts.store.tables import pair

if TYPE_CHECKING:
    from lts.service.pair.node import Node

log = logging.getLogger("lts.pair")


class Leadership:
    """Changes `status` of lts.service.core.running, under the lock `changing` of the node. `waits`: the old main is
    told that this server was promoted, which begins to serve after that."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.waits = False

    def serve(self, reason: str, word: int = 0) -> None:
        """Begin to serve clients: a new epoch, stored before the first answer. `word` numbers the other one's status
        that lets this server begin; it must be newer than this server's request to it."""
        node = self._node
        with node.changing:
            if node.peer.is_copied or not self._may_begin(word):
                return
            node.feed.settle()
            node.ctx.store.write(lambda tx: node.feed.begin_epoch(tx, reason))
            node.hand_over.take_back(node.elapsed())
            self.begin(reason)

    def resume(self, word: int = 0) -> None:
        """Keep serving: the other server did not begin to."""
        with self._node.changing:
            if self._may_begin(word):
                self.begin("the other server does not")

    def _may_begin(self, word: int) -> bool:
        """Whether this server may serve from now on because of that status of the other one (0 = none)."""
        hand_over = self._node.hand_over
        held = self._node.pinned.now.retired or self.waits or hand_over.leaving or (word and word == hand_over.pending)
        return not self._node.ctx.running.serves and not held

    def wait(self) -> None:
        """Begin nothing until `promoted`: the old main is being told."""
        self.waits = True

    def promoted(self) -> None:
        """Serve in the old main's place, which was told or cannot be."""
        with self._node.changing:
            self.waits = False
            if not self._node.ctx.running.serves:
                self.begin("promoted")

    def begin(self, reason: str) -> None:
        """Serve, in memory: the epoch is written."""
        node = self._node
        node.hand_over.end()
        node.ctx.running.become(SERVING)
        node.peer.progressed()
        log.warning("serving clients from now on: %s", reason)

    def served_last(self) -> bool:
        """Whether the newest epoch is this server's own."""
        epochs, origin = self._node.ctx.store.epochs, self._node.ctx.store.origin
        return origin in epochs and epochs[origin].number > pair.highest_epoch(epochs, beside=origin)

    def give_way(self, why: str) -> None:
        """Stop serving; what was taken before is stored when this returns."""
        with self._node.changing:
            if not self._node.ctx.running.serves:
                return
            self.hold_back(why)
            self._node.ctx.store.wait_until_stored()

    def hold_back(self, why: str) -> None:
        """Stop serving, in memory only: requests in progress may still be stored, and are answered with 100."""
        self.hold()
        log.warning("no longer serving clients: %s", why)

    def hold(self) -> None:
        """Serve nobody, in memory."""
        self._node.ctx.running.become(REFUSING if self._node.role == STANDBY else STARTING)

    def retire(self, by: Self | None = None) -> PeerError:
        """The other server was promoted: this one no longer serves, stored or not; each beat tries to store it. The
        fault is returned, to be raised. `by` is who says so."""
        node = self._node
        with node.changing:
            if node.ctx.running.serves:
                self.hold_back("the other server was promoted")  # first what no full disk can keep from happening
            node.pinned.retire(**by.heir if by is not None else {})
            node.peer.mend(*(set(node.peer.faults) - {"peer-promoted"}))  # it follows nobody from now on
        return node.contact.fault("peer-promoted", RETIRED)

    def look(self, now: float) -> None:
        """Serve without the other server if it has been gone long enough; `now` in elapsed seconds."""
        node, peer = self._node, self._node.peer
        if node.pinned.now.retired and not node.pinned.has_retired:
            self.retire()
        if node.ctx.store.writer.faulty:
            peer.was_followed()  # it could not have served alone; once it can, the other one may be there again
        with node.changing:
            view = PairView(
                node.role,
                node.ctx.running.status,
                node.pinned.now.joined,
                node.contact.stopped,
                peer.serves,
                now - peer.followed,
                now - peer.word,
                now - peer.alive,
            )
            reason = rules.serve_alone(view, node.limit)
            if reason is not None:
                self.serve(reason)

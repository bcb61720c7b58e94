"""Which of the two serves: beginning to, and stopping (docs/design/pair.md, Invariants)."""

from __future__ import annotations

import logging

from lts.errors import PeerError
from lts.rules import pair as rules
from lts.rules.pair import REFUSING, REPLACED, SERVING, STANDBY, STARTING, PairView
from lts.service.pair.contact import Contact
from lts.service.pair.membership import Membership
from lts.service.pair.ownfeed import OwnFeed
from lts.service.pair.peer import RETIRED, HandOverState
from lts.service.pair.peermessages import Introduction, ServerState
from lts.service.pair.shared import Shared
from lts.store.tables import pair

log = logging.getLogger("lts.pair")


class Leadership:
    """Changes `status` of lts.service.core.running, under the lock `changing`. `waits`: the old
    main is being informed that this server was promoted, which begins to serve after that."""

    def __init__(
        self, shared: Shared, membership: Membership, contact: Contact, feed: OwnFeed, hand_over: HandOverState
    ) -> None:
        self._shared = shared
        self._membership = membership
        self._contact = contact
        self._feed = feed
        self._hand_over = hand_over
        self.waits = False

    def serve(self, reason: str, number: int = 0) -> None:
        """Begin to serve clients: a new epoch, stored before the first answer. `number` is that of the other one's
        status that lets this server begin; it must be newer than this server's request to it."""
        shared = self._shared
        with shared.changing:
            if self._contact.peer.is_copied or not self._may_begin(number):
                return
            self._feed.settle()
            shared.ctx.store.write(lambda tx: self._feed.begin_epoch(tx, reason))
            self._hand_over.take_back(shared.elapsed())
            self.begin(reason)

    def heard(self, state: ServerState) -> None:
        """The other server sent its status (Contact.heard). Where both serve, this one may give way."""
        if not self._contact.heard(state):
            return
        with self._shared.changing:
            if rules.gives_way(self._membership.role, self._shared.ctx.running.status, state.status):
                self.give_way("both served")

    def resume(self, number: int = 0) -> None:
        """Keep serving: the other server did not begin to."""
        with self._shared.changing:
            if self._may_begin(number):
                self.begin("the other server does not")

    def _may_begin(self, number: int) -> bool:
        """Whether this server may serve from now on because of the other one's status of that number (0 = none)."""
        hand_over, retired = self._hand_over, self._shared.pinned.now.retired
        held = retired or self.waits or hand_over.leaving or (number and number == hand_over.pending)
        return not self._shared.ctx.running.serves and not held

    def wait(self) -> None:
        """Begin nothing until `promoted`: the old main is being informed."""
        self.waits = True

    def promoted(self) -> None:
        """Serve in the old main's place, which was informed or cannot be."""
        with self._shared.changing:
            self.waits = False
            if not self._shared.ctx.running.serves:
                self.begin("promoted")

    def begin(self, reason: str) -> None:
        """Serve, in memory: the epoch is written."""
        self._hand_over.end()
        self._shared.ctx.running.become(SERVING)
        self._contact.peer.progressed()
        log.warning("serving clients from now on: %s", reason)

    def served_last(self) -> bool:
        """Whether the newest epoch is this server's own."""
        epochs, origin = self._shared.ctx.store.epochs, self._shared.ctx.store.origin
        return origin in epochs and epochs[origin].number > pair.highest_epoch(epochs, beside=origin)

    def give_way(self, why: str) -> None:
        """Stop serving; what was taken before is stored when this returns."""
        with self._shared.changing:
            if not self._shared.ctx.running.serves:
                return
            self.hold_back(why)
            self._shared.ctx.store.wait_until_stored()

    def hold_back(self, why: str) -> None:
        """Stop serving, in memory only: requests in progress may still be stored, and are answered with 100."""
        self.hold()
        log.warning("no longer serving clients: %s", why)

    def hold(self) -> None:
        """Serve nobody, in memory."""
        holds = REFUSING if self._membership.role == STANDBY else STARTING
        self._shared.ctx.running.become(REPLACED if self._shared.pinned.now.retired else holds)

    def retire(self, by: Introduction | None = None) -> PeerError:
        """The other server was promoted: this one no longer serves, stored or not; each beat tries to store it. The
        fault is returned, to be raised. `by` is who says so."""
        shared, contact = self._shared, self._contact
        with shared.changing:
            if shared.ctx.running.serves:
                self.hold_back("the other server was promoted")  # first what no full disk can keep from happening
            shared.pinned.retire(**by.heir if by is not None else {})
            self.hold()
            contact.peer.mend(*(set(contact.peer.faults) - {"peer-promoted"}))  # it follows nobody from now on
        return contact.fault("peer-promoted", RETIRED)

    def look(self, now: float) -> None:
        """Serve without the other server if it has been gone long enough; `now` in elapsed seconds."""
        shared, peer = self._shared, self._contact.peer
        if shared.pinned.now.retired and not shared.pinned.has_retired:
            self.retire()
        if shared.ctx.store.writer.faulty:
            peer.was_followed()  # it could not have served alone; once it can, the other one may be there again
        with shared.changing:
            view = PairView(
                self._membership.role,
                shared.ctx.running.status,
                shared.pinned.now.joined,
                self._contact.stopped,
                peer.serves,
                now - peer.followed,
                now - peer.heard_at,
                now - peer.alive,
            )
            reason = rules.serve_alone(view, shared.limit)
            if reason is not None:
                self.serve(reason)

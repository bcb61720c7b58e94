"""Writing this server's own feed, in a pair: nothing is written before it is known how much of it the other server
has."""

from __future__ import annotations

from lts.rules.pair import MAIN
from lts.service.core import identity
from lts.service.core.feeds import begin_feed
from lts.service.pair.contact import Contact
from lts.service.pair.membership import Membership
from lts.service.pair.shared import Shared
from lts.store.changes import feed, records
from lts.store.tables import pair
from lts.store.writing.openfeed import Position
from lts.store.writing.transaction import Transaction


class OwnFeed:
    """`settled` once this server may write; `merged_changes` are those taken from the other one since this one
    serves."""

    def __init__(self, shared: Shared, membership: Membership, contact: Contact) -> None:
        self._shared = shared
        self._membership = membership
        self._contact = contact
        self.settled = False
        self.merged_changes = 0

    def settle(self) -> None:
        """Continue this server's feed, or begin a new one if the other server knows, or may know, more of it than this
        database does: an old copy may have been put back. Nothing is written before."""
        ctx = self._shared.ctx
        with self._shared.changing:
            if self.settled:
                return
            peer = self._contact.peer
            if peer.state is None or any(self.is_beyond(position) for position in peer.state.have):
                identity.renew_incarnation(ctx.store.path.parent)
                ctx.running.take_identity(identity.load(ctx.store.path.parent))
            begin_feed(ctx)
            self.settled = True
        ctx.write_kept_events()

    def is_beyond(self, position: Position) -> bool:
        """Whether the other server has part of this server's feed that this database does not have."""
        me, store = self._shared.ctx.identity, self._shared.ctx.store
        uuid, incarnation, serial, digest = position
        if (uuid, incarnation) != (me.uuid, me.incarnation):
            return False
        if serial > store.serial:
            return True
        with store.reader() as db:
            here = feed.hash_at(db, store.origin, serial)
        return here is not None and here != digest

    def merged(self, changes: int) -> None:
        """So many more came in from the other server."""
        self.merged_changes += changes

    def note_merged(self) -> None:
        """Everything that the other server stored while this one served has been taken."""
        changes, self.merged_changes = self.merged_changes, 0
        if changes:
            self._shared.note("pair-merged", {"changes": changes})

    def begin_epoch(self, tx: Transaction, reason: str, *, promoted: bool = False) -> None:
        """This server serves from now on, with everything it has. One that was promoted wins over a main that it
        replaced and that began as many epochs by itself: its generation is above."""
        ctx, number = self._shared.ctx, pair.highest_epoch(tx.epochs) + 1
        above = promoted or self._shared.pinned.now.replaced is not None
        generation = pair.highest_generation(tx.epochs) + promoted if above else 0
        key = ctx.identity.key.public.x
        is_main = promoted or self._membership.role == MAIN
        tx.emit(records.EpochChange(number, is_main, reason, key, pair.knowledge(tx), generation), ctx.clock.now())

"""Writing this server's own feed, in a pair: nothing is written before it is known how much of it the other server
has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lts.rules.pair import MAIN
from lts.service.core import identity
from lts.service.core.feeds import begin_feed
from lts.store.changes import feed, records
from lts.store.tables import pair
from lts.store.writing.openfeed import Position
from lts.store.writing.transaction import Transaction

if TYPE_CHECKING:
    from lts.service.pair.node import Node


class OwnFeed:
    """`settled` once this server may write; `merged_changes` are those taken from the other one since this one
    serves."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.settled = False
        self.merged_changes = 0

    def settle(self) -> None:
        """Continue this server's feed, or begin a new one if the other server knows, or may know, more of it than this
        database does: an old copy may have been put back. Nothing is written before."""
        node, ctx = self._node, self._node.ctx
        with node.changing:
            if self.settled:
                return
            if node.peer.state is None or any(self.is_beyond(position) for position in node.peer.state.have):
                identity.renew_incarnation(ctx.store.path.parent)
                ctx.running.take_identity(identity.load(ctx.store.path.parent))
            begin_feed(ctx)
            self.settled = True
        ctx.write_kept_events()

    def is_beyond(self, position: Position) -> bool:
        """Whether the other server has part of this server's feed that this database does not have."""
        me, store = self._node.ctx.identity, self._node.ctx.store
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
            self.note("pair-merged", {"changes": changes})

    def note(self, name: str, detail: dict[str, Any]) -> None:
        """For the audit log, by the server that serves."""
        if self._node.ctx.running.serves:
            self._node.ctx.note_event(name, detail)

    def begin_epoch(self, tx: Transaction, reason: str, *, promoted: bool = False) -> None:
        """This server serves from now on, with everything it has. One that was promoted wins over a main that it
        replaced and that began as many epochs by itself: its generation is above."""
        ctx, number = self._node.ctx, pair.highest_epoch(tx.epochs) + 1
        above = promoted or self._node.pinned.now.replaced is not None
        generation = pair.highest_generation(tx.epochs) + promoted if above else 0
        key = ctx.identity.key.public.x
        is_main = promoted or self._node.role == MAIN
        tx.emit(records.EpochChange(number, is_main, reason, key, pair.knowledge(tx), generation), ctx.clock.now())

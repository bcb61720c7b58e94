"""This server's statuses for the other one, numbered in the order of what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lts.service.pair.peermessages import ServerState
from lts.service.pair.starts import first_number
from lts.store.history import exchange

if TYPE_CHECKING:
    from lts.service.pair.node import Node


class Statements:
    """`start` is the first number of this start of the server, `told` the number of the last answer to a request of the
    other one."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._word = self.start = first_number()
        self.told = 0
        self._family, self._bare = "", True

    def state(self) -> ServerState:
        """This server's status now."""
        node, store = self._node, self._node.ctx.store
        if self._bare:
            with store.reader() as db:
                self._family, self._bare = exchange.family(db), exchange.bare(db)
        with node.changing:
            self._word += 1
            word, status = self._word, node.ctx.running.status
        return ServerState(
            word=word,
            status=status,
            now=node.ctx.clock.wall(),
            writes=node.ctx.identity.incarnation if node.settled else "",
            family=self._family,
            bare=self._bare,
            limit=node.limit,
            ahead=node.contact.ahead,
            retired=node.pinned.has_retired,
            have=store.positions(),
        )

    def answer(self) -> ServerState:
        """The status as the answer to a request: requests that the other sent before receiving it are no longer carried
        out."""
        with self._node.changing:
            state = self.state()
            self.told = state.word
        return state

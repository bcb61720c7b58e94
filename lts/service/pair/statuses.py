"""This server's statuses for the other one, numbered in the order of what it does."""

from __future__ import annotations

from lts.rules import pair as rules
from lts.service.pair.contact import Contact
from lts.service.pair.ownfeed import OwnFeed
from lts.service.pair.peermessages import ServerState
from lts.service.pair.shared import Shared
from lts.store.history import exchange


class Statuses:
    """`last_answer` is the number of the last answer to a request of the other one."""

    def __init__(self, shared: Shared, contact: Contact, feed: OwnFeed) -> None:
        self._shared = shared
        self._contact = contact
        self._feed = feed
        self._number = shared.first_number
        self.last_answer = 0
        self._family, self._bare = "", True

    def state(self) -> ServerState:
        """This server's status now."""
        shared, store = self._shared, self._shared.ctx.store
        if self._bare:
            with store.reader() as db:
                self._family, self._bare = exchange.family(db), exchange.bare(db)
        with shared.changing:
            self._number += 1
            number, status = self._number, rules.told(shared.ctx.running.status)
        return ServerState(
            number=number,
            status=status,
            now=shared.ctx.clock.wall(),
            writes=shared.ctx.identity.incarnation if self._feed.settled else "",
            family=self._family,
            bare=self._bare,
            limit=shared.limit,
            ahead=self._contact.ahead,
            retired=shared.pinned.has_retired,
            have=store.positions(),
        )

    def answer(self) -> ServerState:
        """The status as the answer to a request: requests that the other sent before receiving it are no longer carried
        out."""
        with self._shared.changing:
            state = self.state()
            self.last_answer = state.number
        return state

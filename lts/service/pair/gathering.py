"""A promoted server takes from the old main what only that one has (docs/design/pair.md, Taking over), as after any
cut; nothing else is exchanged with it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from lts.errors import PeerError
from lts.rules.pair import SERVING
from lts.service.pair import peermessages
from lts.service.pair.contact import Contact
from lts.service.pair.membership import Membership
from lts.service.pair.ownfeed import OwnFeed
from lts.service.pair.peerclient import PeerClient, Send
from lts.service.pair.peermessages import Introduction, News, Poll
from lts.service.pair.shared import Shared
from lts.service.pair.statuses import Statuses

log = logging.getLogger("lts.pair")
LIMIT = 200
"""Changes taken in one commit, while clients are served."""
TIMEOUT_SECONDS = 4.0


class Gathering:
    """`step` takes some; `store` writes them, and raises PeerError where they cannot be taken."""

    def __init__(
        self,
        shared: Shared,
        membership: Membership,
        contact: Contact,
        feed: OwnFeed,
        statuses: Statuses,
        send: Send,
        store: Callable[[News], None],
    ) -> None:
        self._shared = shared
        self._contact = contact
        self._feed = feed
        self._statuses = statuses
        self._store = store
        self._logged = ""
        self._line = PeerClient(send, shared.ctx.identity.key, membership.me, self._check)

    def step(self) -> bool:
        """Whether to ask again at once. Never raises what the old main can cause; it must have stored that it retired
        before it has given all. From then on it can gain nothing, so that stays."""
        if not self._shared.ctx.running.serves:
            return False
        try:
            state = self._statuses.state()
            news = self._line.call(
                peermessages.CHANGES, Poll(state=state, wait=0.0, limit=LIMIT), News, TIMEOUT_SECONDS
            )
            if news.state.family != state.family:
                return False
            if news.changes:
                self._store(news)
        except PeerError as error:
            if error.detail != self._logged:
                log.info("the old main sends nothing: %s", error.detail)
            self._logged = error.detail
            return False
        self._logged = ""
        if news.complete:
            self._feed.note_merged()
        self._contact.peer.gave(everything=news.complete and news.state.status != SERVING and news.state.retired)
        return bool(news.changes)

    def _check(self, who: Introduction) -> None:
        if not self._shared.pinned.now.came_after(who.key):
            raise PeerError("peer-replaced", "It is not the old main.")

"""What administrators decide about a pair: which key is the other server's, and that the standby becomes the main
permanently."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from lts.errors import AdminError, PeerError
from lts.rules.pair import IS_MAIN, MAIN, SERVING, WAS_REPLACED
from lts.service.pair import delegated, meeting
from lts.service.pair.acknowledgments import Acknowledgments
from lts.service.pair.contact import Contact
from lts.service.pair.leadership import Leadership
from lts.service.pair.membership import Membership
from lts.service.pair.ownfeed import OwnFeed
from lts.service.pair.peerclient import PeerClient, Send
from lts.service.pair.peermessages import Introduction
from lts.service.pair.shared import Shared
from lts.store.changes.records import LicenseChange
from lts.store.tables import licenses
from lts.store.writing.transaction import Transaction

log = logging.getLogger("lts.pair")
INFORM_SECONDS = 1.0
"""How long this server waits for the old main to learn that it was replaced, before it serves."""


@dataclass
class Informing:
    """Says over `send` that this server was promoted."""

    _shared: Shared
    _membership: Membership
    send: Send

    def inform(self) -> None:
        """Say hello to the old main, which stops serving before it answers. One that cannot be reached, or is not let
        through, may serve and call: it hears it then, and has INFORM_SECONDS for that. A server that serves already
        does not wait."""
        heard = threading.Event()

        def check(who: Introduction) -> None:
            if who.key == self._shared.pinned.now.replaced and who.status == SERVING:
                log.warning("the old main was told that it was replaced, and serves")

        def say() -> None:
            try:
                PeerClient(self.send, self._shared.ctx.identity.key, self._membership.me, check).say_hello(
                    INFORM_SECONDS
                )
                heard.set()
            except PeerError as error:
                log.warning("the old main was not told that it was replaced: %s", error.detail)

        threading.Thread(target=say, name="lts-inform", daemon=True).start()  # a resolver may take longer
        heard.wait(0.0 if self._shared.ctx.running.status == SERVING else INFORM_SECONDS)


@dataclass
class Promotion:
    """See the module."""

    _shared: Shared
    _membership: Membership
    _acknowledgments: Acknowledgments
    _contact: Contact
    _feed: OwnFeed
    _leadership: Leadership
    _informing: Informing

    def approve(self, given: str) -> None:
        """Pin the key that was found in place of the known one; `given` is its fingerprint. Raises AdminError."""
        with self._shared.changing:
            self._shared.pinned.change(key=meeting.offered_as(self._shared, given), uuid=None, offered=None)
            self._contact.peer.mend("peer-key-changed", "peer-new-standby")
        self._membership.learn_keys()

    def promote(self) -> None:
        """Make this standby the main for good. Raises AdminError, CannotStore, OSError; it then stays the standby."""
        shared = self._shared
        with shared.changing:
            if shared.pinned.now.retired:
                raise AdminError("was-replaced", WAS_REPLACED)
            if self._membership.role == MAIN:
                raise AdminError("is-main", IS_MAIN)
            if not shared.pinned.now.joined:
                words = "This standby never had everything that the main has; it cannot take its place."
                raise AdminError("not-joined", words)
            shared.pinned.keep()  # before the feed says that it is the main, which the other one copies
            self._feed.settle()
            shared.ctx.store.write(self._begin)
            meeting.replace_main(shared.pinned, shared.url)  # what cannot be undone is the last that may fail
            self._contact.forget_peer()
            self._acknowledgments.fall_out()
            self._leadership.wait()
        try:
            self._informing.inform()  # the lock is free meanwhile: what the old main asks is answered
        finally:
            self._leadership.promoted()
        delegated.stands_alone(shared.ctx)

    def _begin(self, tx: Transaction) -> None:
        """The epoch of the promotion, in which the license files count that are bound to this server: the old main may
        have imported others of their revisions meanwhile (docs/design/pair.md, Both serving)."""
        self._feed.begin_epoch(tx, "promoted", promoted=True)
        ctx = self._shared.ctx
        me, now = ctx.identity.uuid, ctx.clock.now()
        for one in list(licenses.newest(tx.db)):
            file = ctx.files.content(one.jws)
            if any(server.uuid == me for server in file.servers):
                items = tuple((item.item_id, one.items[item.item_id]) for item in file.items)
                kept = LicenseChange("system", one.vendor, one.license_id, one.revision, one.digest, items, one.jws)
                tx.emit(kept, now)

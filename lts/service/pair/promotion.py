"""What administrators decide about a pair: which key is the other server's, and that the standby becomes the main
permanently."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from lts.errors import AdminError, PeerError
from lts.rules.pair import MAIN, SERVING
from lts.service.pair import meeting, standin
from lts.service.pair.peerclient import PeerClient, Send
from lts.service.pair.peermessages import Self
from lts.store.changes.records import LicenseChange
from lts.store.tables import licenses
from lts.store.writing.transaction import Transaction

if TYPE_CHECKING:
    from lts.service.pair.node import Node

log = logging.getLogger("lts.pair")
TELL_SECONDS = 1.0
"""How long this server waits for the old main to learn that it was replaced, before it serves."""


def approve(node: Node, given: str) -> None:
    """Pin the key that was found in place of the known one; `given` is its fingerprint. Raises AdminError."""
    with node.changing:
        node.pinned.change(key=meeting.offered_as(node, given), uuid=None, offered=None)
        node.peer.mend("peer-key-changed", "peer-new-standby")
    node.membership.learn_keys()


def promote(node: Node) -> None:
    """Make this standby the main permanently. Raises AdminError, CannotStore, OSError; it then stays the standby."""
    with node.changing:
        if node.role == MAIN:
            raise AdminError("is-main", "This server is the main already.")
        if not node.pinned.now.joined:
            words = "This standby never had everything that the main has; it cannot take its place."
            raise AdminError("not-joined", words)
        node.pinned.keep()  # before the feed says that it is the main, which the other one copies
        node.feed.settle()
        node.ctx.store.write(lambda tx: _begin(node, tx))
        meeting.replace_main(node.pinned, node.url)  # what cannot be undone is the last that may fail
        node.contact.begin_anew()
        node.acknowledgments.fall_out()
        node.leadership.wait()
    try:
        node.hand_over.tell()  # the lock is free meanwhile: what the old main asks is answered
    finally:
        node.leadership.promoted()
    standin.stands_alone(node.ctx)


def _begin(node: Node, tx: Transaction) -> None:
    """The epoch of the promotion, in which the license files count that are bound to this server: the old main may have
    imported others of their revisions meanwhile (docs/design/pair.md, Both serving)."""
    node.feed.begin_epoch(tx, "promoted", promoted=True)
    me, now = node.ctx.identity.uuid, node.ctx.clock.now()
    for one in list(licenses.newest(tx.db)):
        file = node.ctx.files.content(one.jws)
        if any(server.uuid == me for server in file.servers):
            items = tuple((item.item_id, one.items[item.item_id]) for item in file.items)
            kept = LicenseChange("system", one.vendor, one.license_id, one.revision, one.digest, items, one.jws)
            tx.emit(kept, now)


def tell(node: Node, send: Send) -> None:
    """Say hello to the old main, which stops serving before it answers. One that cannot be reached, or is not let
    through, may serve and call: it hears it then, and has TELL_SECONDS for that. A server that serves already does not
    wait."""
    told = threading.Event()

    def check(who: Self) -> None:
        if who.key == node.pinned.now.replaced and who.status == SERVING:
            log.warning("the old main was told that it was replaced, and serves")

    def say() -> None:
        try:
            PeerClient(send, node.ctx.identity.key, node.membership.me, check).say_hello(TELL_SECONDS)
            told.set()
        except PeerError as error:
            log.warning("the old main was not told that it was replaced: %s", error.detail)

    threading.Thread(target=say, name="lts-tell", daemon=True).start()  # a resolver may take longer
    told.wait(0.0 if node.ctx.running.status == SERVING else TELL_SECONDS)

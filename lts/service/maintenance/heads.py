"""The head of this server's own changes, signed (docs/design/architecture.md, The change feed)."""

from __future__ import annotations

from lts.protocol import DAY_SECONDS
from lts.service.core.context import Context
from lts.store.changes import feed
from lts.store.writing.transaction import Transaction


def sign_head(ctx: Context, now: int) -> None:
    """Sign the feed's head once a day, so that its tail cannot be cut off or rewritten unnoticed."""
    with ctx.store.reader() as db:
        own = [head for head in feed.heads(db) if head.origin == ctx.store.origin]
    # The last one by its place: one that was signed while the clock was ahead must not count for all days until then.
    if not own or now // DAY_SECONDS != max(own, key=lambda head: head.serial).time // DAY_SECONDS:
        ctx.store.write(lambda tx: _sign(tx, ctx, now))


def _sign(tx: Transaction, ctx: Context, now: int) -> None:
    me = ctx.identity
    signature = me.key.sign(feed.head_statement(me.uuid, me.incarnation, tx.feed.serial, tx.feed.head))
    tx.keep_head(signature, now)

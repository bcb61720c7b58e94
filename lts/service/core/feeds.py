"""Beginning this server's own feed: the first thing it writes, and what it then knows about itself."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from lts import __version__
from lts.service.core import identity
from lts.service.core.context import Context
from lts.store.changes.records import EventChange

log = logging.getLogger("lts.datafolder")


def begin_feed(ctx: Context, accepted: Iterable[EventChange] = ()) -> None:
    """Continue the feed of this server's incarnation, or begin it with its causes for the audit log, or with what was
    `accepted` if it has none."""
    me = ctx.identity
    causes = [*(EventChange(actor, action, detail) for action, detail, actor in me.causes), *accepted]
    ctx.store.begin_feed((me.uuid, me.incarnation), __version__, ctx.clock.now(), causes)
    if ctx.keep_mark():  # an identity whose feed has begun needs a mark next to it
        try:
            ctx.running.take_identity(identity.begun(ctx.store.path.parent, me))
        except OSError as error:
            log.warning("%s cannot be written: %s", error.filename, error.strerror)

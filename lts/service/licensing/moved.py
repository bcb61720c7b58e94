"""Whether licenses are still bound to a machine that the data folder came from (docs/design/machine.md, Machine
labels)."""

from __future__ import annotations

import contextlib

from lts.errors import LtsError
from lts.rules.alerting.notices import ERROR, Notice
from lts.service.core.context import Context
from lts.store.tables import licenses


def notice(ctx: Context) -> Notice | None:
    """Names the previous UUIDs that licenses are bound to; if no license is bound to any, the last one. None where
    nothing moved, or every license was activated anew."""
    me, waiting, renewed = ctx.identity, set[str](), False
    with ctx.store.reader() as db:
        for stored in licenses.newest(db):
            with contextlib.suppress(LtsError):  # lts verify names a file that cannot be read
                bound = {server.uuid for server in ctx.files.content(stored.jws).servers}
                renewed = renewed or me.uuid in bound
                waiting |= set() if me.uuid in bound else bound & set(me.previous)
    if not me.previous or (renewed and not waiting):
        return None
    old = " and ".join(uuid for uuid in me.previous if uuid in waiting) or me.previous[-1]
    sentence = (
        f"This data folder is from another machine: licenses bound to {old} authorize nobody here."
        f" Send the new UUID {me.uuid} to the vendor."
    )
    return Notice("moved", sentence, ERROR, {"old": old, "new": me.uuid})

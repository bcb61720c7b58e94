"""Which keys are this server's own, recorded in its identity (docs/design/machine.md, What a data folder says of
itself).

A new server, a first copy and a folder from before LTS 0.2 have no such record until their first start.
"""

from __future__ import annotations

import logging

from lts.errors import LtsError
from lts.service.alerting import alertsettings
from lts.service.core import identity
from lts.service.core.context import Context
from lts.store.changes import feed

log = logging.getLogger("lts.datafolder")


def state(ctx: Context) -> None:
    """Record what is not recorded yet, if nothing contradicts the keys that are there: the newest head of this server's
    feed is signed by the one, every stored secret is sealed by the other. Never raises."""
    me, folder = ctx.identity, ctx.store.path.parent
    if me.key_print and me.vault_print:
        return
    try:
        key = me.key_print or (me.key.public.kid if _has_signed(ctx) else "")
        alertsettings.mail_of(ctx)
        alertsettings.webhooks_of(ctx)  # the passwords of codes were read with the catalog
        ctx.running.take_identity(identity.with_prints(folder, me, key, me.vault_print or ctx.vault.fingerprint))
    except (LtsError, OSError) as error:
        log.warning("%s does not record yet which keys are this server's: %s", folder / identity.IDENTITY, error)


def _has_signed(ctx: Context) -> bool:
    """Whether the newest head of this server's feed is there and signed by its key. Raises TokenError."""
    me = ctx.identity
    with ctx.store.reader() as db:
        own = {key: name for key, *name in feed.origin_names(db) if name[0] == me.uuid}
        heads = [head for head in feed.heads(db) if head.origin in own]
    if not heads:
        return False
    newest = max(heads, key=lambda head: (head.origin, head.serial))
    uuid, incarnation = own[newest.origin]
    me.key.public.verify(newest.signature, feed.head_statement(uuid, incarnation, newest.serial, newest.hash))
    return True

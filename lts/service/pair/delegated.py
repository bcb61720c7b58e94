"""A server that authorizes by a main's delegation (docs/design/pair.md, Certificates): whether a license needs it, the
notice of how long it lasts, and the catalog, made anew when it begins or ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from lts.errors import CannotStore
from lts.rules.alerting.attention import delegation_notice
from lts.rules.alerting.notices import Notice
from lts.rules.licensing.catalog import ARCHIVED
from lts.rules.licensing.licensefile import License
from lts.rules.metering.terms import item_end
from lts.service.core.context import Context
from lts.service.core.pinned import Delegation
from lts.store.tables import licenses


def notices(ctx: Context, *, for_good: bool) -> list[Notice]:
    """How long that lasts, while the main's delegation is valid and some license needs it; `for_good` when the main
    that gave it will not come back."""
    held = ctx.delegation()
    if held is None or not is_needed(ctx, held):
        return []
    return [delegation_notice(held.until, ctx.clock.item_time(ctx.clock.now()), for_good=for_good)]


def look(ctx: Context) -> None:
    """Authorize by the main's delegation from its arrival until it ends."""
    if (ctx.delegation() is not None) != ctx.store.catalog.stands_in:
        ctx.store.refresh_catalog()


def stands_alone(ctx: Context) -> None:
    """This server was promoted: notices about licenses name it from now on. If nothing can be stored, the next change
    of a license does it."""
    with contextlib.suppress(CannotStore):
        ctx.store.refresh_catalog()


def is_needed(ctx: Context, held: Delegation) -> bool:
    """Whether a license that still can authorize is bound to that main and not to this server."""
    return any(held.main_uuid in bound and ctx.identity.uuid not in bound for bound in _bound(ctx))


def is_left_to(ctx: Context, former: str, main: str) -> bool:
    """Whether the main authorizes nobody, and its standby does by the delegation of a `former` one: licenses are bound
    to that LTS UUID, and none to the main's."""
    every = list(_bound(ctx)) if former != main else []
    return any(former in bound for bound in every) and not any(main in bound for bound in every)


def _bound(ctx: Context) -> Iterator[set[str]]:
    """The LTS UUIDs to which each license is bound that still can authorize."""
    now, items = ctx.clock.now(), ctx.store.catalog.items
    with ctx.store.reader() as db:
        for stored in licenses.newest(db):
            file = ctx.files.content(stored.jws)
            archived = any(items[key].state == ARCHIVED for key in stored.items.values() if key in items)
            if not archived and _goes_on(file, now):
                yield {server.uuid for server in file.servers}


def _goes_on(file: License, now: int) -> bool:
    return any(item_end(item, now) > now for item in file.items if item.item_id not in file.revokes)

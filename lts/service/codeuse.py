"""Who draws on a handshake code now: what is told before it is removed."""

from __future__ import annotations

from typing import Any

from lts.protocol import DAY_SECONDS
from lts.service import handshakes
from lts.service.context import Context
from lts.store import seats, usage

DAYS = 30


def code_use(ctx: Context, name: str, now: int) -> dict[str, Any]:
    """Of a code: `seats`, devices that hold a live seat or concurrent lease by it, and `reported`, devices that
    reported by it on the last `days` days (UTC). Raises AdminError."""
    code = handshakes.find(ctx.store.catalog, name)
    with ctx.store.reader() as db:
        return {
            "name": code.name,
            "seats": len(seats.holders_by_code(db, code.key, now)),
            "reported": len(usage.devices_by_code(db, code.key, now // DAY_SECONDS - DAYS + 1)),
            "days": DAYS,
        }

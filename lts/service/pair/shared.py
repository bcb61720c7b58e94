"""What every part of a pair works with: the open server, what is remembered of the other one, settings, one lock."""

from __future__ import annotations

import threading
from typing import Any

from lts.service.core.context import Context
from lts.service.core.pinned import PinnedFile
from lts.service.pair.starts import first_number


class Shared:
    """`url` is the other server's, `limit` after how many seconds without it this one serves, `elapsed` a clock that
    never steps; `first_number` is the one before that of this server's first status. `changing` is held while who
    serves changes, or what is known about the other server."""

    def __init__(self, ctx: Context, pinned: PinnedFile) -> None:
        self.ctx = ctx
        self.pinned = pinned
        self.elapsed = ctx.clock.elapsed
        self.url = next(url for url in ctx.config.servers if url != "self")
        self.limit = float(ctx.config.take_over_after_seconds)
        self.first_number = first_number()
        self.changing = threading.RLock()

    def note(self, name: str, detail: dict[str, Any]) -> None:
        """For the audit log, by the server that serves."""
        if self.ctx.running.serves:
            self.ctx.note_event(name, detail)

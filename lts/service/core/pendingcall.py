"""A call in two phases: it begins, passing its store operation to the writer, and finishes, waiting for that.
So one commit serves a whole group of calls (docs/design/architecture.md, Two doors).

One type takes it from the operation (lts.service.metering) through the handler (lts.web.client) to the dispatcher and
the channel (lts.httpd).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from lts.store.writer import PendingWrite

T = TypeVar("T")


class PendingCall(msgspec.Struct, Generic[T]):
    """A call that has begun; each layer makes one of that of the layer below, with a `finish` of its own. `finish`,
    called once, waits until what the call asked for is durable and gives its outcome, for long if it `takes_long`;
    it raises what the call is refused with. `write` is the first thing that was asked of the writer, None where the
    call failed before."""

    write: PendingWrite[Any] | None
    finish: Callable[[], T]
    takes_long: bool = False

    def settle(self) -> None:
        """Wait until what was first asked of the writer is durable here, or has failed."""
        if self.write is not None:
            self.write.settle()

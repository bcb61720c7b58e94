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
    """A call that has begun; each layer wraps that of the layer below, with its own `finish`. `finish`, called once,
    waits until the changes of the call are durable and returns its outcome, or raises the call's refusal. `takes_long`
    says that this would delay the calls that wait behind it. `write` is the first operation submitted to the writer,
    None if the call failed before."""

    write: PendingWrite[Any] | None
    finish: Callable[[], T]
    takes_long: bool = False

    def settle(self) -> None:
        """Wait until the first operation is durable here, or has failed."""
        if self.write is not None:
            self.write.settle()

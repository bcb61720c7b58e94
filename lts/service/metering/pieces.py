"""A report that would delay the writer, in pieces (docs/design/charging.md, Large reports)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, Generic, TypeVar

from lts.protocol import Lease
from lts.rules.metering import workload
from lts.rules.metering.usage import Entry, Result
from lts.service.core.context import Context
from lts.service.metering.authorize import token_of, token_step
from lts.service.metering.counting import Counted, Reporter, note_folded, record, results_of
from lts.service.metering.renewal import code_and_items
from lts.store.tables import devices
from lts.store.writer import GROUP_WEIGHT, PendingWrite
from lts.store.writing.transaction import Transaction

T = TypeVar("T", bound=Counted)
SubmitLast = Callable[[list[Entry]], tuple[PendingWrite[T], Callable[[PendingWrite[T]], T]]]
"""Hands the last piece to the writer; what waits, and what waits for it."""


class InPieces(Generic[T]):
    """Good entries of a report: its pieces are written one after another, with other operations between them."""

    def __init__(
        self,
        ctx: Context,
        lease: Lease,
        clone_token: str | None,
        good: list[Entry],
        now: int,
        submit_last: SubmitLast[T],
    ) -> None:
        self._ctx, self._lease, self._clone_token, self._now = ctx, lease, clone_token, now
        self._submit_last = submit_last
        self._places = workload.cut(good, len(lease.items))
        *self._early, self._last = [[good[place] for place in piece] for piece in self._places]
        self.waiting: PendingWrite[Any] = self._submit(0)

    def _submit(self, n: int) -> PendingWrite[Any]:
        if n == len(self._early):
            last, self._result = self._submit_last(self._last)
            return last
        piece = self._early[n]
        return self._ctx.store.submit(
            lambda tx: _count_piece(tx, self._ctx, self._lease, self._clone_token, piece, self._now), GROUP_WEIGHT
        )

    def result(self) -> tuple[T, Iterator[Result]]:
        """Wait for the pieces; what came of the last one, and the results of all entries."""
        results: list[Result] = []
        waiting = self.waiting
        for n, piece in enumerate(self._early, 1):
            outcome: Counted = waiting.result()
            results += results_of(outcome, piece, [None] * len(piece))
            waiting = self._submit(n)
        recorded = self._result(waiting)
        results += results_of(recorded, self._last, [None] * len(self._last))
        of_place = dict(zip(chain.from_iterable(self._places), results, strict=True))
        return recorded, (of_place[n] for n in range(len(results)))


def _count_piece(
    tx: Transaction, ctx: Context, lease: Lease, clone_token: str | None, entries: list[Entry], now: int
) -> Counted:
    """Count a piece of a report before the last; the clone tokens of its device stay as they were."""
    ctx.running.check_serving()
    code, held = code_and_items(tx, lease)
    uuid = lease.device_bytes
    device = devices.find(tx.db, uuid)
    step = token_step(device, token_of(ctx, uuid, clone_token), now)
    reporter = Reporter(lease, uuid, held, code.key, device.key if device else None)
    counted = record(tx, ctx, reporter, entries, step, devices.UNMOVED, (), now)
    note_folded(tx, ctx, lease, counted.counting, now)
    return counted

"""Recording a report: counts first, then renewal where an authorization would grant the same now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from operator import attrgetter

from msgspec import Struct

from lts.errors import Malformed, RefusalCode
from lts.protocol import Durable, FeedPlace, Lease, Receipt, short_results
from lts.rules.alerting.notices import ERROR, Notice
from lts.rules.clock import Moment
from lts.rules.licensing.catalog import Code, CodeItem, LicenseItem
from lts.rules.metering import checks, usage, workload
from lts.rules.metering.authorize import Grant
from lts.rules.metering.checks import ItemUse
from lts.rules.metering.usage import BadEntry, Entry, Result, Span
from lts.service.core.context import Context
from lts.service.core.pendingcall import PendingCall
from lts.service.metering import goneon
from lts.service.metering.authorize import (
    Promise,
    make_lease,
    next_token,
    place_of,
    renew_after,
    seat_records,
    token_of,
    token_step,
)
from lts.service.metering.counting import Counted, Reporter, note_folded, record, results_of
from lts.service.metering.pieces import InPieces
from lts.service.metering.renewal import code_and_items, may_renew, renewal
from lts.store.changes import feed, records
from lts.store.tables import devices
from lts.store.tables.itemuse import NO_USE, units_so_far
from lts.store.writer import PendingWrite
from lts.store.writing.transaction import Transaction

RESTORED = "database-restored"
_STATUS_AND_CODE: Callable[[Result], tuple[str, int | None]] = attrgetter("status", "code")


class ReportOutcome(Struct, frozen=True):
    """The answer: a result for each entry in order, its new clone token, and a renewed lease with its times (UTC
    seconds), or else a receipt, with the certificates of its key if they differ from those of the lease sent."""

    results: list[Result]
    durable: Durable
    clone_token: str
    lease: str | None = None
    expires_at: int | None = None
    renew_after: int | None = None
    receipt: str | None = None
    certificates: tuple[str, ...] | None = None


class _Recorded(Counted, frozen=True):
    """What came of a report, or of its last piece."""

    renewed: tuple[Grant, ...]
    code: Code
    place: FeedPlace
    token: str
    certificates: tuple[str, ...] | None


def begin(
    ctx: Context,
    lease: Lease,
    clone_token: str | None,
    entries: list[Entry | BadEntry],
    now: int,
    body: str = "",
    days: int | None = None,
    span: Span | None = None,
) -> PendingCall[ReportOutcome]:
    """Hand the counts of a report under a verified lease to the writer (docs/design/charging.md, Reports): durable when
    `finish` returns, which takes long for a report in pieces. `now` in UTC seconds, `body` the digest for the receipt
    (lts.protocol.Receipt), `days` on how many days the entries are, and `span` theirs, if the caller knows them.

    Raises Malformed when no entry is good; `finish` NotVerified (141), CannotStore.
    """
    fault = usage.refuse_all_bad(entries)
    if fault is not None:
        raise Malformed(f"{fault.field} {fault.detail}.", field=fault.field)
    moment = ctx.clock.moment(now)
    # A clock that is doubted may be right: what it would accept is never rejected.
    rejected = usage.judge_all(entries, max(now, ctx.clock.wall()), span, moment.seat_now)
    good = usage.good_of(entries, rejected)
    days = workload.days_of(entries) if days is None else days
    if good and not workload.is_one_piece(len(good), len(lease.items), days):
        pieces = InPieces(ctx, lease, clone_token, good, now, partial(_submit, ctx, lease, clone_token, moment))
        return PendingCall(
            pieces.waiting,
            lambda: _finish(ctx, lease, entries, rejected, *pieces.result(), moment, body),
            takes_long=True,
        )
    waiting, result = _submit(ctx, lease, clone_token, moment, good)
    return PendingCall(waiting, lambda: _finish(ctx, lease, entries, rejected, result(waiting), None, moment, body))


def _submit(
    ctx: Context, lease: Lease, clone_token: str | None, moment: Moment, good: list[Entry]
) -> tuple[PendingWrite[_Recorded], Callable[[PendingWrite[_Recorded]], _Recorded]]:
    """Hand a report, or its last piece, to the writer; what waits, and what waits for it."""
    tried = _Tried()
    weight = workload.weight_of(len(lease.items))

    def operation(tx: Transaction) -> _Recorded:
        return _record(tx, ctx, lease, clone_token, good, moment, tried)

    def result(waiting: PendingWrite[_Recorded]) -> _Recorded:
        try:
            return waiting.result()
        except _LimitPassed:
            return result(ctx.store.submit(operation, weight))

    return ctx.store.submit(operation, weight), result


class _LimitPassed(Exception):
    """The counts of a report change what may be granted. Nothing of it was stored; it is judged again with its
    counts."""


class _Tried:
    """What an attempt that raised _LimitPassed found counted for the lease's items, by number, and what it
    concluded."""

    before: Mapping[int, ItemUse] = NO_USE
    after: Mapping[int, ItemUse] = NO_USE


def _finish(
    ctx: Context,
    lease: Lease,
    entries: list[Entry | BadEntry],
    rejected: list[Result | None],
    recorded: _Recorded,
    of_good: Iterator[Result] | None,
    moment: Moment,
    body: str,
) -> ReportOutcome:
    """The answer, once stored; `of_good` are the results of the good entries of a report in pieces."""
    now = moment.now
    durable = ctx.running.partner.confirm(recorded.place.serial)
    if of_good is None:
        results = results_of(recorded, entries, rejected)
    else:
        results = [refusal or next(of_good) for refusal in rejected]
    partner = ctx.running.partner
    if partner.clock_gap > 0:
        lie_ahead = [
            e
            for e, result in zip(entries, rejected, strict=True)
            if result is not None and result.code == RefusalCode.SLOT_AHEAD
        ]
        if None in usage.judge_all(lie_ahead, now + partner.clock_gap):
            partner.count_ahead()
    receipt = Receipt(body, short_results(map(_STATUS_AND_CODE, results)), durable)
    if not recorded.renewed:
        signed = ctx.leases.sign_receipt(lease.device, now, recorded.place, receipt)
        return ReportOutcome(results, durable, recorded.token, receipt=signed, certificates=recorded.certificates)
    stem = Promise(lease.device, recorded.code.key, lease.handshake_code, lease.asked, lease.authorized_at)
    renewed = make_lease(ctx, stem, recorded.renewed, recorded.place, moment, receipt)
    text = ctx.leases.sign(renewed)
    return ReportOutcome(results, durable, recorded.token, text, renewed.expires_at, renew_after(renewed))


def _record(
    tx: Transaction,
    ctx: Context,
    lease: Lease,
    clone_token: str | None,
    entries: list[Entry],
    moment: Moment,
    tried: _Tried,
) -> _Recorded:
    now = moment.now
    ctx.running.check_serving()
    code, held = code_and_items(tx, lease)
    uuid = lease.device_bytes
    device = devices.find(tx.db, uuid)
    step = token_step(device, token_of(ctx, uuid, clone_token), now)
    reached = None if ctx.running.restored_noticed else _reached_elsewhere(tx, ctx, lease)
    number = device.key if device else None
    before = _units_by_item(tx, code, held, moment) if tried.after else NO_USE
    so_far = tried.after if before == tried.before else NO_USE  # others may have reported since
    renewed: tuple[Grant, ...] = ()
    to_check = may_renew(lease, code, step, ctx.leases.issuer)
    if to_check:
        renewed = renewal(tx, lease, code, held, number, moment, so_far)
        to_check = not so_far
        before = before or _units_by_item(tx, code, held, moment)
    reporter = Reporter(lease, uuid, held, code.key, number)
    clone_state = devices.pack_clone_state(step.state)
    counted = record(tx, ctx, reporter, entries, step, clone_state, seat_records(renewed, now), now)
    if to_check and before:
        counts = _units_by_item(tx, code, held, moment)
        if _limits_reached(code, held, counts) != _limits_reached(code, held, before):
            tried.before, tried.after = before, counts
            raise _LimitPassed
    if number and not renewed:
        gone_on = goneon.used_after_release(tx, number, lease, held, entries, now)
        goneon.note(tx, ctx.running.today, lease.device, gone_on, now)
    note_folded(tx, ctx, lease, counted.counting, now)
    if reached is not None:
        _note_restored(tx, ctx, lease, reached, now)
    certificates = None if renewed else _certificates(tx, ctx, lease, held)
    token = next_token(ctx, uuid, step)
    return _Recorded(counted.counting, counted.grown, renewed, code, place_of(tx, ctx), token, certificates)


def _certificates(tx: Transaction, ctx: Context, lease: Lease, items: list[LicenseItem]) -> tuple[str, ...] | None:
    """The certificates of this server's key for a device whose lease another key signed: an LTS UUID has one key."""
    if lease.issuer == ctx.leases.issuer:
        return None
    return tx.catalog.certificates.chain_of([item.license_name for item in items]).certificates


_LOOKED_AT = 8
"""Of this many places reached since the start, one is looked up: each look-up slows a report down."""


def _reached_elsewhere(tx: Transaction, ctx: Context, lease: Lease) -> int | None:
    """How far this server's feed was, if a lease names a place that the feed does not have or has with another hash;
    None if it matches, or nobody can say. Of places reached since the start, which only another server with a copy of
    this folder can have differently, only some are checked."""
    me, origin, reached, looked_at = ctx.running.identity, tx.feed.origin, tx.feed.serial, ctx.running.found_serial
    if not lease.jti.startswith(me.incarnation[:8]):
        if lease.issuer != me.uuid or lease.origin is None:
            return None
        former = feed.number(tx.db, me.uuid, lease.origin)
        if former is None:
            return 0
        origin, reached = former, tx.feed.head_of(former)[0]
        looked_at = reached
    if lease.serial > reached:
        return reached
    if lease.head is None or (lease.serial > looked_at and lease.serial % _LOOKED_AT):
        return None
    known = feed.hash_at(tx.db, origin, lease.serial)
    return None if known is None or known[:4].hex() == lease.head else reached


def _note_restored(tx: Transaction, ctx: Context, lease: Lease, reached: int, now: int) -> None:
    """A lease of this server names a place that its feed, `reached` changes long, does not have or has with another
    hash: an old database was put back (docs/design/pair.md, Restored and copied servers). Reported once."""
    if not ctx.running.today.first(tx, RESTORED, now):
        return
    tx.emit(records.EventChange("system", RESTORED, {"serial": lease.serial, "reached": reached}), now)
    tx.afterwards(lambda: _warn_restored(ctx))


def _warn_restored(ctx: Context) -> None:
    sentence = (
        "A device holds a lease that this database does not know: an old copy was put back. Counts and seats since"
        " then are missing; if there is a backup newer than that, restore it with lts restore."
    )
    ctx.running.notice_restored(Notice(RESTORED, sentence, ERROR))


def _units_by_item(tx: Transaction, code: Code, items: list[LicenseItem], moment: Moment) -> dict[int, ItemUse]:
    """What is counted so far of the items whose counts a report can raise, by number."""
    entries = {item.key: _entry(code, item) for item in items if checks.is_counted(item.terms)}
    return {key: units_so_far(tx, code, entry, moment) for key, entry in entries.items()}


def _limits_reached(code: Code, items: list[LicenseItem], counts: Mapping[int, ItemUse]) -> list[tuple[bool, bool]]:
    """Everything that counts can change in a decision: which items are used up, or in grace."""
    found = [(_entry(code, item), counts[item.key]) for item in items if item.key in counts]
    return [(checks.used_up(entry, so_far), checks.in_quota_grace(entry.item.terms, so_far)) for entry, so_far in found]


def _entry(code: Code, item: LicenseItem) -> CodeItem:
    return code.entries.get(item.key) or CodeItem(item)

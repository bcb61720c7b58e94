"""Authorizing a device: decide in the writer's transaction, then sign the lease."""

from __future__ import annotations

from msgspec import Struct

from lts.crypto import canonical_json
from lts.errors import Refusal, RefusalCode
from lts.protocol import DAY_SECONDS, Asked, FeedPlace, Lease, LeaseItem, Receipt, slot_of, uuid_text
from lts.rules import clock
from lts.rules.clock import Moment
from lts.rules.licensing.catalog import Catalog, Code
from lts.rules.licensing.certificates import CertificateChain
from lts.rules.licensing.licensefile import ChargeWay
from lts.rules.metering import admission, asked, clonetokens, likeness, workload
from lts.rules.metering import authorize as rules
from lts.rules.metering.authorize import Decision, Grant, has_seat
from lts.rules.metering.checks import Request
from lts.rules.metering.likeness import Caller
from lts.rules.metering.terms import CONCURRENT_WAYS
from lts.service.core.context import Context, request_id
from lts.service.core.pendingcall import PendingCall
from lts.service.core.refusals import NOT_KEPT, AskedRequest, RefusedRequest
from lts.service.metering import clones
from lts.store.changes import records
from lts.store.tables import devices, seats
from lts.store.tables.itemuse import held_items, use_of
from lts.store.writer import PendingWrite
from lts.store.writing.transaction import Transaction

SHOWN_MODULES, SHOWN_CHARACTERS = 20, 100
"""Of the modules in a refused request that *Why?* keeps: requests of strangers must not fill the memory."""

MAX_NAMES_BYTES = 96 << 10
"""Limit of JSON in a lease: the request, and the items with their modules. With the longest receipt, of 15,000 slots
with results in turn, and the rest of the claims a lease is then no longer than the 262,144 characters that are read."""
_MOST_ASKED, _MOST_OF_A_TEXT, _OF_AN_ITEM = 64 << 10, 4, 200
"""Bytes: of a request, at most; around a text; of an item's other claims."""


class AuthorizeOutcome(Struct, frozen=True):
    """What the device gets; times in UTC seconds. `clone_token` its new one."""

    lease: str
    certificates: tuple[str, ...]
    license_certificates: tuple[str, ...]
    items: tuple[LeaseItem, ...]
    expires_at: int
    renew_after: int
    clone_token: str


class StoredDecision(Struct, frozen=True):
    """A decision: the `place` of its change (None if refused) and the device's new clone token. `clone` is the
    refusal of a clone, which no item was asked about."""

    code: Code
    decision: Decision
    place: FeedPlace | None
    token: str
    certificates: CertificateChain
    clone: Refusal | None = None


def authorize(ctx: Context, request: Request, now: int, caller: Caller | None = None) -> AuthorizeOutcome:
    """One authorization (docs/design/authorizing.md, Order of use), durable when it returns. `now` in UTC seconds; of
    the `caller` only a new device's likeness is kept.

    Raises Refusal with the codes of docs/design/authorizing.md, Refusal codes; a refused request changes nothing.
    """
    return begin(ctx, request, token_of(ctx, request.device, request.clone_token), now, caller).finish()


def token_of(ctx: Context, uuid: bytes, text: str | None) -> clonetokens.CloneToken | None:
    """The clone token that a device sent, None if it sent none that was issued to it."""
    return None if text is None else clonetokens.decode_token(ctx.clone_key, uuid, text)


def weight_of_request(catalog: Catalog, request: Request) -> int:
    """lts.rules.metering.workload.weight_of the items that an authorization checks; 0 if it checks none."""
    if (request.handshake_code or request.organization_id) not in catalog.many_items:
        return 0
    try:
        part = admission.find_code(catalog, request).by_product.get(request.product)
    except Refusal:
        return 0
    return 0 if part is None else workload.weight_of(len(part.items))


def begin(
    ctx: Context,
    request: Request,
    token: clonetokens.CloneToken | None,
    now: int,
    caller: Caller | None = None,
    weight: int = 0,
) -> PendingCall[AuthorizeOutcome]:
    """Hand the decision to the writer without waiting; to finish is to wait until it is durable (on both servers, where
    the other is in step), then to sign the lease. `token` is what `token_of` returns
    for the request, `weight` what `weight_of_request` does; above 0 it takes long.
    """
    moment = ctx.clock.moment(now)
    waiting = ctx.store.submit(lambda tx: decide(tx, ctx, request, token, moment, caller), weight)
    return PendingCall(waiting, lambda: _finish(ctx, request, moment, waiting), weight > 0)


def _finish(ctx: Context, request: Request, moment: Moment, waiting: PendingWrite[StoredDecision]) -> AuthorizeOutcome:
    now = moment.now
    try:
        decided = waiting.result()
    except Refusal as refusal:
        _note(ctx, request, now, refusal, None)
        raise
    if not decided.decision.granted:
        refused = decided.clone or decided.decision.refusal()
        _note(ctx, request, now, refused, decided)
        raise refused
    ctx.running.calls.note(decided.code.key, now, failed=False)
    assert decided.place is not None
    ctx.running.partner.confirm(decided.place.serial)
    code = decided.code
    promise = Promise(uuid_text(request.device), code.key, code.name, asked.asked_by(request, code), now)
    lease = make_lease(ctx, promise, decided.decision.granted, decided.place, moment)
    return AuthorizeOutcome(
        ctx.leases.sign(lease),
        decided.certificates.certificates,
        decided.certificates.licenses,
        lease.items,
        lease.expires_at,
        renew_after(lease),
        decided.token,
    )


def renew_after(lease: Lease) -> int:
    """When a client should authorize again: half-way, but within a day."""
    return lease.issued_at + min((lease.expires_at - lease.issued_at) // 2, DAY_SECONDS)


def decide(
    tx: Transaction,
    ctx: Context,
    request: Request,
    token: clonetokens.CloneToken | None,
    moment: Moment,
    caller: Caller | None = None,
) -> StoredDecision:
    """The operation behind an authorization. Raises Refusal before it changes anything; only a clone's first refusal
    leaves a trace."""
    now = moment.now
    ctx.running.check_serving()
    code = admission.find_code(tx.catalog, request)
    admission.admit(code, request)
    device = devices.find(tx.db, request.device)
    step = token_step(device, token, now)
    if device is not None and step.cloned:
        clone = clones.refuse(tx, device, step, now)
        return StoredDecision(code, Decision((), RefusalCode.CLONE, ()), None, "", CertificateChain(), clone)
    number = device.key if device else None
    look_up = use_of(tx, code, number, moment)
    held = held_items(tx, code, number)
    decision = rules.decide(code, request, look_up, moment, held)
    if not decision.granted:
        return StoredDecision(code, decision, None, "", CertificateChain())
    if (fault := too_large(decision.granted, request, code)) is not None:
        raise fault
    key = device.key if device else tx.numbering.next_device
    tx.emit(
        records.GrantChange(
            key,
            None if device else request.device,
            code.key,
            *devices.pack_clone_state(step.state),
            seat_records(decision.granted, now),
            None if device or caller is None else likeness.likeness_of(ctx.likeness_key, caller),
        ),
        now,
    )
    given = next_token(ctx, request.device, step)
    chain_of = tx.catalog.certificates.chain_of([g.item.license_name for g in decision.granted])
    return StoredDecision(code, decision, place_of(tx, ctx), given, chain_of)


def place_of(tx: Transaction, ctx: Context) -> FeedPlace:
    """Position of this server's feed in the transaction."""
    return FeedPlace(ctx.running.identity.incarnation, tx.feed.serial, tx.feed.head[:4].hex())


def token_step(device: devices.Device | None, token: clonetokens.CloneToken | None, now: int) -> clonetokens.TokenStep:
    """Advance a device's clone tokens by the token it showed. `now` in UTC seconds."""
    if device is None:
        return clonetokens.step(None, token, slot_of(now))
    return clonetokens.step(device.clone_state, token, slot_of(max(now, device.contact)))


def next_token(ctx: Context, uuid: bytes, step: clonetokens.TokenStep) -> str:
    """The token that goes out with the answer."""
    token = clonetokens.CloneToken(step.number, step.parent, step.branch)
    return clonetokens.encode_token(ctx.clone_key, uuid, token)


def seat_records(granted: tuple[Grant, ...], now: int) -> tuple[records.SeatRecord, ...]:
    """The feed's form of the seats of a decision; items without seats have none."""
    return tuple(
        [
            seats.record(g.item.key, g.seat, now, g.item.terms.charge_way in CONCURRENT_WAYS)
            for g in granted
            if has_seat(g.item.terms.charge_way)
        ]
    )


def too_large(granted: tuple[Grant, ...], request: Request, code: Code) -> Refusal | None:
    """The refusal of a lease that would be larger than one that can be sent back, with the receipt of a report in it;
    None for nearly all."""
    claims = [(g.item.terms.item_id, g.item.license_id, g.item.terms.product, *g.modules) for g in granted]
    texts = [text for claim in claims for text in claim]
    of_items = _OF_AN_ITEM * len(claims)
    if of_items + _MOST_OF_A_TEXT * len(texts) + 4 * sum(map(len, texts)) + _MOST_ASKED <= MAX_NAMES_BYTES:
        return None
    if len(canonical_json([claims, asked.asked_by(request, code).claims()])) + of_items <= MAX_NAMES_BYTES:
        return None
    return Refusal(
        RefusalCode.TOO_LARGE,
        f"The lease would hold over {MAX_NAMES_BYTES >> 10} KiB of names of items and modules; ask for the modules that"
        " the application needs, and for fewer of them.",
        field="modules",
    )


class Promise(Struct, frozen=True):
    """What a lease says about its authorization: device (UUID text), code by number and by its name at that time, the
    request (lts.rules.metering.asked) and its time in UTC seconds; the last two are None if LTS 0.1.0 answered it."""

    device: str
    code: int
    name: str
    asked: Asked | None
    at: int | None


def make_lease(
    ctx: Context,
    promise: Promise,
    granted: tuple[Grant, ...],
    place: FeedPlace,
    moment: Moment,
    receipt: Receipt | None = None,
) -> Lease:
    """The lease over the granted items; it ends with the first of them. `receipt` is that of the report which renews
    it."""
    return Lease(
        issuer=ctx.leases.issuer,
        device=promise.device,
        jti=f"{place.origin[:8]}-{place.serial}",
        issued_at=moment.now,
        not_before=moment.now,
        expires_at=clock.shortened_in_doubt(min([g.lease_end for g in granted]), moment),
        handshake_code=promise.name,
        items=tuple(map(_lease_item, granted)),
        serial=place.serial,
        origin=place.origin,
        head=place.head,
        receipt=receipt,
        code=promise.code,
        asked=promise.asked,
        authorized_at=promise.at,
    )


def _lease_item(granted: Grant) -> LeaseItem:
    terms = granted.item.terms
    return LeaseItem(
        item_id=terms.item_id,
        license_id=granted.item.license_id,
        product=terms.product,
        modules=granted.modules,
        charge_way=terms.charge_way,
        instances=granted.seat.instances if terms.charge_way == ChargeWay.CONCURRENT_INSTANCE else 1,
        grace=granted.grace,
        grant=granted.seat.grant if has_seat(terms.charge_way) else 0,
    )


def _note(ctx: Context, request: Request, now: int, refusal: Refusal, decided: StoredDecision | None) -> None:
    if not isinstance(refusal.code, int) or refusal.code in NOT_KEPT:
        return
    sent = AskedRequest(
        device=uuid_text(request.device),
        product=request.product,
        version=request.version,
        edition=request.edition,
        deployment_type=request.deployment_type,
        charge_way=request.charge_way,
        modules=tuple(name[:SHOWN_CHARACTERS] for name in request.modules[:SHOWN_MODULES]),
        instances=request.instances,
        client=request.client_name,
    )
    tried = decided.decision.tried if decided else ()
    caps = decided.decision.caps if decided else {}
    catalog = ctx.store.catalog
    name = request.handshake_code
    if name is None:
        code = decided.code if decided else catalog.defaults.get(request.organization_id or "")
    else:
        code = decided.code if decided else catalog.code_meant(name, request.organization_id)
        code = code or catalog.once_meant(name, request.organization_id)
    if code is not None:
        ctx.running.calls.note(code.key, now, failed=True)
    ctx.refusals.note(
        code.key if code else 0,
        RefusedRequest(
            now,
            request_id.get(),
            refusal.code,
            refusal.detail,
            name or (code.name if code else None),
            sent,
            tuple((item.terms.item_id, verdict) for item, verdict in tried),
            tuple(item.terms.charge_way for item, _ in tried),
            caps=tuple(caps.get(item.key) for item, _ in tried) if caps else (),
        ),
    )
